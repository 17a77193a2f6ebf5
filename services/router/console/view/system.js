// The parts of the system in words: Kafka, PostgreSQL, each service; which of them does not work, and what that means.

import { h, mark, reconcile } from "../dom.js";

const ILL = new Set(["away", "absent"]);

export const isIll = ({ state }) => ILL.has(state);

/** What it means for whoever works here that a part is not there. */
export function meaningOfIllness({ words }, { name, state }) {
  return words.t(words.has(`part_${state}_${name}`) ? `part_${state}_${name}` : `part_${state}`, { name: partName(words, name) });
}

/** Fill a list with all parts, those that do not work first. */
export function showParts(app, list) {
  const all = [...app.parts].sort((one, other) => isIll(other) - isIll(one));
  reconcile(list, all.map((part) => entry(app, part)));
}

function entry(app, part) {
  const { words } = app;
  return {
    key: part.name, version: `${part.state} ${words.code}`, tag: "li",
    fill: (node) => {
      mark(node, "tone", isIll(part) && "bad");
      node.replaceChildren(
        h("div", { class: "account-words" }, h("p", { class: "account-name" }, partName(words, part.name)), isIll(part) && h("p", {}, meaningOfIllness(app, part))),
        h("span", { class: "tag", data: { tone: { works: "good", away: "bad", absent: "bad" }[part.state] } }, words.t(`part_is_${part.state}`)),
      );
    },
  };
}

const partName = (words, name) => words.t(`part_${name}`);
