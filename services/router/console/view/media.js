// Files of a message: pictures as a gallery with a large view, sound, film, and everything else as a line to download.

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { linked } from "./links.js";
import { reasonOf } from "./reason.js";

const ICONS = { image: "image", sticker: "image", audio: "microphone", video: "play", file: "file" };

export function isPicture(part) {
  return part.kind === "media" && part.media === "image" && part.state === "stored" && Boolean(part.blob);
}

/** Several pictures side by side, as they were sent. */
export function gallery(app, pictures) {
  const open = (at) => (event) => { event.stopPropagation(); app.look(pictures, at); };
  const made = pictures.map((part, at) => h("button", { type: "button", class: "thumb", "aria-label": app.words.t("enlarge", { name: nameOf(app, part) }), on: { click: open(at) } }, fetched(app, part, h("img", { class: "picture", alt: part.caption || nameOf(app, part) }))));
  const captions = pictures.filter((part) => part.caption).map((part) => h("p", { class: "text", dir: "auto" }, linked(part.caption)));
  return [h("div", { class: "gallery", data: { count: Math.min(pictures.length, 4) } }, made), ...captions];
}

export function media(app, part) {
  const shown = part.state === "stored" && part.blob ? stored(app, part) : fileLine(icon(ICONS[part.media] ?? "file"), nameOf(app, part), stateOf(app.words, part), part.state);
  return [shown, part.caption && h("p", { class: "text", dir: "auto" }, linked(part.caption))];
}

function nameOf(app, part) {
  return part.name || app.words.t(`kind_${part.media}`);
}

function stateOf(words, part) {
  if (part.state === "unavailable") return words.t("state_unavailable", { reason: reasonOf(words, part.reason) });
  return words.t("state_pending");
}

function stored(app, part) {
  const name = nameOf(app, part);
  if (part.media === "sticker") return fetched(app, part, h("img", { class: "picture sticker", alt: name }));
  if (part.media === "audio") return h("div", { class: "sound" }, icon("microphone"), fetched(app, part, h("audio", { controls: true, preload: "metadata", "aria-label": name })));
  if (part.media === "video") return fetched(app, part, h("video", { controls: true, preload: "metadata", class: "picture", "aria-label": name }));
  const size = part.size ? app.words.size(part.size) : "";
  const save = (event) => { event.stopPropagation(); download(app, part).catch((error) => line.replaceWith(goneLine(app, part, error))); };
  const link = h("button", { type: "button", class: "quiet", "aria-label": app.words.t("download", { name }), title: app.words.t("download", { name }), on: { click: save } }, icon("download"));
  const line = h("div", { class: "file" }, fileLine(icon("file"), name, [size, part.mime_type].filter(Boolean).join(" · ")), link);
  return line;
}

/** `node` with its source, as soon as the router has given an address for it. */
export function fetched(app, part, node) {
  app.api.mediaAddress(part.blob, part.name).then(
    (url) => { node.src = url; },
    (error) => node.replaceWith(goneLine(app, part, error)),
  );
  return node;
}

/** A file that was there: it is no longer kept, or the router cannot give it now. */
function goneLine(app, part, error) {
  const reason = reasonOf(app.words, error.status === 404 ? "removed" : "unreachable");
  return fileLine(icon("file"), part.name ?? "", app.words.t("state_unavailable", { reason }), "unavailable");
}

/** Raises what the API refuses. */
export async function download(app, part) {
  const name = nameOf(app, part);
  h("a", { href: await app.api.mediaAddress(part.blob, name), download: name }).click();
}

export function fileLine(mark, name, detail, state = null) {
  return h(
    "div",
    { class: "file" },
    h("span", { class: "file-icon" }, mark),
    h("div", { class: "file-words" }, h("p", { class: "file-name", dir: "auto" }, name), detail && h("p", { class: "file-state", data: { state } }, detail)),
  );
}
