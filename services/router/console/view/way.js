// The way of the chosen message, or of the newest one, with milliseconds from its first step.

import { h, mark, reconcile } from "../dom.js";
import { previewOf } from "../fold/events.js";
import { wayOf } from "../fold/way.js";
import { writerOf } from "./face.js";

const LONG = 120_000; // ms

export function createWay(app) {
  const list = document.getElementById("steps");
  const about = document.getElementById("way-of");

  return function render() {
    const { words } = app;
    const message = app.wayMessage();
    const conversation = app.conversations.get(app.selected);
    about.textContent = message ? aboutText(words, conversation, message) : "";
    const steps = message ? wayOf(message) : [];
    if (!steps.length) return reconcile(list, [emptyEntry(words, message ? "way_unknown" : "way_none")]);
    if (message.records.some((record) => !record.published_at)) app.loadTimes(message);
    const gone = message.times_gone ? [goneEntry(words)] : [];
    reconcile(list, [...steps.map((step, at) => stepEntry(words, message, step, at, news(words, steps, at))), ...gone]);
  };
}

function aboutText(words, conversation, message) {
  const { text, kind } = previewOf(message.parts);
  return words.t("way_of", { name: writerOf(message, conversation, words), preview: text ?? words.t(`kind_${kind}`) });
}

function emptyEntry(words, key) {
  return { key, version: words.code, tag: "li", fill: (node) => { node.className = "empty"; node.textContent = words.t(key); } };
}

function goneEntry(words) {
  return { key: "gone", version: words.code, tag: "li", fill: (node) => { node.className = "gone"; node.textContent = words.t("way_gone", { place: words.t("place_events") }); } };
}

function stepEntry(words, message, step, at, said) {
  return {
    key: `${message.id}-${at}-${step.place}`,
    version: JSON.stringify([step, said, words.code]),
    tag: "li",
    fill: (node) => {
      node.className = "step";
      mark(node, "place", step.place);
      mark(node, "tone", ["provider", "events"].includes(step.place) && step.tells.some(({ status }) => status === "failed") && "bad");
      node.title = new Date(step.at).toISOString();
      node.replaceChildren(
        ...(at ? [h("span", { class: "step-gap" }, `+ ${milliseconds(words, step.gap)}`)] : []),
        h("p", { class: "step-name" }, words.t(`place_${step.place}`)),
        h("p", { class: "step-time" }, step.since >= LONG ? milliseconds(words, step.since) : words.t("since", { ms: milliseconds(words, step.since) })),
        h("p", { class: "step-detail" }, said),
      );
    },
  };
}

/** Which news of the message begins its way here: where it goes on, it is not said again. */
function news(words, steps, at) {
  const said = detail(words, steps[at]);
  return said === (at ? detail(words, steps[at - 1]) : "") ? "" : said;
}

/** Its own announcement needs no word, and what is on its way out has no outcome yet. */
function detail(words, { place, tells }) {
  if (place === "outbound") return "";
  const keys = tells.map(({ type, status }) => (status ? `sent_${status}` : `about_${type}`));
  return [...new Set(keys)].filter(words.has).map((key) => words.t(key)).join(" · ");
}

/** Times of a way are milliseconds, until they are those of a person who took their time. */
function milliseconds(words, value) {
  if (value >= LONG) return words.left(value);
  return words.number(value, { maximumFractionDigits: value < 10 ? 1 : 0 });
}
