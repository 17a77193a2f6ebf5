// The conversations, newest on top.

import { h, mark, moveByArrows, present, reconcile } from "../dom.js";
import { LISTS, listed, lostSend, newestFirst } from "../fold/conversations.js";
import { icon } from "../icons.js";
import { isolated } from "../plain.js";
import { channelName, face, nameOf, nameViews } from "./face.js";
import { foundEntries } from "./found.js";
import { about, isMail } from "./head.js";

export function createList(app) {
  const rows = document.getElementById("conversation-rows");
  const empty = document.getElementById("conversations-empty");
  const more = document.getElementById("more-conversations");
  const total = document.getElementById("unread-total");
  const search = document.getElementById("search");

  moveByArrows(rows, ".row, .hit");
  search.addEventListener("input", debounced(() => app.search(search.value.trim()), 250));
  search.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") rows.querySelector(".row, .hit")?.focus();
  });
  more.addEventListener("click", () => app.loadMore());
  const which = document.getElementById("which");
  which.addEventListener("change", () => app.showList(which.value));

  return function render() {
    const { words, found, conversations, selected } = app;
    if (which.entryVersion !== words.code) {
      which.entryVersion = words.code;
      which.replaceChildren(...Object.keys(LISTS).map((list) => h("option", { value: list, selected: list === app.list }, words.t(`list_${list}`))));
      which.value = app.list;
    }
    const shown = found ? newestFirst(conversations).filter((one) => found.ids.has(one.id)) : listed(conversations, app.list);
    reconcile(rows, [...shown.map((one) => entry(app, one, one.id === selected)), ...foundEntries(app)]);
    empty.hidden = shown.length > 0 || found?.messages.length > 0 || !app.loaded;
    empty.textContent = words.t(found || app.list !== "all" ? "conversations_not_found" : "conversations_none");
    more.hidden = !(found ?? app).next;
    const unread = [...conversations.values()].reduce((sum, one) => sum + one.unread, 0);
    total.hidden = unread === 0;
    total.textContent = words.number(unread);
    total.setAttribute("aria-label", words.t("unread", { n: unread }));
    document.title = unread ? `(${unread}) Parley` : "Parley";
  };
}

function entry(app, conversation, current) {
  const typing = conversation.typing_until > Date.now();
  const version = JSON.stringify([conversation, current, typing, app.words.code, new Date().toDateString()]);
  return { key: conversation.id, version, tag: "li", fill: (item) => fill(app, item, conversation, { current, typing }) };
}

function fill(app, item, conversation, { current, typing }) {
  const { words } = app;
  const button = item.firstChild ?? item.appendChild(h("button", { type: "button", class: "row", on: { click: () => app.select(conversation.id) } }));
  mark(button, "unread", conversation.unread > 0);
  mark(button, "closed", conversation.status === "closed");
  if (current) button.setAttribute("aria-current", "true");
  else button.removeAttribute("aria-current");
  const at = new Date(conversation.last_at);
  const lost = lostSend(conversation);
  button.replaceChildren(...present([
    face(conversation, words),
    h("span", { class: "row-name", dir: "auto" }, ...nameViews(conversation, words)),
    h("span", { class: "hidden" }, `, ${channelName(conversation.channel, words)}, `),
    h("time", { class: "row-time", datetime: conversation.last_at, title: words.full(at) }, words.when(at)),
    h("span", { class: "row-preview", dir: "auto", data: { typing } }, typing ? words.t("typing", { name: nameOf(conversation, words) }) : preview(conversation, words)),
    lost && h("span", { class: "row-lost", data: { status: lost }, title: words.t(`end_list_${lost}`) }, icon(lost === "unknown" ? "question" : "alert"), h("span", { class: "hidden" }, words.t(`end_list_${lost}`))),
    conversation.unread > 0 && h("span", { class: "row-mark count", "aria-label": words.t("unread", { n: conversation.unread }) }, words.number(conversation.unread)),
  ]));
}

/** Of a mail its subject, and how the newest message begins; where that says nothing, where the conversation stands. */
function preview(conversation, words) {
  const { preview: text, preview_kind: kind, subject } = conversation;
  const begins = text && !words.has(`kind_${text}`) ? text : text || kind ? words.t(`kind_${text || kind}`) : "";
  return [isMail(conversation) && subject, begins].filter(Boolean).map(isolated).join(" · ") || about(conversation, words);
}

function debounced(work, ms) {
  let waiting;
  return () => {
    clearTimeout(waiting);
    waiting = setTimeout(work, ms);
  };
}
