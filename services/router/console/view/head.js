// Above the thread: who it is with, where, about what, and what to know before answering.

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { isolated } from "../plain.js";
import { handoverButtons } from "./changes.js";
import { channelName, face, isPublic, nameOf, nameViews } from "./face.js";
import { personButton, personVersion } from "./person.js";
import { workViews } from "./work.js";

export function createHead(app) {
  const head = document.getElementById("thread-head");

  return function render(conversation) {
    const { words, thread } = app;
    const linked = thread?.id === conversation?.id ? thread?.linked : null;
    const version = conversation && JSON.stringify([conversation.id, conversation.name, conversation.peer, conversation.status, conversation.subject, conversation.surface, conversation.responder, conversation.assignee, conversation.tags, conversation.unread_from, conversation.unread_from && conversation.last_sequence, app.mayWrite(), app.capabilities(conversation)?.handovers, linked, personVersion(app), words.code]);
    if (head.entryVersion === version) return;
    head.entryVersion = version;
    if (!conversation) return head.replaceChildren();
    const title = isMail(conversation) && conversation.subject ? [conversation.subject] : nameViews(conversation, words);
    head.replaceChildren(
      face(conversation, words),
      h("div", { class: "thread-title" }, h("h2", { dir: "auto" }, ...title), h("p", { dir: "auto" }, about(conversation, words))),
      linked ? h("button", { type: "button", class: "tag link", data: { tone: "warn" }, on: { click: () => app.select(linked) } }, icon("link"), words.t("linked")) : "",
      personButton(app) ?? "",
      ...handoverButtons(app, conversation),
      ...workViews(app, conversation),
      h("span", { class: "tag", data: { tone: conversation.status === "open" ? "good" : null } }, words.has(`status_${conversation.status}`) ? words.t(`status_${conversation.status}`) : conversation.status),
    );
  };
}

export function isMail(conversation) {
  return conversation.channel === "email" || conversation.surface === "email";
}

export function isComment(conversation) {
  return isPublic(conversation);
}

/** Where it stands, at which account, and with which address. */
export function about(conversation, words) {
  const { channel, account, name, peer, subject } = conversation;
  if (isMail(conversation)) return line(name, peer, account);
  if (isComment(conversation)) return line(words.t("comments_on", { channel: channelName(channel, words) }), account, subject);
  return line(channelName(channel, words), account, nameOf(conversation, words) !== peer && peer, subject);
}

function line(...said) {
  return said.filter(Boolean).map(isolated).join(" · ");
}
