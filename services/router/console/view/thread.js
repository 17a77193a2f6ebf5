// The chosen conversation: its messages in order, days and notes between them.

import { h, mark, moveByArrows, present, reconcile } from "../dom.js";
import { waiting } from "../fold/thread.js";
import { contextViews } from "./context.js";
import { nameOf } from "./face.js";
import { whyOf } from "./failure.js";
import { createHead } from "./head.js";
import { createLightbox } from "./lightbox.js";
import { fillMessage, sayLeft } from "./message.js";
import { planEntry, planWords } from "./plan.js";
import { postEntry } from "./post.js";

const NEAR = 60; // px from the end within which new messages scroll into view

export function createThreadView(app) {
  const renderHead = createHead(app);
  const log = document.getElementById("log");
  const below = document.getElementById("below");
  let shown = null;
  let atEnd = true;
  let seen = null; // the last message while the end was in view

  app.look = createLightbox(app);
  app.bring = (id) => {
    [...log.children].find((node) => node.entryKey === id)?.scrollIntoView({ block: "nearest" });
    noteEnd(); // at once: whatever is drawn before the browser tells of it would go back to the end
  };
  log.addEventListener("scroll", noteEnd);
  below.addEventListener("click", () => { atEnd = true; toEnd(); sayBelow(); log.focus({ preventScroll: true }); });
  new ResizeObserver(toEnd).observe(log);
  log.addEventListener("load", toEnd, { capture: true });
  moveByArrows(log, ".message", (node) => app.selectMessage(node.entryKey));

  /** Whoever reads the end goes on reading it when a picture arrives or the window changes. */
  function toEnd() {
    if (atEnd) log.scrollTop = log.scrollHeight;
  }

  function noteEnd() {
    atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR;
    sayBelow();
  }

  /** How much has come below what is in view. */
  function sayBelow() {
    const ids = [...log.querySelectorAll(":scope > .message:not([data-status=scheduled])")].map((node) => node.entryKey);
    if (atEnd) seen = ids.at(-1) ?? null;
    const fresh = seen === null ? 0 : ids.length - 1 - ids.lastIndexOf(seen);
    below.hidden = atEnd || fresh === 0;
    const said = app.words.t("new_below", { n: fresh });
    if (below.lastChild.textContent !== said) below.lastChild.textContent = said;
  }

  return function render() {
    const conversation = app.conversations.get(app.selected);
    const thread = app.thread;
    renderHead(conversation);
    const fresh = shown !== thread?.id;
    atEnd ||= fresh || app.follow;
    app.follow = false;
    const before = { height: log.scrollHeight, first: log.querySelector(".message")?.entryKey };
    if (fresh) quietly(log);
    reconcile(log, conversation ? entries(app, conversation, thread) : [emptyEntry(app, nothing(app))]);
    if (atEnd) toEnd();
    else if (before.first !== log.querySelector(".message")?.entryKey) log.scrollTop += log.scrollHeight - before.height;
    sayBelow();
    shown = thread?.id ?? null;
  };
}

/** Why no conversation is shown. */
function nothing({ unknown, selected, conversations }) {
  if (unknown) return "thread_unknown";
  if (selected) return "thread_loading";
  return conversations.size ? "thread_none" : "thread_first";
}

/** What a conversation held before it was opened is not read out; what comes after is. */
function quietly(log) {
  log.setAttribute("aria-live", "off");
  setTimeout(() => log.setAttribute("aria-live", "polite"), 1_000);
}

function entries(app, conversation, thread) {
  if (!thread) return [emptyEntry(app, "thread_loading")];
  const all = [...thread.entries, ...thread.asked.values(), ...waiting(thread)];
  const made = thread.first > (conversation.removed_to ?? 0) + 1 ? [earlierEntry(app)] : present([removedEntry(app, conversation)]);
  const way = app.wayMessage()?.id;
  made.push(...present([postEntry(app, conversation, thread)]));
  let day = null;
  for (const entry of all) {
    const today = new Date(entry.at).toDateString();
    if (today !== day) made.push(dayEntry(app, entry.at, today));
    day = today;
    made.push(entry.note ? noteEntry(app, conversation, entry) : messageEntry(app, conversation, entry, entry.id === way));
  }
  for (const plan of thread.plans.values()) made.push(planEntry(app, plan));
  const { growing } = conversation;
  if (growing?.until > Date.now() && !thread.messages.has(growing.id)) made.push(growingEntry(app, growing));
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

/** What came before is no longer kept. */
function removedEntry({ words }, { removed_to: removed, kept_days: days }) {
  if (!removed) return null;
  return {
    key: "removed", version: [words.code, days].join(), tag: "p",
    fill: (node) => { node.className = "note"; node.textContent = days ? words.t("removed_older", { n: days }) : words.t("removed_all"); },
  };
}

function dayEntry({ words }, at, key) {
  return { key: `day-${key}`, version: words.code + new Date().toDateString(), tag: "p", fill: (node) => { node.className = "day"; node.textContent = words.day(new Date(at)); } };
}

function noteEntry(app, conversation, entry) {
  const { words } = app;
  return {
    key: entry.id, version: words.code, tag: "div",
    fill: (node) => {
      node.className = "note";
      mark(node, "tone", { refused: "bad", refused_when_due: "bad", linked: "warn", blocked: "warn", unreachable: "warn", plan_refused: "warn", report_bounce: "warn", report_complaint: "warn", responder: "warn", braked: "warn" }[entry.note]);
      const lead = entry.leads && h("button", { type: "button", class: "quiet", on: { click: () => app.select(entry.leads) } }, words.t("open_other"));
      const said = words.t(words.has(`note_${entry.note}`) ? `note_${entry.note}` : "note_notice_other", { ...entry.said, why: "", ...planWords(words, entry.plan), ...(entry.failure && { why: whyOf(words, entry.failure) }), until: entry.until ? words.moment(new Date(entry.until)) : "", message: entry.message ? entry.message.text ?? words.t(`kind_${entry.message.kind}`) : "" });
      node.replaceChildren(...present([said, lead, ...contextViews(app, conversation, entry)]));
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

/** An answer that is still written; it is read out when it is whole. */
function growingEntry({ words }, { id, text, author }) {
  return {
    key: `growing-${id}`, version: [words.code, text].join(), tag: "article",
    fill: (node) => {
      node.className = "message growing";
      mark(node, "direction", "outbound");
      node.setAttribute("aria-live", "off");
      node.replaceChildren(...present([
        author && h("p", { class: "author", dir: "auto" }, author),
        h("div", { class: "bubble" }, h("p", { class: "text", dir: "auto" }, text)),
        h("div", { class: "foot" }, words.t("growing")),
      ]));
    },
  };
}

function messageEntry(app, conversation, message, onWay) {
  const version = [message.version, message.status, app.words.code, conversation.name, Boolean(app.capabilities(conversation))].join();
  return {
    key: message.id, version, tag: "article",
    fill: (node) => fillMessage(app, node, conversation, message),
    touch: (node) => {
      node.tabIndex = onWay ? 0 : -1;
      mark(node, "selected", onWay);
      sayLeft(app, node, message);
    },
  };
}
