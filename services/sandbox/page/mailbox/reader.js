// One mail as its reader sees it, with its attachments, its headers and its bytes.

import { button, h } from "../shared/dom.js";
import { face } from "../shared/face.js";
import { icon } from "../shared/icons.js";
import { download, mediaView } from "../shared/media.js";
import { openSheet } from "../shared/sheet.js";
import { full, t } from "../shared/words.js";
import { deliveryView } from "./delivery.js";
import { htmlFrame } from "./frame.js";
import { named } from "./named.js";
import { textView } from "./text.js";

export function readerView(mail, box) {
  const from = named(mail.from);
  const body = h("div", { class: "body" });
  const versions = mail.html ? switcher(mail, box, body) : null;
  if (!mail.html) body.append(textView(mail.text ?? ""));
  return h(
    "article",
    { class: "reader", "aria-label": mail.subject || t("no_subject") },
    h("h2", { dir: "auto" }, mail.subject || t("no_subject")),
    h("div", { class: "people" }, face(from.name), h("div", { class: "names" }, h("b", { dir: "auto" }, from.name, " ", h("small", { dir: "ltr" }, from.address)), h("small", { dir: "auto" }, t("mail_to", { name: mail.to })), h("time", { datetime: mail.at }, full(mail.at)))),
    mail.direction === "out" && deliveryView(mail),
    h(
      "div",
      { class: "tools" },
      mail.direction === "in" && button([icon("reply"), t("answer")], () => box.answer(mail), { class: "main tool" }),
      button([icon("list"), t("headers")], () => openHeaders(mail), { class: "tool" }),
      button([icon("code"), t("raw")], () => openRaw(mail, box), { class: "tool" }),
      versions,
    ),
    attachments(mail, box),
    body,
  );
}

/** Two buttons that say which of the mail's two bodies is shown. */
function switcher(mail, box, body) {
  const show = (version) => {
    body.replaceChildren(version === "html" ? htmlFrame(mail, box) : textView(mail.text ?? ""));
    for (const [name, one] of Object.entries(buttons)) one.setAttribute("aria-pressed", String(name === version));
  };
  const buttons = { html: button(t("as_html"), () => show("html")), text: button(t("as_text"), () => show("text")) };
  show("html");
  return h("div", { class: "switch", role: "group", "aria-label": t("body") }, ...Object.values(buttons));
}

function attachments({ html, attachments: all = [] }, box) {
  const files = all.filter(({ content_id: id }) => !id || !html?.includes(`cid:${id}`)); // the others stand in the HTML
  if (!files.length) return null;
  const shown = ({ id, name, mime_type, size }) => {
    const kind = ["image", "audio", "video"].find((each) => mime_type.startsWith(`${each}/`)) ?? "file";
    const media = { id, name, mime_type, size, kind };
    return h("li", {}, kind === "file" || kind === "video" ? download(media, name || t("media_file"), box.file) : mediaView({ media }, box.file), kind === "image" && h("small", { dir: "auto" }, name));
  };
  return h("ul", { class: "attachments", "aria-label": t("attachments_count", { n: files.length }) }, files.map(shown));
}

function openHeaders(mail) {
  openSheet(t("headers"), () => [h("dl", { class: "headers" }, ...mail.headers.flatMap(([name, value]) => [h("dt", {}, name), h("dd", { dir: "auto" }, value)]))]);
}

async function openRaw(mail, box) {
  const source = h("pre", { class: "raw", tabindex: 0 }, t("loading"));
  openSheet(t("raw"), () => [source]);
  try {
    source.textContent = await box.raw(mail.id);
  } catch (trouble) {
    source.textContent = trouble.message;
  }
}
