// One conversation's reply box at work: it shows its draft, takes what is typed and dropped, and sends it.

import { isUncertain } from "../../api.js";
import { mark } from "../../dom.js";
import { newestWritten } from "../../fold/thread.js";
import { keepAuthor } from "../../keep.js";
import { measure } from "../../limits.js";
import { createControls, grow } from "./controls.js";
import { alter, doubt, emptyDraft, partsOf, requestOf } from "./draft.js";
import { attach, showFiles } from "./files.js";
import { counter, hint, limitsOf, mayAnswerPrivately, privacySwitch, stateOf } from "./foot.js";
import { put, showAccount, showAdvice, showAnswered, showRefusal } from "./notices.js";
import { emptyTemplate, templateForm } from "./template.js";

const TYPING_EVERY = 4_000; // ms
const FIT_AFTER = 300; // ms without a key
const TAKES = new Set(["open", "free", "human"]);

export function createBox(app, conversation, draft) {
  const template = templateForm(app, draft, () => update());
  const controls = createControls(app, conversation, template);
  const { form, text, author, places } = controls;
  const now = () => app.conversations.get(conversation.id) ?? conversation;
  const named = () => author.value.trim();
  let fitting;

  function update() {
    const row = now();
    const { kind } = stateOf(row, Date.now());
    const limits = limitsOf(app, row, draft);
    if (kind === "template") draft.template ??= emptyTemplate(app.words);
    else if (limits?.template === "refused") draft.template = null;
    showAccount(app, places.account, row);
    showRefusal(app, places.refusal, draft, update);
    const unprivate = draft.private && !mayAnswerPrivately(app, row, draft);
    showAdvice(app, places.advice, draft, { unprivate, row });
    showAnswered(app, places.answering, row, { answers: draft.answers, cancel: () => change({ answers: null }) });
    put(places.privacy, [privacySwitch(app, row, draft, update)], `${draft.private} ${limits?.private_reply} ${mayAnswerPrivately(app, row, draft)} ${row.window?.private_until} ${new Date().getMinutes()}`);
    showFiles(app, controls.chips, { draft, update });
    template.show();
    put(places.foot, [hint(app, row), counter(app, row, draft)]);
    enable(kind, limits, unprivate);
    grow(text);
    considerFit(limits);
  }

  function enable(kind, limits, unprivate) {
    const asTemplate = Boolean(draft.template);
    controls.byTemplate.hidden = limits?.template !== "full" || !TAKES.has(kind);
    controls.byTemplate.setAttribute("aria-pressed", String(asTemplate));
    controls.clip.hidden = text.hidden = asTemplate;
    controls.offer.hidden = asTemplate || !TAKES.has(kind) || !limits || limits.choices === "refused";
    controls.offer.setAttribute("aria-pressed", String(draft.options !== null));
    controls.options.hidden = asTemplate || draft.options === null;
    if (controls.options.value !== (draft.options ?? "")) controls.options.value = draft.options ?? "";
    text.disabled = controls.file.disabled = !TAKES.has(kind);
    text.readOnly = draft.sending;
    mark(form, "kind", kind);
    const ready = partsOf(draft).length > 0 && !unprivate && !draft.sending && draft.uploading.length === 0;
    controls.send.disabled = !ready || !(TAKES.has(kind) || (kind === "template" && asTemplate));
  }

  function change(what) {
    alter(draft, what);
    update();
  }

  /** The draft as it is now, wherever the focus may be. */
  function show() {
    if (text.value !== draft.text) text.value = draft.text;
    update();
  }

  function fill() {
    show();
    if (draft.template) template.focus();
    else text.focus();
  }

  /** What the channel would make of it, asked of the router where it is not plain. */
  function considerFit(limits) {
    const version = `${draft.key} ${draft.private}`;
    if (draft.fit_version === version) return;
    Object.assign(draft, { fit_version: version, fitted: null });
    clearTimeout(fitting);
    const parts = partsOf(draft);
    const plain = !draft.options && !draft.files.length && !draft.template && measure(draft.text, limits?.unit) <= (limits?.text ?? Infinity);
    if (!parts.length || plain) return;
    fitting = setTimeout(async () => {
      const fitted = await app.api.fit(conversation.id, { parts, private: draft.private }).catch(() => null);
      if (draft.fit_version !== version) return;
      draft.fitted = fitted;
      update();
    }, FIT_AFTER);
  }

  async function submit() {
    if (!partsOf(draft).length || draft.sending) return;
    const { key } = draft;
    const body = requestOf(draft, { tenant: conversation.tenant, author: named() });
    const asked = askedOf(app, draft, body, now());
    Object.assign(draft, { sending: true, refused: null, trouble: null });
    update();
    try {
      const answer = await app.api.reply(conversation.id, body, key);
      const { refused } = draft;
      if (draft.key === key) Object.assign(draft, emptyDraft());
      app.asked(conversation.id, answer, { asked, refused });
    } catch (error) {
      if (draft.key !== key) return; // its event came first
      if (isUncertain(error)) doubt(draft, key);
      else draft.trouble = { code: error.code ?? "unknown", detail: error.message };
    }
    draft.sending = false;
    show();
  }

  const take = (files) => attach(app, draft, { files, tenant: conversation.tenant, update });
  listen(controls, {
    take, submit, typed: () => { change({ text: text.value }); announceTyping(app, conversation, draft); },
    named: () => keepAuthor(named()),
    offered: () => change({ options: controls.options.value }),
    offering: () => { change({ options: draft.options === null ? "" : null }); if (draft.options !== null) controls.options.focus(); },
    switched: () => { alter(draft, { template: draft.template ? null : emptyTemplate(app.words) }); fill(); },
  });
  text.value = draft.text;
  queueMicrotask(update);
  return { form, update, show, fill };
}

function listen({ form, text, file, byTemplate, offer, options, send, author }, { take, submit, typed, named, switched, offering, offered }) {
  offer.addEventListener("click", offering);
  options.addEventListener("input", offered);
  text.addEventListener("input", typed);
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (!send.disabled) form.requestSubmit();
  });
  text.addEventListener("paste", (event) => take([...event.clipboardData.files]));
  form.addEventListener("dragover", (event) => event.preventDefault());
  form.addEventListener("drop", (event) => { event.preventDefault(); take([...event.dataTransfer.files]); });
  form.addEventListener("submit", (event) => { event.preventDefault(); submit(); });
  file.addEventListener("change", () => { take([...file.files]); file.value = ""; });
  author.addEventListener("input", named);
  byTemplate.addEventListener("click", switched);
}

/** The message as it is shown until the router announces it. */
function askedOf(app, draft, { parts, author = null }, { surface = "direct" }) {
  const newest = draft.private ? newestWritten(app.thread)?.external : null; // which is what a private answer goes to
  return { parts, author, surface, reply_to: draft.answers?.external ?? newest ?? null, way: draft.private ? "private" : "free_text" };
}

function announceTyping(app, conversation, draft) {
  if (!draft.text || Date.now() - draft.typed_at < TYPING_EVERY || !app.capabilities(conversation)?.typing) return;
  draft.typed_at = Date.now();
  app.api.typing(conversation.id, { tenant: conversation.tenant }).catch(() => {});
}
