// How far a mail got that the person sent, in words: accepted, came back, or still on its way.

import { h } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { t } from "../shared/words.js";

export function deliveryView({ status = "" }, { short = false } = {}) {
  const [state, ...rest] = status.split(": ");
  const said = rest.join(": ");
  if (state === "accepted") return line("good", "check", t("mail_accepted"), short ? "" : said);
  if (state === "bounced") return line("bad", "alert", t("mail_bounced"), said);
  return line("soft", "clock", t("mail_waiting"), said);
}

function line(state, picture, words, detail) {
  return h("span", { class: "delivery", data: { state } }, icon(picture), h("span", { dir: "auto" }, [words, detail].filter(Boolean).join(": ")));
}
