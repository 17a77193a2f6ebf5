// Pictures, films, sounds and files of a message: fetched with the token when they come into sight.

import { button, h } from "./dom.js";
import { icon } from "./icons.js";
import { openSheet } from "./sheet.js";
import { size, t } from "./words.js";

const WIDE = ["image", "sticker", "video"];

/** `fetchFile(id)` gives an address of this page. */
export function mediaView({ media, caption }, fetchFile) {
  const name = media.name || t(`media_${media.kind}`, { kind: media.kind });
  if (media.kind === "image" || media.kind === "sticker") return picture(media, caption || name, fetchFile);
  if (media.kind === "video") return played("video", media, name, fetchFile);
  if (media.kind === "audio" || media.kind === "voice") return sound(media, name, fetchFile);
  return download(media, name, fetchFile);
}

function picture(media, name, fetchFile) {
  const image = h("img", { class: "picture", alt: name });
  const open = button(image, () => image.src && openSheet(name, () => [h("img", { class: "whole", src: image.src, alt: name })], { class: "sheet large" }), {
    class: "media",
    "aria-label": t("open_picture", { name }),
  });
  return fill(open, image, media, name, fetchFile);
}

function played(tag, media, name, fetchFile) {
  const player = h(tag, { class: "media", controls: true, preload: "metadata", "aria-label": name });
  return fill(player, player, media, name, fetchFile);
}

function sound(media, name, fetchFile) {
  const player = played("audio", media, name, fetchFile);
  player.className = "sound";
  return player;
}

function fill(shown, target, media, name, fetchFile) {
  const load = () => fetchFile(media.id).then((url) => { target.src = url; }, () => shown.replaceWith(download(media, name, fetchFile)));
  target.addEventListener("error", () => shown.replaceWith(download(media, name, fetchFile)));
  whenSeen(shown, load);
  return shown;
}

/** A file to be saved; the words say when it cannot be had. */
export function download(media, name, fetchFile) {
  const detail = [media.mime_type, media.size && size(media.size)].filter(Boolean).join(" · ");
  const note = h("small", { dir: "auto" }, detail);
  const save = async () => {
    try {
      h("a", { href: await fetchFile(media.id), download: name }).click();
    } catch (trouble) {
      note.textContent = trouble.message;
    }
  };
  const words = h("span", { class: "file-words" }, h("span", { dir: "auto" }, name), note);
  return button([icon("file"), words], save, { class: "file", "aria-label": t("save_file", { name }) });
}

export const isWide = (view) => WIDE.includes(view.media?.kind);

const waiting = new Map();
const sight = new IntersectionObserver((entries) => {
  for (const { target } of entries.filter((entry) => entry.isIntersecting)) {
    sight.unobserve(target);
    waiting.get(target)();
    waiting.delete(target);
  }
}, { rootMargin: "300px" });

function whenSeen(node, act) {
  waiting.set(node, act);
  sight.observe(node);
}
