// One mail in the list.

import { h, unseen } from "../shared/dom.js";
import { face } from "../shared/face.js";
import { icon } from "../shared/icons.js";
import { t, when } from "../shared/words.js";
import { deliveryView } from "./delivery.js";
import { named } from "./named.js";

export function rowView(mail, box) {
  const out = mail.direction === "out";
  const who = named(out ? mail.to : mail.from).name;
  const unread = !box.isSeen(mail);
  const words = (mail.text ?? "").replace(/^>.*$/gm, "").replace(/\s+/g, " ").trim().slice(0, 160);
  return h(
    "li",
    {},
    h(
      "button",
      { type: "button", class: "mail", data: { unread }, "aria-current": box.isOpen(mail) ? "true" : null, on: { click: () => box.show(mail) } },
      face(who),
      h(
        "span",
        { class: "mail-words" },
        h("span", { class: "first" }, h("b", { dir: "auto" }, unread && unseen(`${t("unread")}: `), out ? t("mail_to", { name: who }) : who), h("time", { datetime: mail.at }, when(mail.at))),
        h("span", { class: "subject", dir: "auto" }, mail.subject || t("no_subject")),
        h("span", { class: "snippet", dir: "auto" }, mail.attachments?.length > 0 && [icon("clip"), unseen(t("attachments_count", { n: mail.attachments.length }))], words),
        out && deliveryView(mail, { short: true }),
      ),
    ),
  );
}
