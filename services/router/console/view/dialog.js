// A modal window: the browser keeps the focus inside and gives it back, and Escape closes it.

import { h } from "../dom.js";

/** An empty one with its title; it is filled by its owner and opened with showModal(). A click beside it closes it. */
export function createDialog({ id, title }) {
  const heading = h("h2", { id: `${id}-title` });
  const body = h("div", { class: "dialog-body", tabindex: 0 });
  const close = h("button", { type: "button", class: "quiet close", on: { click: () => dialog.close() } }, "×");
  const dialog = h("dialog", { id, class: "dialog", "aria-labelledby": `${id}-title` }, h("div", { class: "dialog-head" }, heading, close), body);
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  document.body.append(dialog);

  function name(words) {
    heading.textContent = words.t(title);
    close.setAttribute("aria-label", words.t("close"));
  }

  return { dialog, body, name };
}

/** What a window asks, and the button that does it. */
export function form(app, act, done, ...fields) {
  const submit = (event) => { event.preventDefault(); done(); };
  return h("form", { class: "change-form", on: { submit } }, ...fields, h("button", { class: "primary" }, app.words.t(act)));
}
