// Elements without markup: what a stranger wrote only ever becomes text.

import { t } from "./words.js";

export const $ = (id) => document.getElementById(id);

/** An element. `props`: class, data {name: value}, on {event: listener}, any attribute; null and false ones are left out. */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) set(node, name, value);
  node.append(...present(children.flat()));
  return node;
}

/** Without the places that hold nothing, so that `condition && element` can stand among children. */
export function present(children) {
  return children.filter((child) => child !== null && child !== undefined && child !== false && child !== "");
}

function set(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === "class") node.className = value;
  else if (name === "data") for (const [key, item] of Object.entries(value)) mark(node, key, item);
  else if (name === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
  else node.setAttribute(name, value === true ? "" : value);
}

/** A data attribute that is there only while its value says something. */
export function mark(node, name, value) {
  if (value === null || value === undefined || value === false) delete node.dataset[name];
  else node.dataset[name] = value === true ? "" : value;
}

/** Something that only screen readers say. */
export const unseen = (text) => h("span", { class: "unseen" }, text);

/** A button of words, or of a picture with a name for those who do not see it. */
export function button(words, click, props = {}) {
  return h("button", { type: "button", ...props, on: { click } }, words);
}

/** Put the words into whatever is marked with data-t, data-label (for screen readers) or data-placeholder. */
export function label(root = document) {
  for (const node of root.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of root.querySelectorAll("[data-label]")) node.setAttribute("aria-label", t(node.dataset.label));
  for (const node of root.querySelectorAll("[data-placeholder]")) node.placeholder = t(node.dataset.placeholder);
}

/** Up, Down, Home and End move the focus among the elements that `selector` finds in `box`. */
export function moveByArrows(box, selector) {
  box.addEventListener("keydown", (event) => {
    const all = [...box.querySelectorAll(selector)];
    const here = all.indexOf(document.activeElement);
    if (document.activeElement !== box && here < 0) return;
    const last = all.length - 1;
    const there = { ArrowDown: here + 1, ArrowUp: here < 0 ? last : here - 1, Home: 0, End: last }[event.key];
    if (there === undefined || !all[there]) return;
    event.preventDefault();
    all[there].focus();
  });
}

/** A text field as tall as its words, up to the height that its style allows. */
export function growing(field) {
  const grow = () => {
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight + field.offsetHeight - field.clientHeight}px`;
  };
  field.addEventListener("input", grow);
  return grow;
}

/**
 * Make the children of `parent` be `entries`, in order: {key, version, make()}. A child of the same key and version stays the
 * same node, so that what is being written in it, the focus and the scrolling stay too.
 */
export function reconcile(parent, entries) {
  const old = new Map([...parent.children].map((node) => [node.entryKey, node]));
  const focused = document.activeElement;
  entries.forEach(({ key, version, make }, place) => {
    let node = old.get(key);
    if (!node || node.entryVersion !== version) {
      const made = make();
      Object.assign(made, { entryKey: key, entryVersion: version });
      const hadFocus = node?.contains(focused);
      node?.replaceWith(made);
      node = made;
      if (hadFocus) node.querySelector("button")?.focus();
    }
    old.delete(key);
    if (parent.children[place] !== node) parent.insertBefore(node, parent.children[place] ?? null);
  });
  for (const node of old.values()) node.remove();
}
