// The controls of the reply box, made once per conversation and language.

import { h } from "../../dom.js";
import { icon } from "../../icons.js";
import { keptAuthor } from "../../keep.js";
import { nameOf } from "../face.js";

const PLACES = ["account", "refusal", "advice", "answering", "privacy", "foot"];

/** `places`: what is said around the box, each empty and hidden while there is nothing to say. */
export function createControls({ words }, conversation, template) {
  const label = words.t("reply_to", { name: nameOf(conversation, words) });
  const text = h("textarea", { id: "reply-text", rows: 1, dir: "auto", "aria-label": label, placeholder: label, "aria-describedby": "reply-foot", enterkeyhint: "send" });
  const file = h("input", { type: "file", class: "hidden", multiple: true, "aria-label": words.t("attach") });
  const clip = h("label", { class: "tool", title: words.t("attach") }, icon("clip"), file);
  const byTemplate = h("button", { type: "button", class: "tool", "aria-label": words.t("template_form"), title: words.t("template_form") }, icon("form"));
  const offer = h("button", { type: "button", class: "tool", "aria-label": words.t("offer"), title: words.t("offer") }, icon("list"));
  const options = h("textarea", { class: "offered", rows: 2, dir: "auto", hidden: true, maxlength: 2000, "aria-label": words.t("offer_lines"), placeholder: words.t("offer_lines") });
  const send = h("button", { class: "primary send", "aria-label": words.t("send"), title: words.t("send") }, icon("send"));
  const author = h("input", {
    class: "name", value: keptAuthor(), maxlength: 120, autocomplete: "name", dir: "auto",
    "aria-label": words.t("your_name"), placeholder: words.t("your_name"), title: words.t("your_name_why"),
  });
  const chips = h("ul", { class: "chips", hidden: true });
  const places = Object.fromEntries(PLACES.map((name) => [name, h("div", { class: name, hidden: true })]));
  places.refusal.setAttribute("role", "alert");
  places.advice.setAttribute("role", "status");
  places.foot.id = "reply-foot";
  const form = h("form", {},
    places.account, places.refusal, places.answering, places.privacy, template.box, chips, places.advice, options,
    h("div", { class: "reply-line" }, clip, byTemplate, offer, text, send), h("div", { class: "reply-foot" }, places.foot, author));
  return { form, text, file, clip, byTemplate, offer, options, send, author, chips, places };
}

/** As tall as what it holds, where the browser does not see to it. */
export function grow(text) {
  if (CSS.supports("field-sizing", "content")) return;
  text.style.height = "auto";
  text.style.height = `${Math.min(text.scrollHeight + 2, 160)}px`;
}
