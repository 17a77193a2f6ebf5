// One message: whose it is, what it holds, what became of it.

import { h, mark, present } from "../dom.js";
import { previewOf } from "../fold/events.js";
import { answeredBy, furthestPieces } from "../fold/thread.js";
import { icon } from "../icons.js";
import { cancelButton, changeButtons } from "./changes.js";
import { contextViews } from "./context.js";
import { detailOf, meaningOf } from "./failure.js";
import { isPublic, isShared, writerOf } from "./face.js";
import { mailLines } from "./mail.js";
import { partViews } from "./parts.js";

const STATUS_ICONS = { asked: "clock", queued: "clock", scheduled: "clock", unknown: "question", sent: "check", delivered: "checks", read: "checks", failed: "alert", refused: "alert", cancelled: "alert", expired: "alert" };
const ENDED = new Set(["failed", "refused", "expired", "cancelled", "unknown"]); // worth more than a mark: why, and what now

export function fillMessage(app, node, conversation, message) {
  const { words } = app;
  node.className = "message";
  for (const name of ["direction", "status", "surface"]) mark(node, name, message[name]);
  mark(node, "covered", message.hidden);
  mark(node, "flagged", Boolean(message.flagged));
  node.setAttribute("aria-label", `${writerOf(message, conversation, words)}, ${words.full(new Date(message.at))}`);
  node.onfocus = () => app.selectMessage(message.id);
  node.replaceChildren(...present([
    authorLine(app, conversation, message),
    message.flagged && h("p", { class: "flag", role: "note" }, icon("alert"), words.t(`flagged_${message.flagged}`, { address: message.sender?.address ?? "" })),
    bubbleOf(app, node, conversation, message),
    message.reactions.size > 0 && reactions(app, message),
    foot(app, node, conversation, message),
    ENDED.has(message.status) && ending(app, message),
  ]));
}

/** Who wrote: always where many may; elsewhere only what is not clear from its side. */
function authorLine(app, conversation, message) {
  const { words } = app;
  const own = message.direction === "outbound";
  const among = isShared(message) && !own;
  const marks = present([
    message.way === "private" && h("span", { class: "mark" }, icon("lock"), words.t("private")),
    message.way === "human_agent" && h("span", { class: "mark" }, icon("person"), words.t("by_person")),
    message.hidden && h("span", { class: "mark", data: { tone: "warn" } }, icon("hidden"), words.t("hidden")),
  ]);
  const name = message.echo ? words.t("from_elsewhere") : (own && message.author) || ((among || message.flagged) && writerOf(message, conversation, words));
  if (!name && !marks.length) return null;
  return h("p", { class: "author", dir: "auto" }, h("bdi", {}, name || ""), ...marks);
}

/** Made anew only when what it holds has changed: whoever listens or reads on is not interrupted by a receipt. */
function bubbleOf(app, node, conversation, message) {
  const holds = [message.parts, message.deleted_at, app.words.code];
  if (node.holds?.every((one, at) => one === holds[at])) return node.querySelector(".bubble");
  node.holds = holds;
  return h("div", { class: "bubble", on: { click: () => app.selectMessage(message.id) } }, content(app, conversation, message));
}

function content(app, conversation, message) {
  if (message.deleted_at) return h("p", { class: "deleted" }, app.words.t(isPublic(message) ? "removed" : "deleted"));
  return [
    message.surface === "email" && mailLines(app, conversation, message),
    message.surface !== "email" && answered(app, conversation, message),
    ...contextViews(app, conversation, message),
    ...partViews(app, message),
  ];
}

/** What this message answers, in a line. */
function answered(app, conversation, message) {
  const other = answeredBy(app.thread, message);
  if (!other) return null;
  if (!other.id) return h("p", { class: "answered", data: { lost: true } }, app.words.t("answers_elsewhere"));
  const { text, kind } = previewOf(other.parts);
  const go = (event) => { event.stopPropagation(); app.selectMessage(other.id); app.bring(other.id); };
  return h("button", { type: "button", class: "answered", on: { click: go } },
    h("b", { dir: "auto" }, writerOf(other, conversation, app.words)), h("span", { dir: "auto" }, other.deleted_at ? app.words.t("deleted") : text ?? app.words.t(`kind_${kind}`)));
}

function reactions(app, message) {
  const counted = new Map();
  for (const shown of message.reactions.values()) for (const emoji of shown) counted.set(emoji, (counted.get(emoji) ?? 0) + 1);
  const said = [...counted].map(([emoji, n]) => h("span", {}, emoji, n > 1 && h("small", {}, app.words.number(n))));
  return h("p", { class: "reactions", "aria-label": app.words.t("reactions") }, said);
}

function foot(app, node, conversation, message) {
  const { words } = app;
  const at = new Date(message.at);
  const waits = message.status === "scheduled";
  return h("div", { class: "foot" }, present([
    message.earlier.length > 0 && earlierTexts(words, node, "edited", message.earlier),
    message.deleted_at && earlierTexts(words, node, "deleted_before", [{ parts: message.parts, at: message.at }]),
    h("time", { datetime: message.at, title: words.full(at) }, waits ? words.moment(at) : words.time(at)),
    message.status && h("span", { class: "status", data: { status: message.status } }, icon(STATUS_ICONS[message.status] ?? "question"), statusOf(words, message)),
    waits && h("span", { class: "left", "aria-live": "off" }),
    waits && message.why && h("span", {}, words.t(`scheduled_${message.why}`)),
    waits && cancelButton(app, message),
    canAnswer(app, conversation, message) && h("button", { type: "button", class: "quiet act", on: { click: () => app.answer(message) } }, icon("answer"), words.t("answer_this")),
    ...changeButtons(app, conversation, message),
  ]));
}

/** Of a message in several pieces, how many are as far as the furthest: it is as far as its slowest. */
function statusOf(words, message) {
  const some = furthestPieces(message);
  return some ? words.t("sent_pieces", { status: words.t(`sent_${some.status}`), n: some.n, all: some.all }) : words.t(`sent_${message.status}`);
}

/** How long until it is due; in its place, so that who stands on the button beside it goes on standing there. */
export function sayLeft({ words }, node, { at, status }) {
  const place = node.querySelector(".left");
  if (!place || status !== "scheduled") return;
  const left = Date.parse(at) - Date.now();
  const said = left > 0 ? words.t("scheduled_left", { left: words.left(left) }) : words.t("scheduled_due");
  if (place.textContent !== said) place.textContent = said;
}

/** A channel that shows what is answered, and a message that it knows by a name. */
export function canAnswer(app, conversation, message) {
  return app.mayWrite() && Boolean(message.external) && !message.deleted_at && message.surface !== "email" && Boolean(app.capabilities(conversation)?.reply_to || isPublic(message));
}

/** Why it did not arrive, or may not have; and the same again, as a new request. */
function ending(app, message) {
  const { words } = app;
  const certain = message.status !== "unknown" && message.failure;
  return h("div", { class: "ending", data: { status: message.status } },
    h("p", {}, words.t(`end_${message.status}`, { why: meaningOf(words, message.failure) }), certain ? " " : "", detailOf(message.failure)),
    app.mayWrite() ? h("button", { type: "button", class: "quiet", on: { click: () => app.writeAgain(message) } }, icon("again"), words.t("send_again")) : "");
}

/** As open as it was in `node`, the message until now: a reaction or a receipt does not close it on whoever reads it. */
function earlierTexts(words, node, kind, earlier) {
  const open = node.querySelector(`details[data-kind=${kind}]`)?.open;
  const texts = earlier.map(({ parts, at }) => {
    const { text, kind } = previewOf(parts);
    return h("p", { class: "before", dir: "auto" }, h("span", { class: "soft" }, words.t("edited_before", { time: words.time(new Date(at)) }), " "), text ?? words.t(`kind_${kind}`));
  });
  return h("details", { open, data: { kind } }, h("summary", {}, words.t(kind)), ...texts);
}
