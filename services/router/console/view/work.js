// The desk's work on a conversation: whose it is, its labels, closed and opened again.

import { h, present } from "../dom.js";
import { icon } from "../icons.js";
import { keptAuthor } from "../keep.js";
import { form } from "./dialog.js";

/** What stands above the thread: a person whose name is kept here takes it by one press. */
export function workViews(app, conversation) {
  const { words } = app;
  const { assignee, tags = [], status, unread_from: unread, last_sequence: upto } = conversation;
  const closed = status === "closed";
  const labels = tags.map((tag) => h("span", { class: "tag", dir: "auto" }, tag));
  if (!app.mayWrite()) return present([assignee && h("span", { class: "tag", dir: "auto" }, assignee), ...labels]);
  return present([
    ...labels,
    unread && act("read", () => app.ask("read", { upto }), words.t("work_read")),
    act("tag", () => app.open("tag", conversation), words.t("work_tag")),
    act("assign", () => app.open("assign", conversation), icon("person"), assignee ? h("bdi", {}, assignee) : words.t("work_assign")),
    act(closed ? "reopen" : "close", () => app.ask(closed ? "reopen" : "close", {}), words.t(closed ? "work_reopen" : "work_close")),
  ]);
}

function act(what, done, ...said) {
  return h("button", { type: "button", class: "tag link", data: { work: what }, on: { click: done } }, ...said);
}

/** What is asked before: who answers, and which labels stand there then. */
export const WORK = {
  assign: (app, { assignee }) => {
    const who = h("input", { maxlength: 255, dir: "auto", "aria-label": app.words.t("work_who"), placeholder: app.words.t("work_nobody") });
    who.value = assignee ?? keptAuthor();
    return [form(app, "save", () => app.ask("assign", { assignee: who.value.trim() || null }), who)];
  },
  tag: (app, { tags = [] }) => {
    const all = h("textarea", { rows: 4, dir: "auto", "aria-label": app.words.t("work_labels"), placeholder: app.words.t("work_labels") });
    all.value = tags.join("\n");
    const wanted = () => all.value.split("\n").map((tag) => tag.trim()).filter(Boolean);
    const changes = () => ({ add: wanted(), remove: tags.filter((tag) => !wanted().includes(tag)) });
    return [form(app, "save", () => app.ask("tag", changes()), all)];
  },
};
