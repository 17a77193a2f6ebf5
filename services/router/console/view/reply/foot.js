// Below the reply box: until when what may be written, how much of it fits, and whose name it carries.

import { h, mark, present } from "../../dom.js";
import { hadPrivateAnswer } from "../../fold/thread.js";
import { privateUntil, windowAt } from "../../fold/window.js";
import { icon } from "../../icons.js";
import { measure } from "../../limits.js";
import { isComment } from "../head.js";
import { alter } from "./draft.js";

const WINDOW_ICONS = { free: "clock", human: "person", template: "form", closed: "lock", shut: "lock" };

/** Whether the box can be written in, and as what: open, free, human, template, closed; shut: the conversation is over. */
export function stateOf(conversation, now) {
  if (conversation.status !== "open" && conversation.status !== "idle") return { kind: "shut", until: null };
  return windowAt(conversation.window, now);
}

/** Until when what may be written; where nothing limits that, how to send. */
export function hint({ words }, conversation) {
  const now = Date.now();
  const { kind, until, since } = stateOf(conversation, now);
  if (kind === "open") return h("span", {}, words.t("reply_hint"));
  const said = words.t(`window_${kind}`, {
    time: until ? words.moment(new Date(until)) : "", left: until ? words.left(until - now) : "", since: since ? words.moment(new Date(since)) : "",
  });
  return h("span", { class: "window", data: { kind } }, icon(WINDOW_ICONS[kind]), h("span", {}, said));
}

/** What counts for this message: a public comment may show less than a message of the same account. */
export function limitsOf(app, conversation, draft) {
  const able = app.capabilities(conversation);
  return isComment(conversation) && !draft.private && able?.comment ? able.comment : able;
}

export function counter(app, conversation, draft) {
  const { words } = app;
  const limits = limitsOf(app, conversation, draft);
  if (!limits?.text || !draft.text || draft.template) return null;
  const length = measure(draft.text, limits.unit);
  const pieces = draft.fitted?.pieces ?? Math.ceil(length / limits.text);
  const node = h("span", { class: "counter", title: words.t(`unit_${limits.unit ?? "code_points"}`) }, words.t("counter", { n: length, limit: limits.text }));
  mark(node, "over", pieces > 1);
  if (pieces > 1) node.append(` · ${words.t(draft.fitted ? "pieces" : "pieces_about", { n: pieces })}`);
  return node;
}

/** Whether the comment may still be answered in private: in time, and for the first time. */
export function mayAnswerPrivately(app, conversation, draft) {
  const able = app.capabilities(conversation);
  return conversation.surface === "comment" && Boolean(able?.private_reply) && privateUntil(conversation.window, Date.now()) !== 0 && !hadPrivateAnswer(app.thread, draft.answers);
}

/** Public or private. What was meant to be private stays so when it cannot be sent any more: nobody publishes it by accident. */
export function privacySwitch(app, conversation, draft, update) {
  const { words } = app;
  if (!isComment(conversation)) return null;
  const may = mayAnswerPrivately(app, conversation, draft);
  const choose = (value) => () => { alter(draft, { private: value }); update(); };
  const choice = (key, value, sign) => h("label", {}, h("input", { type: "radio", name: "privacy", checked: draft.private === value, disabled: value && !may, on: { change: choose(value) } }), icon(sign), words.t(key));
  const said = saidOfPrivacy(app, conversation, { may, answers: draft.answers });
  return h("fieldset", { class: "privacy" }, ...present([h("legend", { class: "hidden" }, words.t("privacy")), choice("answer_public", false, "globe"), choice("answer_private", true, "lock"), said && h("span", { class: "soft" }, said)]));
}

function saidOfPrivacy(app, conversation, { may, answers }) {
  const { words } = app;
  const until = privateUntil(conversation.window, Date.now());
  if (may) return until ? words.t("private_until", { time: words.moment(new Date(until)), left: words.left(until - Date.now()) }) : "";
  if (!app.capabilities(conversation)?.private_reply) return "";
  return words.t(hadPrivateAnswer(app.thread, answers) ? "private_had" : "private_over");
}
