// A file that is about to be sent, as it stands over the field where one writes.

import { button, h } from "./dom.js";
import { icon } from "./icons.js";
import { size, t } from "./words.js";

export function draft(file, remove) {
  const preview = file.type.startsWith("image/") ? h("img", { src: URL.createObjectURL(file), alt: "" }) : icon("file");
  const words = h("span", { class: "file-words" }, h("span", { dir: "auto" }, file.name), h("small", {}, size(file.size)));
  return h("li", {}, preview, words, button(icon("close"), remove, { class: "round", "aria-label": t("remove_file", { name: file.name }) }));
}
