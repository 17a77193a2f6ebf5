// What can be changed of a message that stands, and who is to have a conversation: buttons where the account can, a window that asks.

import { h, present } from "../dom.js";
import { previewOf } from "../fold/events.js";
import { icon } from "../icons.js";
import { createDialog, form } from "./dialog.js";
import { WORK } from "./work.js";

const COMMON = ["👍", "❤️", "😂", "😮", "😢", "🙏", "🎉", "👀"]; // offered where the channel takes any
const ICONS = { edit: "pencil", delete: "bin", react: "smile", seen: "eye" };
const OURS = new Set(["edit", "delete"]);
const STANDS = new Set([null, "sent", "delivered", "read"]);

/** Gives `app.ask`, which asks and says what came of it, and `app.open`, which asks a person first. */
export function createChanges(app) {
  const { dialog, body, name } = createDialog({ id: "change", title: "change" });
  const told = h("p", { class: "change-trouble", role: "alert", hidden: true });
  let asking = false;

  /** What becomes of it, an event says: the message, the notes of the conversation. */
  app.ask = async (what, value, note = told) => {
    if (asking) return;
    asking = true;
    note.hidden = true;
    const { id, tenant } = app.conversations.get(app.selected);
    try {
      await app.api.ask(id, what, { tenant, ...value });
      dialog.close();
    } catch (error) {
      if (error.status === 401 || error.status === 403) return app.leave(error.status);
      note.textContent = app.words.t("not_sent", { why: app.words.has(`why_${error.code}`) ? app.words.t(`why_${error.code}`) : error.message });
      note.hidden = false;
      if (!dialog.open) show("trouble", []);
    } finally {
      asking = false;
    }
  };

  app.open = (what, subject) => show(what, FORMS[what](app, subject), subject);

  function show(what, views) {
    told.hidden = what !== "trouble";
    name({ t: (key) => app.words.t(key === "change" ? `change_${what}` : key) });
    body.replaceChildren(...views, told);
    if (!dialog.open) dialog.showModal();
    body.querySelector("textarea, input, .primary, .emoji")?.focus();
  }
}

const FORMS = {
  ...WORK,
  edit: (app, message) => {
    const text = h("textarea", { rows: 4, dir: "auto", "aria-label": app.words.t("change_edit") });
    text.value = wordsOf(message);
    return [form(app, "save", () => text.value.trim() && app.ask("edit", { message: message.id, parts: rewritten(message, text.value.trimEnd()) }), text)];
  },
  delete: (app, message) => {
    const { text, kind } = previewOf(message.parts);
    return [form(app, "change_delete", () => app.ask("delete", { message: message.id }), h("p", { class: "before", dir: "auto" }, text ?? app.words.t(`kind_${kind}`)))];
  },
  react: (app, message) => {
    const { reactions = [], one_reaction: one } = app.capabilities(app.conversations.get(app.selected));
    const ours = ownReactions(app, message);
    const choose = (emoji) => app.ask("react", { message: message.id, emoji, removed: ours.has(emoji) });
    const shown = [...new Set([...(reactions.length ? reactions : COMMON), ...ours])];
    const back = ours.size > 0 && h("button", { type: "button", class: "quiet", on: { click: () => app.ask("react", { message: message.id }) } }, app.words.t("react_none"));
    return present([h("div", { class: "emojis", role: "group", "aria-label": app.words.t(one ? "react_one" : "change_react") }, shown.map((emoji) =>
      h("button", { type: "button", class: "emoji", "aria-pressed": String(ours.has(emoji)), on: { click: () => choose(emoji) } }, emoji))), back]);
  },
  pass: (app) => {
    const to = h("input", { maxlength: 200, dir: "auto", "aria-label": app.words.t("pass_to"), placeholder: app.words.t("pass_to") });
    const note = h("textarea", { rows: 2, maxlength: 1000, dir: "auto", "aria-label": app.words.t("pass_note"), placeholder: app.words.t("pass_note") });
    return [form(app, "change_pass", () => app.ask("handover", { action: "pass", to: to.value.trim() || null, note: note.value.trim() || null }), to, note)];
  },
};

/** The buttons of a message: only what its account says it can, and only of what stands there. */
export function changeButtons(app, conversation, message) {
  const can = app.capabilities(conversation)?.changes ?? {};
  const own = message.direction === "outbound";
  const fits = (what) => what in can && (!OURS.has(what) || own) && (what !== "seen" || !(own || message.seen)) && (what !== "edit" || wordsOf(message) !== null);
  if (!app.mayWrite() || message.deleted_at || message.echo || !STANDS.has(message.status)) return [];
  const act = (what) => (what === "seen" ? app.ask("seen", { message: message.id }) : app.open(what, message));
  return Object.keys(ICONS).filter(fits).map((what) =>
    h("button", { type: "button", class: "quiet act", data: { change: what }, on: { click: () => act(what) } }, icon(ICONS[what]), app.words.t(`change_${what}`)));
}

/** Of a message that waits: it is never sent. */
export function cancelButton(app, message) {
  if (!app.mayWrite()) return null;
  return h("button", { type: "button", class: "quiet", data: { change: "cancel" }, on: { click: () => app.ask("cancel", { message: message.id }) } }, icon("bin"), app.words.t("change_cancel"));
}

/** Who is to have the conversation at the provider: given away by who has it, taken from somebody else. */
export function handoverButtons(app, conversation) {
  const can = (app.mayWrite() && app.capabilities(conversation)?.handovers) || [];
  const now = can.filter((action) => (action === "take") === Boolean(conversation.responder));
  const act = (action) => (action === "pass" ? app.open("pass") : app.ask("handover", { action }));
  return now.map((action) => h("button", { type: "button", class: "tag link", data: { handover: action }, on: { click: () => act(action) } }, app.words.t(`change_${action}`)));
}

function ownReactions(app, message) {
  return message.reactions.get(app.conversations.get(app.selected).account) ?? new Set();
}

/** The words that an edit would change; null where there are none. */
function wordsOf({ parts }) {
  const part = parts.find(isWorded);
  return part ? part.text ?? part.caption ?? "" : null;
}

const isWorded = ({ kind, media }) => kind === "text" || kind === "choices" || (kind === "media" && media !== "sticker");

function rewritten({ parts }, text) {
  const at = parts.findIndex(isWorded);
  return parts.map((part, n) => (n !== at ? part : part.kind === "media" ? { ...part, caption: text } : { ...part, text }));
}
