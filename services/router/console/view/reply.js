// The reply: a draft per conversation, kept while the page is open, and the box that shows the chosen one's.

import { h, present } from "../dom.js";
import { createBox } from "./reply/box.js";
import { alter, draftOf, emptyDraft, settle } from "./reply/draft.js";
import { nameOf } from "./face.js";
import { canAnswer } from "./message.js";

export function createReply(app) {
  const place = document.getElementById("reply");
  const drafts = new Map();
  let box = null;

  function draftFor(id) {
    if (!drafts.has(id)) drafts.set(id, emptyDraft());
    return drafts.get(id);
  }

  function render() {
    const conversation = app.conversations.get(app.selected);
    const version = conversation && `${conversation.id} ${app.words.code} ${nameOf(conversation, app.words)} ${app.mayWrite()}`;
    if (version !== place.entryVersion) {
      place.entryVersion = version;
      box = conversation && app.mayWrite() ? createBox(app, conversation, draftFor(conversation.id)) : null;
      place.replaceChildren(...present([box?.form, conversation && !box && h("p", { class: "soft" }, app.words.t("only_reads"))]));
    }
    if (!box) return;
    const refusal = app.thread?.refusal;
    if (refusal && !refusal.told) {
      draftFor(app.selected).trouble = refusal.failure;
      refusal.told = true;
    }
    box.update();
  }

  /** Take what an event says of a request that was made here; whether it was one. */
  render.settle = (event) => {
    const settled = event.data.request_id && [...drafts.values()].filter((draft) => settle(draft, event)).length > 0;
    if (settled) box?.show();
    return Boolean(settled);
  };
  render.writeAgain = (message) => {
    Object.assign(draftFor(app.selected), draftOf(message));
    box.fill();
  };
  render.answer = (message) => {
    const conversation = app.conversations.get(app.selected);
    if (canAnswer(app, conversation, message)) alter(draftFor(app.selected), { answers: message });
    box?.fill();
  };
  render.focus = () => box?.fill();
  render.escape = () => {
    if (!box || !draftFor(app.selected).answers) return;
    alter(draftFor(app.selected), { answers: null });
    box.update();
  };
  return render;
}
