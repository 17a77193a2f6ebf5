// The messages of a chat on the screen, in order, with a line between days.

import { $, h, moveByArrows } from "../shared/dom.js";
import { day, dayStart } from "../shared/words.js";
import { bubble } from "./bubble.js";

const NEAR = 90; // pixels from the end at which a reader counts as being there

export function createLog({ onSeen }) {
  const box = $("log");
  const messages = $("messages");
  const views = new Map();
  const sight = new IntersectionObserver((entries) => {
    for (const { target } of entries.filter((entry) => entry.isIntersecting)) onSeen(target.view);
  }, { threshold: 0.4 });
  const atEnd = () => box.scrollHeight - box.scrollTop - box.clientHeight < NEAR;
  const toEnd = () => { box.scrollTop = box.scrollHeight; };
  let typing = null;

  moveByArrows(box, "#messages > li[id]");
  box.addEventListener("scroll", () => { if (atEnd()) $("newest").hidden = true; });
  // Pictures grow while they load: whoever was at the end stays there.
  box.addEventListener("load", () => atEndBefore && toEnd(), true);
  let atEndBefore = true;
  box.addEventListener("scroll", () => { atEndBefore = atEnd(); });
  $("newest").addEventListener("click", toEnd);
  new ResizeObserver(() => atEndBefore && toEnd()).observe(box);

  return {
    find: (id) => views.get(String(id)),
    newest: () => [...messages.children].findLast((child) => child.view)?.view,
    clear(hint, ...more) {
      views.clear();
      typing = null;
      messages.replaceChildren(h("li", { class: "empty" }, hint, ...more));
    },

    show(view, chat) {
      const near = atEnd();
      const before = views.get(String(view.id));
      const known = Boolean(before);
      views.set(String(view.id), view);
      if (known && looks(before) === looks(view)) return;
      const item = bubble(view, chat);
      item.view = view;
      if (known) replace(document.getElementById(item.id), item);
      else append(item, view);
      if (!view.mine) sight.observe(item);
      if (near || (view.mine && !known)) toEnd();
      else if (!known) $("newest").hidden = false;
    },

    typing(shown) {
      if (Boolean(typing) === shown) return;
      const near = atEnd();
      typing?.remove();
      typing = shown ? h("li", { class: "theirs typing", "aria-hidden": "true" }, h("div", { class: "bubble" }, h("i"), h("i"), h("i"))) : null;
      if (typing) messages.append(typing);
      if (near) toEnd();
    },
  };

  function replace(before, item) {
    item.dataset.group = before.dataset.group;
    const focused = before.contains(document.activeElement);
    sight.unobserve(before);
    before.replaceWith(item);
    if (focused) item.focus();
  }

  /** Where its time says: a chat that is opened is told in the order in which its messages last changed. */
  function append(item, view) {
    messages.querySelector(".empty")?.remove();
    const later = [...messages.children].find((child) => child.view?.at > view.at) ?? null;
    const sameDay = later && dayStart(later.view.at) === dayStart(view.at);
    messages.insertBefore(item, later && !sameDay ? dayOf(later) : later ?? typing);
    if (!sameDay && !dayOf(item, view.at)) item.before(dayLine(view.at));
    for (const one of [item, later]) if (one) group(one);
  }

  /** The line of the day in which this message stands; of another day than `at`: none. */
  function dayOf(item, at = item.view.at) {
    const lines = [...messages.children].slice(0, [...messages.children].indexOf(item));
    const line = lines.findLast((child) => child.className === "day");
    return line?.day === dayStart(at) ? line : null;
  }

  function group(item) {
    item.dataset.group = item.previousElementSibling.view?.mine === item.view.mine ? "next" : "first";
  }
}

/** What can be seen of a view; how far it came is seen by the business only. */
const looks = ({ n, status, ...rest }) => JSON.stringify(rest);

function dayLine(at) {
  return Object.assign(h("li", { class: "day" }, h("span", {}, day(at))), { day: dayStart(at) });
}
