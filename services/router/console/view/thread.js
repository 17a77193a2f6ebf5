// The chosen conversation: who it is with, and its messages.

import { h, mark, moveByArrows, present, reconcile } from "../dom.js";
import { previewOf } from "../fold/events.js";
import { icon } from "../icons.js";
import { channelName, face, nameOf } from "./face.js";
import { partView } from "./parts.js";

const STATUS_ICONS = { asked: "clock", queued: "clock", unknown: "question", sent: "check", delivered: "checks", read: "checks", failed: "alert", refused: "alert", cancelled: "alert", expired: "alert" };
const NEAR = 60; // px from the end within which new messages scroll into view

export function createThreadView(app) {
  const head = document.getElementById("thread-head");
  const log = document.getElementById("log");
  let shown = null;
  let atEnd = true;

  log.addEventListener("scroll", () => { atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR; });
  new ResizeObserver(toEnd).observe(log);
  log.addEventListener("load", toEnd, { capture: true });
  moveByArrows(log, ".message", (node) => app.selectMessage(node.entryKey));

  /** Whoever reads the end goes on reading it when a picture arrives or the window changes. */
  function toEnd() {
    if (atEnd) log.scrollTop = log.scrollHeight;
  }

  return function render() {
    const conversation = app.conversations.get(app.selected);
    const thread = app.thread;
    renderHead(app, head, conversation);
    const fresh = shown !== thread?.id;
    atEnd ||= fresh;
    const before = { height: log.scrollHeight, first: log.querySelector(".message")?.entryKey };
    if (fresh) quietly(log);
    reconcile(log, conversation ? entries(app, conversation, thread) : [emptyEntry(app, "thread_none")]);
    if (atEnd) toEnd();
    else if (before.first !== log.querySelector(".message")?.entryKey) log.scrollTop += log.scrollHeight - before.height;
    shown = thread?.id ?? null;
  };
}

/** What a conversation held before it was opened is not read out; what comes after is. */
function quietly(log) {
  log.setAttribute("aria-live", "off");
  setTimeout(() => log.setAttribute("aria-live", "polite"), 1_000);
}

function renderHead(app, head, conversation) {
  const { words } = app;
  const version = conversation && JSON.stringify([conversation.id, conversation.name, conversation.peer, conversation.status, conversation.subject, words.code]);
  if (head.entryVersion === version) return;
  head.entryVersion = version;
  if (!conversation) return head.replaceChildren();
  const about = [channelName(conversation.channel, words), conversation.account, conversation.name && conversation.peer, conversation.subject];
  head.replaceChildren(
    face(conversation, words),
    h("div", { class: "thread-title" }, h("h2", { dir: "auto" }, nameOf(conversation, words)), h("p", { dir: "auto" }, about.filter(Boolean).join(" · "))),
    h("span", { class: "tag", data: { tone: conversation.status === "open" ? "good" : null } }, words.has(`status_${conversation.status}`) ? words.t(`status_${conversation.status}`) : conversation.status),
  );
}

function entries(app, conversation, thread) {
  if (!thread) return [emptyEntry(app, "thread_loading")];
  const all = [...thread.entries, ...thread.asked.values()];
  const made = thread.first > 1 ? [earlierEntry(app)] : [];
  const way = app.wayMessage()?.id;
  let day = null;
  for (const entry of all) {
    const today = new Date(entry.at).toDateString();
    if (today !== day) made.push(dayEntry(app, entry.at, today));
    day = today;
    made.push(entry.note ? noteEntry(app, entry) : messageEntry(app, conversation, entry, entry.id === way));
  }
  if (conversation.typing_until > Date.now()) made.push(typingEntry(app, conversation));
  return made;
}

function emptyEntry({ words }, key) {
  return { key, version: words.code, tag: "p", fill: (node) => { node.className = "empty"; node.textContent = words.t(key); } };
}

function earlierEntry(app) {
  return {
    key: "earlier", version: app.words.code, tag: "button",
    fill: (node) => {
      node.className = "quiet more";
      node.type = "button";
      node.textContent = app.words.t("earlier");
      node.onclick = () => app.loadEarlier();
    },
  };
}

function dayEntry({ words }, at, key) {
  return { key: `day-${key}`, version: words.code + new Date().toDateString(), tag: "p", fill: (node) => { node.className = "day"; node.textContent = words.day(new Date(at)); } };
}

function noteEntry({ words }, entry) {
  return {
    key: entry.id, version: words.code, tag: "p",
    fill: (node) => {
      node.className = "note";
      mark(node, "tone", entry.note === "refused" && "bad");
      node.textContent = words.t(`note_${entry.note}`, { why: whyOf(words, entry.failure) });
    },
  };
}

function typingEntry({ words }, conversation) {
  return {
    key: "typing", version: words.code, tag: "p",
    fill: (node) => {
      node.className = "typing";
      node.replaceChildren(h("i", { "aria-hidden": "true" }, h("b"), h("b"), h("b")), words.t("typing", { name: nameOf(conversation, words) }));
    },
  };
}

function messageEntry(app, conversation, message, onWay) {
  const version = [message.version, message.status, onWay, app.words.code, conversation.name].join();
  return { key: message.id, version, tag: "article", fill: (node) => fillMessage(app, node, conversation, message, onWay) };
}

function fillMessage(app, node, conversation, message, onWay) {
  const { words } = app;
  const own = message.direction === "outbound";
  node.className = "message";
  node.tabIndex = onWay ? 0 : -1;
  mark(node, "direction", message.direction);
  mark(node, "status", message.status);
  mark(node, "selected", onWay);
  const author = own ? message.author ?? words.t("you") : nameOf(conversation, words);
  node.setAttribute("aria-label", `${author}, ${words.full(new Date(message.at))}`);
  node.onfocus = () => app.selectMessage(message.id);
  node.replaceChildren(
    ...present([
      (own && message.author) || message.echo ? h("p", { class: "author", dir: "auto" }, message.echo ? words.t("from_elsewhere") : message.author) : null,
      h("div", { class: "bubble", on: { click: () => app.selectMessage(message.id) } }, bubble(app, message)),
      message.reactions.size > 0 ? h("p", { class: "reactions" }, [...message.reactions.values()].map((emoji) => h("span", {}, emoji))) : null,
      foot(app, message),
    ]),
  );
}

function bubble(app, message) {
  if (message.deleted_at) return h("p", { class: "deleted" }, app.words.t("deleted"));
  return message.parts.map((part) => partView(app, part));
}

function foot(app, message) {
  const { words } = app;
  const at = new Date(message.at);
  return h(
    "div",
    { class: "foot" },
    message.earlier.length > 0 && earlierTexts(words, words.t("edited"), message.earlier),
    message.deleted_at && earlierTexts(words, words.t("deleted_before"), [{ parts: message.parts, at: message.at }]),
    h("time", { datetime: message.at, title: words.full(at) }, words.time(at)),
    message.status && statusView(words, message),
    message.status === "refused" && h("button", { type: "button", class: "quiet", on: { click: () => app.writeAgain(message) } }, words.t("send_again")),
  );
}

function earlierTexts(words, summary, earlier) {
  const texts = earlier.map(({ parts, at }) => {
    const { text, kind } = previewOf(parts);
    return h("p", { class: "before", dir: "auto" }, h("span", { class: "soft" }, words.t("edited_before", { time: words.time(new Date(at)) }), " "), text ?? words.t(`kind_${kind}`));
  });
  return h("details", {}, h("summary", {}, summary), ...texts);
}

function statusView(words, message) {
  const why = message.failure ? ` · ${whyOf(words, message.failure)}` : "";
  return h("span", { class: "status", data: { status: message.status } }, icon(STATUS_ICONS[message.status] ?? "question"), words.t(`sent_${message.status}`) + why);
}

/** A failure in words: its code in the reader's language, and what the provider said. */
export function whyOf(words, failure) {
  if (!failure) return words.t("why_unknown");
  const known = words.has(`why_${failure.code}`) ? words.t(`why_${failure.code}`) : failure.code;
  return failure.detail ? `${known} (${failure.detail})` : known;
}
