// The files of a draft: taken, shown, removed.

import { h, present } from "../../dom.js";
import { icon } from "../../icons.js";
import { alter } from "./draft.js";

export async function attach(app, draft, { files, tenant, update }) {
  for (const one of files) {
    draft.uploading.push(one.name);
    update();
    try {
      const part = asPart(await app.api.upload(one, tenant));
      if (part.media === "image") part.preview = URL.createObjectURL(one);
      alter(draft, { files: [...draft.files, part] });
    } catch (error) {
      draft.trouble = { code: error.code, detail: error.code === "offline" ? "" : error.message };
    }
    draft.uploading = draft.uploading.filter((name) => name !== one.name);
    update();
  }
}

function asPart({ blob, mime_type, size, sha256, name }) {
  const kind = mime_type.split("/")[0];
  const made = { kind: "media", media: ["image", "audio", "video"].includes(kind) ? kind : "file", state: "stored", blob, mime_type, size, sha256, name: name || null };
  return Object.defineProperty(made, "preview", { value: null, writable: true, enumerable: false }); // not a part of the request
}

export function showFiles({ words }, node, { draft, update }) {
  node.hidden = !(draft.files.length || draft.uploading.length);
  const ready = draft.files.map((part) => {
    const name = part.name || words.t(`kind_${part.media}`);
    const remove = () => { alter(draft, { files: draft.files.filter((one) => one !== part) }); update(); };
    return h("li", { class: "chip" }, ...present([
      part.preview ? h("img", { src: part.preview, alt: "" }) : icon("file"),
      h("span", { dir: "auto" }, name), h("small", {}, words.size(part.size)),
      h("button", { type: "button", "aria-label": words.t("remove", { name }), on: { click: remove } }, "×"),
    ]));
  });
  const coming = draft.uploading.map((name) => h("li", { class: "chip", data: { uploading: true } }, h("span", {}, words.t("uploading", { name }))));
  node.replaceChildren(...ready, ...coming);
}
