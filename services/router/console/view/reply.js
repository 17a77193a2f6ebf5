// The reply box: a draft per conversation, attachments, the channel's limits, and why something was refused.

import { h, mark } from "../dom.js";
import { icon } from "../icons.js";
import { measure } from "../limits.js";
import { nameOf } from "./face.js";
import { whyOf } from "./thread.js";

const TYPING_EVERY = 4_000; // ms
const MONTH = 30 * 24 * 3600 * 1000; // ms; a window that long is as good as open

export function createReply(app) {
  const box = document.getElementById("reply");
  const drafts = new Map();
  let view = null;

  function draftOf(id) {
    if (!drafts.has(id)) drafts.set(id, emptyDraft());
    return drafts.get(id);
  }

  function render() {
    const conversation = app.conversations.get(app.selected);
    const version = conversation && `${conversation.id} ${app.words.code} ${nameOf(conversation, app.words)}`;
    if (version !== box.entryVersion) {
      box.entryVersion = version;
      view = conversation ? build(app, conversation, draftOf(conversation.id)) : null;
      box.replaceChildren(...(view ? [view.form] : []));
    }
    if (!view) return;
    const refusal = app.thread?.refusal;
    if (refusal && !refusal.told) {
      draftOf(app.selected).trouble = refusal.failure;
      refusal.told = true;
    }
    view.update(app.conversations.get(app.selected));
  }

  render.writeAgain = (message) => {
    const draft = draftOf(app.selected);
    const text = message.parts.find((part) => part.kind === "text")?.text ?? "";
    Object.assign(draft, emptyDraft(), { text, files: message.parts.filter((part) => part.kind === "media") });
    view.fill();
  };
  return render;
}

/** `key`: the same draft keeps it however often it is tried, so that it becomes one message. */
function emptyDraft() {
  return { text: "", files: [], uploading: [], trouble: null, key: crypto.randomUUID(), sending: false, typed_at: 0 };
}

function build(app, conversation, draft) {
  const { words } = app;
  const text = h("textarea", { id: "reply-text", rows: 1, dir: "auto", "aria-label": words.t("reply_to", { name: nameOf(conversation, app.words) }), placeholder: words.t("reply_to", { name: nameOf(conversation, app.words) }), "aria-describedby": "reply-foot", enterkeyhint: "send" });
  const file = h("input", { type: "file", class: "hidden", multiple: true, "aria-label": words.t("attach") });
  const send = h("button", { class: "primary send", "aria-label": words.t("send"), title: words.t("send") }, icon("send"));
  const refusal = h("div", { class: "refusal", role: "alert", hidden: true });
  const chips = h("div", { class: "chips", hidden: true });
  const foot = h("p", { class: "reply-foot", id: "reply-foot" });
  const line = h("div", { class: "reply-line" }, h("label", { class: "attach", title: words.t("attach") }, icon("clip"), file), text, send);
  const form = h("form", {}, refusal, chips, line, foot);

  function update(now = app.conversations.get(conversation.id) ?? conversation) {
    showRefusal(app, refusal, draft, update);
    showChips(app, chips, draft, update);
    showFoot(app, foot, now, draft);
    send.disabled = draft.sending || draft.uploading.length > 0 || !(draft.text.trim() || draft.files.length);
    grow(text);
  }

  function fill() {
    text.value = draft.text;
    update();
    text.focus();
  }

  text.addEventListener("input", () => {
    draft.text = text.value;
    draft.key = crypto.randomUUID();
    announceTyping(app, conversation, draft);
    update();
  });
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (!send.disabled) form.requestSubmit();
  });
  text.addEventListener("paste", (event) => attach([...event.clipboardData.files]));
  file.addEventListener("change", () => { attach([...file.files]); file.value = ""; });
  form.addEventListener("submit", (event) => { event.preventDefault(); submit(); });

  async function attach(files) {
    for (const one of files) {
      draft.uploading.push(one.name);
      update();
      try {
        draft.files.push(asPart(await app.api.upload(one, conversation.tenant)));
        draft.key = crypto.randomUUID();
      } catch (error) {
        draft.trouble = { code: error.code, detail: error.detail ?? error.message };
      }
      draft.uploading = draft.uploading.filter((name) => name !== one.name);
      update();
    }
  }

  async function submit() {
    const parts = [...(draft.text.trim() ? [{ kind: "text", text: draft.text.trimEnd() }] : []), ...draft.files];
    if (!parts.length || draft.sending) return;
    draft.sending = true;
    draft.trouble = null;
    update();
    try {
      const answer = await app.api.reply(conversation.id, { tenant: conversation.tenant, parts }, draft.key);
      Object.assign(draft, emptyDraft());
      text.value = "";
      app.asked(conversation.id, answer, parts);
    } catch (error) {
      draft.trouble = { code: error.code ?? "unknown", detail: error.code === "offline" ? "" : error.message };
      draft.sending = false;
    }
    update();
  }

  text.value = draft.text;
  queueMicrotask(update);
  return { form, update, fill };
}

function asPart({ blob, mime_type, size, sha256, name }) {
  const kind = mime_type.split("/")[0];
  return { kind: "media", media: ["image", "audio", "video"].includes(kind) ? kind : "file", state: "stored", blob, mime_type, size, sha256, name: name || null };
}

function showRefusal(app, node, draft, update) {
  const said = draft.trouble ? app.words.t("not_sent", { why: whyOf(app.words, draft.trouble) }) : "";
  if (node.said === said) return;
  node.said = said;
  node.hidden = !said;
  node.replaceChildren(h("span", { dir: "auto" }, said), h("button", { type: "button", "aria-label": app.words.t("dismiss"), on: { click: () => { draft.trouble = null; update(); } } }, "×"));
}

function showChips(app, node, draft, update) {
  const { words } = app;
  node.hidden = !(draft.files.length || draft.uploading.length);
  const ready = draft.files.map((part, at) => {
    const name = part.name || words.t(`kind_${part.media}`);
    const remove = () => { draft.files.splice(at, 1); draft.key = crypto.randomUUID(); update(); };
    return h("span", { class: "chip" }, h("span", { dir: "auto" }, name), h("button", { type: "button", "aria-label": words.t("remove", { name }), on: { click: remove } }, "×"));
  });
  node.replaceChildren(...ready, ...draft.uploading.map((name) => h("span", { class: "chip" }, h("span", {}, words.t("uploading", { name })))));
}

function showFoot(app, node, conversation, draft) {
  const { words } = app;
  const capabilities = app.capabilities(conversation);
  const children = [h("span", {}, windowText(words, conversation.window) || words.t("reply_hint"))];
  if (capabilities?.text && draft.text) {
    const length = measure(draft.text, capabilities.unit);
    const pieces = Math.ceil(length / capabilities.text);
    const counter = h("span", { class: "counter" }, words.t("counter", { n: words.number(length), limit: words.number(capabilities.text) }));
    mark(counter, "over", pieces > 1);
    if (pieces > 1) counter.append(` · ${words.t("counter_pieces", { n: pieces })}`);
    children.push(counter);
  }
  node.replaceChildren(...children);
}

/** What may be written until when; nothing for a channel whose window is always open. */
function windowText(words, window) {
  const allows = window?.allows ?? ["free_text"];
  const until = window?.until ? new Date(window.until) : null;
  if (until && until < Date.now()) return words.t("window_closed", { time: words.soon(until) });
  if (!allows.includes("free_text")) return words.t("window_template");
  return until && until - Date.now() < MONTH ? words.t("window_open", { time: words.soon(until) }) : "";
}

function announceTyping(app, conversation, draft) {
  if (!draft.text || Date.now() - draft.typed_at < TYPING_EVERY || !app.capabilities(conversation)?.typing) return;
  draft.typed_at = Date.now();
  app.api.typing(conversation.id, { tenant: conversation.tenant }).catch(() => {});
}

function grow(text) {
  if (CSS.supports("field-sizing", "content")) return;
  text.style.height = "auto";
  text.style.height = `${Math.min(text.scrollHeight + 2, 160)}px`;
}
