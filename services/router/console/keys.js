// Single keys for whoever works without a mouse; they can be turned off (WCAG 2.2, 2.1.4).

import { keysAct } from "./keep.js";

/** What each key does, in the order in which the help shows them; the words are `key_` and the name. */
export const KEYS = { "/": "search", j: "next", k: "previous", r: "reply", a: "answer", w: "way", "1 – 6": "customer", "?": "help", Esc: "escape" };

export function listenForKeys(app, { reply, customer, help }) {
  const acts = {
    "/": () => { app.showView("conversations"); document.getElementById("search").focus(); },
    j: () => app.selectBeside(1),
    k: () => app.selectBeside(-1),
    r: () => { app.showView("thread"); reply.focus(); },
    a: () => { const message = app.wayMessage(); if (message) app.answer(message); },
    w: () => { app.showView("way"); document.getElementById("steps").focus(); },
    "?": () => help(),
  };
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") return reply.escape();
    if (!keysAct() || event.ctrlKey || event.metaKey || event.altKey || writes(event.target) || document.querySelector("dialog[open]")) return;
    const act = acts[event.key] ?? (/^[1-9]$/.test(event.key) ? () => customer.showAt(Number(event.key) - 1) : null);
    if (!act) return;
    event.preventDefault();
    act();
  });
}

function writes(node) {
  return node.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(node.tagName);
}
