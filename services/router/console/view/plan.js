// A message with other ways to the same person: which way it goes now, what comes next and unless what, and why.

import { h, present } from "../dom.js";
import { cancelButton } from "./changes.js";
import { channelName } from "./face.js";

const MINUTE = 60; // s
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** What the words of its notes are filled with. */
export function planWords(words, { ways, channel, why } = {}) {
  return {
    ...(ways && { ways: ways.map((way) => channelName(way.channel, words)).join(" → ") }),
    ...(channel && { channel: channelName(channel, words) }),
    ...(why && { why: words.has(`plan_why_${why}`) ? words.t(`plan_why_${why}`) : why }),
  };
}

/** One that goes on, below what waits. */
export function planEntry(app, plan) {
  const { words } = app;
  return {
    key: `plan-${plan.id}`, version: [words.code, plan.step].join(), tag: "div",
    fill: (node) => {
      node.className = "note plan";
      node.replaceChildren(...present([
        h("p", {}, words.t("plan_now", { channel: channelName(plan.ways[plan.step].channel, words) })),
        h("p", {}, nextOf(words, plan.ways[plan.step + 1])),
        cancelButton(app, plan),
      ]));
    },
  };
}

function nextOf(words, next) {
  if (!next) return words.t("plan_last");
  return words.t(`plan_next_${next.unless}`, { channel: channelName(next.channel, words), span: spanOf(words, next.within) });
}

/** Exactly so many seconds: 1 hr and 30 min. */
function spanOf(words, seconds) {
  const said = [];
  let rest = seconds;
  for (const size of [seconds < 2 * DAY ? HOUR : DAY, HOUR, MINUTE]) {
    const whole = rest - (rest % size);
    if (whole) said.push(words.left(1000 * whole));
    rest -= whole;
  }
  if (rest) said.push(words.t("seconds", { n: rest }));
  return words.list(said);
}
