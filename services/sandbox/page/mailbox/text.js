// A mail's text, with what it quotes folded away.

import { h } from "../shared/dom.js";
import { t } from "../shared/words.js";

const QUOTED = /((?:^.*:\n\s*)?(?:^>.*(?:\n|$))+)\s*$/m;

export function textView(text) {
  const clean = text.replace(/\r\n/g, "\n");
  const found = QUOTED.exec(clean);
  const said = (found ? clean.slice(0, found.index) : clean).trimEnd();
  return h("div", { class: "said" }, paragraph(said), found && h("details", {}, h("summary", {}, t("quoted_text")), paragraph(found[1].trim())));
}

const paragraph = (words) => h("p", { class: "words", dir: "auto" }, words);
