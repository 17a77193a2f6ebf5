// A mail's HTML, apart from everything: a frame without an origin, in which nothing runs, loads, opens or is sent.

import { h } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { t } from "../shared/words.js";

const POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
const HEAD = `<!doctype html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="referrer" content="no-referrer"><meta name="color-scheme" content="light"><base target="_blank">
<style>body { margin: 12px; font: 15px/1.5 system-ui, "Noto Sans Khmer", "Khmer OS Siemreap", "Khmer OS", sans-serif; color: #15202b; background: #fff; overflow-wrap: anywhere; } img { max-width: 100%; }</style>`;

// The one place where a stranger's markup is given to the browser as markup: as the document of a frame with an empty sandbox.
const mail = globalThis.trustedTypes?.createPolicy("mail", { createHTML: (html) => html }) ?? { createHTML: (html) => html };

export function htmlFrame({ html, attachments = [] }, box) {
  const frame = h("iframe", { class: "html", sandbox: true, title: t("html_title"), referrerpolicy: "no-referrer" });
  inlined(html, attachments, box).then((whole) => { frame.srcdoc = mail.createHTML(HEAD + whole); });
  return h("div", { class: "framed" }, frame, h("p", { class: "note" }, icon("lock"), t("html_note")));
}

/** The HTML with the pictures that came along in place of their names (cid:, RFC 2392). */
async function inlined(html, attachments, box) {
  const named = attachments.filter(({ content_id: id }) => id && html.includes(`cid:${id}`));
  const pictures = await Promise.all(named.map(({ id }) => box.blob(id).then(asData, () => "")));
  return named.reduce((whole, { content_id: id }, place) => whole.replaceAll(`cid:${id}`, pictures[place]), html);
}

function asData(blob) {
  return new Promise((done) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => done(reader.result));
    reader.addEventListener("error", () => done(""));
    reader.readAsDataURL(blob);
  });
}
