// What a message refers to, in a line above its words: whose words they were, what it quotes, what brought its writer here.

import { h, present } from "../dom.js";
import { icon } from "../icons.js";
import { linkTo } from "./links.js";

export function contextViews({ words }, conversation, { context }) {
  if (!context) return [];
  const { forwarded, forwarded_from: from, quoted, referral } = context;
  return present([
    forwarded && line("forward", from?.name ? words.t("forwarded_from", { name: from.name }) : words.t("forwarded")),
    quoted && !isPost(conversation, quoted) && quote(words, quoted),
    referral && line("megaphone", words.t(words.has(`came_by_${referral.source}`) ? `came_by_${referral.source}` : "came_by", { source: referral.source }), about(referral)),
  ]);
}

/** Whether what is quoted is the post under which the conversation stands, which is shown above all of it. */
export function isPost({ container }, { external_id: id, container: place }) {
  return Boolean(container) && [id, place].includes(container);
}

function quote(words, { text, sender, url }) {
  const said = present([sender?.name && h("b", { dir: "auto" }, sender.name), text && h("span", { dir: "auto" }, text), url && linkTo(url, words.t("quoted_open"))]);
  return h("blockquote", { class: "answered" }, said.length ? said : words.t("answers_elsewhere"));
}

function about({ title, text, url, ref }) {
  const name = title || text || ref;
  return (url && linkTo(url, name || url)) || (name && h("bdi", {}, name));
}

function line(sign, said, more = null) {
  return h("p", { class: "context" }, ...present([icon(sign), h("span", { dir: "auto" }, ...present([said, more && " ", more]))]));
}
