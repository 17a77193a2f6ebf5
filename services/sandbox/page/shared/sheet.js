// Something that comes up over the page, is answered or closed, and gives the focus back.

import { button, h } from "./dom.js";
import { icon } from "./icons.js";
import { t } from "./words.js";

/** Open a sheet of this title; `fill(close)` gives what stands in it. Returns the dialog. */
export function openSheet(title, fill, about = {}) {
  const heading = h("h2", { dir: "auto" }, title);
  const shut = button(icon("close"), () => dialog.close(), { class: "round", "aria-label": t("close") });
  const dialog = h("dialog", { class: "sheet", "aria-label": title, ...about }, h("header", {}, heading, shut));
  dialog.append(...fill(() => dialog.close()));
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** One of several things to do: a picture, words and what they do. The sheet closes first. */
export function choice(close, { picture, words, detail, act, danger, pressed }) {
  const text = h("span", { class: "choice-text" }, h("span", { dir: "auto" }, words), detail && h("small", { dir: "auto" }, detail));
  const done = () => {
    close();
    act();
  };
  return button([typeof picture === "string" ? icon(picture) : picture, text], done, { class: "choice", data: { danger }, "aria-pressed": pressed === undefined ? null : String(pressed) });
}

/** A form in a sheet: fields {name: {label, long, type, value, …}}; `act(values)` runs when it is sent. */
export function openForm(title, { fields, send, act }) {
  return openSheet(title, (close) => [
    h(
      "form",
      { class: "fields", on: { submit: (event) => {
        event.preventDefault();
        const values = Object.fromEntries(new FormData(event.target));
        close();
        act(values);
      } } },
      ...Object.entries(fields).map(([name, about]) => field(name, about)),
      h("button", { type: "submit", class: "main" }, send),
    ),
  ]);
}

function field(name, { label, long, ...about }) {
  return h("label", {}, h("span", {}, label), long ? h("textarea", { name, rows: 5, ...about }) : h("input", { name, ...about }));
}
