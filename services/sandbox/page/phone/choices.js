// What the business offers to choose from: keys, a list, or replies beside the field where one writes.

import { button, h } from "../shared/dom.js";
import { icon } from "../shared/icons.js";
import { choice, openSheet } from "../shared/sheet.js";
import { t } from "../shared/words.js";

/** What stands at the message itself. */
export function choicesView(view, chat) {
  const choices = view.choices ?? [];
  if (!choices.length || (chat.offers === "beside" && areQuick(view))) return null;
  const shown = view.list ? [listButton(view, chat)] : choices.map((one) => key(view, one, chat));
  return h("div", { class: "choices" }, ...shown);
}

function key(view, one, chat) {
  if (!one.url) return button(h("span", { dir: "auto" }, one.title), () => chat.press(view, one), { "aria-busy": one.busy && "true" });
  return h("a", { href: safe(one.url), target: "_blank", rel: "noopener noreferrer" }, icon("out"), h("span", { dir: "auto" }, one.title));
}

/** Only addresses of the web may be followed. */
const safe = (url) => (/^https?:\/\//i.test(url) ? url : null);

function listButton(view, chat) {
  const open = () =>
    openSheet(t("choose"), (close) => view.choices.map((one) => choice(close, { picture: "circle", words: one.title, detail: one.description, act: () => chat.press(view, one) })));
  return button([icon("list"), h("span", {}, t("choose"))], open, { "aria-haspopup": "dialog" });
}

const areQuick = (view) => (view.style ? view.style === "quick_replies" : !view.choices.some(({ url }) => url));

/** The quick replies of a chat: those of the newest message, until something was answered. */
export function quickReplies(newest, chat) {
  if (chat.offers !== "beside" || !newest || newest.mine || newest.removed || !newest.choices?.length || !areQuick(newest)) return [];
  return newest.choices.map((one) => button(h("span", { dir: "auto" }, one.title), () => chat.press(newest, one)));
}
