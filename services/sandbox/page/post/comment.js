// One comment with its replies. Everything that came over the wire goes in as text.

import { button, h, unseen } from "../shared/dom.js";
import { face } from "../shared/face.js";
import { icon } from "../shared/icons.js";
import { mediaView } from "../shared/media.js";
import { t, when } from "../shared/words.js";

/** `comment.replies` are shown under it. */
export function commentView(comment, post, acts) {
  return h(
    "li",
    { class: "comment", data: { hidden: comment.hidden && !comment.removed } },
    face(comment.from.name),
    h("div", { class: "column" }, said(comment, acts), comment.removed ? null : foot(comment, post, acts), notes(comment)),
    comment.replies?.length > 0 && h("ol", { class: "replies" }, comment.replies.map((reply) => commentView(reply, post, acts))),
  );
}

function said(comment, acts) {
  if (comment.removed) return h("p", { class: "bubble removed" }, icon("ban"), t("comment_removed"));
  const byPage = comment.from.id === acts.page().id;
  return h(
    "div",
    { class: "bubble", data: { page: byPage } },
    h("b", { dir: "auto" }, comment.from.name, byPage && h("small", {}, icon("check"), t("page_itself"))),
    comment.text && h("p", { class: "words", dir: "auto" }, comment.text),
    comment.media && mediaView(comment, acts.file),
    reactions(comment),
  );
}

function reactions({ reactions: given = {} }) {
  const shown = Object.values(given).filter(Boolean);
  if (!shown.length) return null;
  const once = [...new Set(shown)].join("");
  return h("span", { class: "reactions" }, unseen(`${t("reactions")}: `), once, shown.length > 1 && ` ${shown.length}`);
}

function foot(comment, post, acts) {
  return h(
    "p",
    { class: "foot" },
    h("time", { datetime: comment.at }, when(comment.at)),
    comment.edited && h("span", {}, t("edited")),
    button(t("answer"), () => acts.form(post).answer(comment), { class: "small" }),
    button(icon("more"), () => acts.open(post, comment), { class: "small", "aria-label": t("comment_options", { name: comment.from.name }) }),
  );
}

function notes({ hidden, removed, private: privately }) {
  return [
    hidden && !removed && h("p", { class: "note" }, icon("hide"), t("comment_hidden")),
    privately && h("p", { class: "note" }, icon("lock"), t("answered_privately")),
  ];
}
