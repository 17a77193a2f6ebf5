// What each channel carries, side by side; each can be tried on the customer's side.

import { h } from "../dom.js";
import { createDialog } from "./dialog.js";
import { channelName } from "./face.js";

const MEANS = { shown: "sign_shown", said: "sign_said", degraded: "sign_degraded", "": "sign_none" };

/** The function that opens it. `canTry(channel)`, `tryOut(channel)`: whether and how the customer's side shows a channel. */
export function createChannels(app, { canTry, tryOut }) {
  const { dialog, body, name } = createDialog({ id: "channels", title: "channels_what" });
  let told = null;

  async function open() {
    name(app.words);
    dialog.showModal();
    try {
      told ??= await app.api.channels();
    } catch ({ message }) {
      return body.replaceChildren(h("p", { class: "empty" }, app.words.t("channels_failed", { why: message })));
    }
    draw();
  }

  function draw() {
    const { words } = app;
    const signs = Object.entries(told.signs).map(([mark, sign]) => h("li", {}, h("span", { class: "sign" }, sign), " ", words.t(MEANS[mark])));
    body.replaceChildren(h("ul", { class: "signs soft" }, signs), ...["in", "out"].map((way) => table(words, way)));
  }

  function table(words, way) {
    const features = told[way];
    const rows = features.map((feature) => h("tr", {}, h("th", { scope: "row" }, words.t(`feature_${feature}`)), told.channels.map((one) => cell(words, one[way][feature]))));
    const grades = told.channels.map((one) => h("td", {}, words.number(Object.values(one[way]).filter((mark) => mark === "shown").length)));
    return h("div", { class: "matrix" }, h("table", {},
      h("caption", {}, words.t(`channels_${way}`)),
      h("thead", {}, h("tr", {}, h("td", {}), told.channels.map((one) => h("th", { scope: "col" }, head(words, one.name))))),
      h("tbody", {}, rows),
      h("tfoot", {}, h("tr", {}, h("th", { scope: "row" }, words.t("channels_grade", { n: features.length })), grades))));
  }

  function head(words, channel) {
    const shown = channelName(channel, words);
    if (!canTry(channel)) return shown;
    return h("button", { type: "button", class: "link", title: words.t("channels_try", { channel: shown }), on: { click: () => { dialog.close(); tryOut(channel); } } }, shown);
  }

  function cell(words, mark) {
    return h("td", { data: { mark: mark || "none" }, title: words.t(MEANS[mark]) }, h("span", { "aria-hidden": "true" }, told.signs[mark]), h("span", { class: "hidden" }, words.t(MEANS[mark])));
  }

  return open;
}
