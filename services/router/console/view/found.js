// Messages in which the words stand that somebody looks for: each opens its conversation there.

import { h, present } from "../dom.js";
import { isolated, unturned } from "../plain.js";
import { channelName, face, nameViews } from "./face.js";

/** Entries of the list, below the conversations that are called so. */
export function foundEntries(app) {
  const { words, found } = app;
  if (!found?.messages.length) return [];
  const head = { key: "found", version: words.code, tag: "li", fill: (item) => item.replaceChildren(h("p", { class: "found-head" }, words.t("found_messages"))) };
  return [head, ...found.messages.map((one) => ({
    key: `found ${one.id}`, version: words.code, tag: "li", fill: (item) => item.replaceChildren(row(app, unturned(one))),
  }))];
}

function row(app, one) {
  const { words } = app;
  const at = new Date(one.at);
  return h("button", { type: "button", class: "hit", data: { message: one.id }, on: { click: () => app.openAt(one) } }, present([
    face({ ...one, id: one.conversation }, words),
    h("span", { class: "row-name", dir: "auto" }, ...nameViews(one, words)),
    h("span", { class: "hidden" }, `, ${channelName(one.channel, words)}, `),
    h("time", { class: "row-time", datetime: one.at, title: words.full(at) }, words.when(at)),
    h("span", { class: "row-found", dir: "auto" }, ...one.excerpt.map(({ text, found }) => (found ? h("mark", {}, text) : isolated(text)))),
  ]));
}
