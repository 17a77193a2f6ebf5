// One post of the page with everything that was said under it.

import { button, h } from "../shared/dom.js";
import { face } from "../shared/face.js";
import { icon } from "../shared/icons.js";
import { choice, openSheet } from "../shared/sheet.js";
import { t, when } from "../shared/words.js";
import { commentView } from "./comment.js";

export function postView(post, acts) {
  const page = acts.page();
  if (post.removed) return h("article", { class: "post gone", "aria-label": t("post_removed") }, h("p", {}, icon("trash"), t("post_removed")));
  const count = post.comments.filter(({ removed }) => !removed).length;
  return h(
    "article",
    { class: "post", "aria-label": t("post_of", { name: page.name }) },
    h("header", {}, face(page.name), h("div", { class: "by" }, h("b", { dir: "auto" }, page.name), h("time", { datetime: post.at }, when(post.at))), options(post, acts)),
    h("p", { class: "words", dir: "auto" }, post.text),
    h("p", { class: "count" }, icon("comment"), t("comments_count", { n: count })),
    h("div", { role: "log", "aria-label": t("comments") }, h("ol", { class: "comments" }, threads(post).map((comment) => commentView(comment, post, acts)))),
    acts.form(post).node,
  );
}

/** The comments that answer none, each with those that answer it, however deep, in the order in which they were written. */
function threads({ comments }) {
  const byId = new Map(comments.map((comment) => [comment.id, { ...comment, replies: [] }]));
  const rootOf = (comment) => {
    const parent = byId.get(comment.parent);
    return parent && parent !== comment ? rootOf(parent) : comment;
  };
  const all = [...byId.values()];
  for (const comment of all) if (rootOf(comment) !== comment) rootOf(comment).replies.push(comment);
  return all.filter((comment) => rootOf(comment) === comment);
}

function options(post, acts) {
  const open = () =>
    openSheet(t("post_of", { name: acts.page().name }), (close) => [
      choice(close, { picture: "trash", words: t("remove_post"), detail: t("as_page"), danger: true, act: () => acts.remove(post, "post") }),
    ]);
  return button(icon("more"), open, { class: "round", "aria-label": t("post_options") });
}
