// One part of a message as the reader sees it; what the page does not know it says so.

import { h } from "../dom.js";
import { icon } from "../icons.js";

export function partView(app, part) {
  const make = VIEWS[part.kind] ?? unsupported;
  return h("div", { class: "part" }, make(app, part));
}

const VIEWS = {
  text: (app, part) => [
    h("p", { class: "text", dir: "auto" }, part.text),
    part.quoted && h("p", { class: "quoted-text", dir: "auto" }, part.quoted),
  ],
  media,
  location: (app, part) => [
    fileLine(icon("pin"), part.name || app.words.t("kind_location"), [part.address, `${part.latitude}, ${part.longitude}`].filter(Boolean).join(" · ")),
  ],
  contact: (app, part) => [fileLine(icon("card"), part.name, [...(part.phones ?? []), ...(part.emails ?? [])].join(" · "))],
  choices: (app, part) => [
    h("p", { class: "text", dir: "auto" }, part.text),
    h("p", { class: "options" }, part.options.map((option) => h("span", { class: "option", dir: "auto", title: option.description ?? option.url }, option.title))),
  ],
  choice: (app, part) => [h("span", { class: "option", dir: "auto", data: { chosen: true } }, app.words.t("chose", { title: part.title || part.id }))],
  template: (app, part) => [
    h("p", {}, app.words.t("template", { name: part.name, language: part.language })),
    part.parameters?.length > 0 && h("p", { class: "soft", dir: "auto" }, part.parameters.join(" · ")),
  ],
  call: (app, part) => [fileLine(icon("phone"), app.words.t(`call_${part.outcome}`), part.seconds ? app.words.t("seconds", { n: part.seconds }) : "")],
  unsupported,
};

function unsupported(app, part) {
  return [
    part.text && h("p", { class: "text", dir: "auto" }, part.text),
    h("p", { class: "unsupported" }, app.words.t("unsupported", { type: part.type ?? part.kind })),
  ];
}

function media(app, part) {
  const { words } = app;
  const name = part.name || words.t(`kind_${part.media}`);
  const shown = part.state === "stored" && part.blob ? stored(app, part, name) : fileLine(icon(part.media === "image" ? "image" : "file"), name, stateOf(words, part), part.state);
  return [shown, part.caption && h("p", { class: "text", dir: "auto" }, part.caption)];
}

function stateOf(words, part) {
  if (part.state === "unavailable") return words.t("state_unavailable", { reason: reason(words, part.reason) });
  return words.t("state_pending");
}

function reason(words, text) {
  if (!text) return words.t("no_reason");
  const key = [`gone_${text}`, `why_${text}`].find(words.has);
  return key ? words.t(key) : text;
}

function stored(app, part, name) {
  if (part.media === "image" || part.media === "sticker") return fetched(app, part, h("img", { class: "picture", alt: part.caption ? "" : name }));
  if (part.media === "audio") return fetched(app, part, h("audio", { controls: true, preload: "none", "aria-label": name }));
  if (part.media === "video") return fetched(app, part, h("video", { controls: true, preload: "none", class: "picture", "aria-label": name }));
  const size = part.size ? app.words.size(part.size) : "";
  const link = h("button", { type: "button", class: "quiet", "aria-label": app.words.t("download", { name }), on: { click: (event) => { event.stopPropagation(); download(app, part, name); } } }, "↓");
  return h("div", { class: "file" }, fileLine(icon("file"), name, [size, part.mime_type].filter(Boolean).join(" · ")), link);
}

function fetched(app, part, node) {
  app.api.mediaAddress(part.blob, part.name).then(
    (url) => { node.src = url; },
    () => node.replaceWith(fileLine(icon("file"), part.name ?? "", app.words.t("state_unavailable", { reason: reason(app.words, "unreachable") }), "unavailable")),
  );
  return node;
}

async function download(app, part, name) {
  const link = h("a", { href: await app.api.mediaAddress(part.blob, name), download: name });
  link.click();
}

function fileLine(mark, name, detail, state = null) {
  return h(
    "div",
    { class: "file" },
    h("span", { class: "file-icon" }, mark),
    h("div", { class: "file-words" }, h("p", { class: "file-name", dir: "auto" }, name), detail && h("p", { class: "file-state", data: { state } }, detail)),
  );
}
