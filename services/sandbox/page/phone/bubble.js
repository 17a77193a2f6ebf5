// One message as a bubble. Everything that came over the wire goes in as text.

import { button, h, unseen } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { isWide, mediaView } from "../shared/media.js";
import { t, time } from "../shared/words.js";
import { choicesView } from "./choices.js";

/** The list item of a view; `chat` has name, find(id), file(id), press(view, choice), open(view) and offers. */
export function bubble(view, chat) {
  const content = view.removed ? [h("p", { class: "gone" }, icon("ban"), t("removed"))] : body(view, chat);
  const said = h("div", { class: "bubble", data: { wide: isWide(view) && !view.removed } }, unseen(`${view.mine ? t("you") : chat.name}: `), ...content);
  const options = button(icon("more"), () => chat.open(view), { class: "options", tabindex: -1, "aria-label": t("message_options") });
  const keydown = (event) => {
    if (event.key !== "Enter" || event.target !== event.currentTarget) return;
    event.preventDefault(); // or it presses what the sheet puts the focus on
    chat.open(view);
  };
  return h(
    "li",
    { class: view.mine ? "mine" : "theirs", id: `m-${view.id}`, tabindex: -1, on: { keydown } },
    h("div", { class: "line" }, said, view.removed ? null : options),
    reactions(view),
    view.removed ? null : choicesView(view, chat),
  );
}

function body(view, chat) {
  return [
    quoted(view, chat),
    view.media && mediaView(view, chat.file),
    view.location && place(view.location),
    view.contact && card(view.contact),
    view.template && h("p", { class: "kind" }, t("template")),
    ...words(view),
    foot(view),
  ].filter(Boolean);
}

/** What a message says in one line. */
export function summary(view) {
  if (view.removed) return t("removed");
  if (view.text || view.caption) return view.text || view.caption;
  if (view.media) return view.media.name || t(`media_${view.media.kind}`);
  if (view.location) return view.location.name || t("location");
  return view.contact?.name || t("message");
}

function words({ text, caption, template }) {
  const said = text || caption || template?.text;
  return said ? [h("p", { class: "text", dir: "auto" }, ...linked(said))] : [];
}

const LINK = /\bhttps?:\/\/[^\s<>"]+/g;

function linked(text) {
  const parts = [];
  let end = 0;
  for (const { 0: found, index } of text.matchAll(LINK)) {
    parts.push(text.slice(end, index), h("a", { href: found, target: "_blank", rel: "noopener noreferrer" }, found));
    end = index + found.length;
  }
  return [...parts, text.slice(end)];
}

function quoted({ reply_to: id }, chat) {
  if (id === null || id === undefined) return null;
  const original = chat.find(id);
  const show = () => document.getElementById(`m-${id}`)?.focus();
  const who = original ? h("b", {}, original.mine ? t("you") : chat.name) : null;
  return button([who, h("span", { dir: "auto" }, original ? summary(original) : t("earlier_message"))], show, { class: "quoted", "aria-label": `${t("answer_to")}: ${original ? summary(original) : t("earlier_message")}` });
}

function place({ latitude, longitude, name, address }) {
  const where = `${latitude.toFixed(5)}, ${longitude.toFixed(5)}`;
  const words = h("span", { class: "file-words" }, h("span", { dir: "auto" }, name || t("location")), h("small", { dir: "auto" }, [address === name ? null : address, where].filter(Boolean).join(" · ")));
  return h("div", { class: "place" }, h("span", { class: "map", "aria-hidden": "true" }, icon("pin")), words);
}

function card({ name, phone, email }) {
  const detail = [phone, email].filter(Boolean).join(" · ");
  return h("div", { class: "card" }, icon("person"), h("span", { class: "file-words" }, h("span", { dir: "auto" }, name), detail && h("small", { dir: "ltr" }, detail)));
}

function reactions({ reactions: given, removed }) {
  if (!given.length || removed) return null;
  return h("p", { class: "reactions" }, unseen(`${t("reactions")}: `), given.join(" "));
}

function foot({ at, edited }) {
  const when = new Date(at);
  return h("p", { class: "foot" }, edited && h("span", {}, t("edited")), h("time", { datetime: when.toISOString() }, time(when)));
}
