// What is said around the reply box: an account that does not work, a refusal, advice, what is being answered.

import { h, mark, present } from "../../dom.js";
import { previewOf } from "../../fold/events.js";
import { icon } from "../../icons.js";
import { writerOf } from "../face.js";
import { meaningOf, remedyOf, whyOf } from "../failure.js";

/** Put `children` there, or nothing; only when `version` says that they differ, so that what is in use stays. */
export function put(node, children, version = null) {
  const shown = present(children);
  node.hidden = shown.length === 0;
  const whole = version === null ? null : `${shown.length} ${version} ${document.documentElement.lang}`;
  if (whole !== null && node.said === whole) return;
  node.said = whole;
  node.replaceChildren(...shown);
}

export function showAccount(app, node, conversation) {
  const { words } = app;
  const account = app.account(conversation);
  const ill = account && !account.healthy;
  const said = ill && `${words.t("account_ill_here", { account: conversation.account, why: meaningOf(words, account.failure) })} ${remedyOf(words, account.failure)}`;
  put(node, [ill && h("p", {}, icon("plug"), h("span", {}, said))], said);
}

export function showRefusal({ words }, node, draft, update) {
  const said = !draft.trouble ? "" : draft.trouble.doubt ? words.t("fate_unknown") : words.t("not_sent", { why: whyOf(words, draft.trouble) });
  mark(node, "doubt", Boolean(draft.trouble?.doubt));
  const dismiss = () => { draft.trouble = null; update(); };
  put(node, [said && h("span", { dir: "auto" }, said), said && h("button", { type: "button", "aria-label": words.t("dismiss"), on: { click: dismiss } }, "×")], said);
}

/** What would be refused, before it is sent. */
export function showAdvice({ words }, node, draft, { unprivate, row }) {
  const said = present([
    row.blocked_at && words.t("box_blocked"),
    row.responder && words.t("box_responder", { name: row.responder }),
    Date.parse(row.braked_until) > Date.now() && words.t("box_braked", { until: words.moment(new Date(row.braked_until)) }),
    unprivate && words.t("private_not_any_more"),
    draft.fitted?.failure && words.t("would_refuse", { why: whyOf(words, draft.fitted.failure) }),
  ]);
  put(node, said.map((one) => h("p", { dir: "auto" }, one)), said.join());
}

export function showAnswered({ words }, node, conversation, { answers, cancel }) {
  const { text, kind } = answers ? previewOf(answers.parts) : {};
  put(node, answers ? [
    icon("answer"),
    h("span", { dir: "auto" }, words.t("answering", { name: writerOf(answers, conversation, words), preview: text ?? words.t(`kind_${kind}`) })),
    h("button", { type: "button", "aria-label": words.t("answering_not"), on: { click: cancel } }, "×"),
  ] : [], answers?.id ?? "");
}
