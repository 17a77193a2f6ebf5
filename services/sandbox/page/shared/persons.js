// The sheet in which one chooses who is writing.

import { h } from "./dom.js";
import { face } from "./face.js";
import * as people from "./people.js";
import { choice, openSheet } from "./sheet.js";
import { t } from "./words.js";

/** Opens it; `chosen(person)` is told who writes from now on. `more(close)` may add what else belongs here. */
export function choosePerson({ channel, now, chosen, more = () => [] }) {
  const take = (person) => {
    people.choose(person);
    chosen(person);
  };
  openSheet(t("who_writes"), (close) => [
    ...people.people(channel).map((person) =>
      choice(close, { picture: face(person.name), words: person.name, detail: person.id, pressed: person.id === now.id, act: () => take(person) }),
    ),
    newPerson((name) => {
      close();
      take(people.add(name, channel));
    }),
    ...more(close),
  ]);
}

function newPerson(add) {
  const name = h("input", { name: "name", maxlength: 64, required: true, autocomplete: "off", dir: "auto", "aria-label": t("new_person"), placeholder: t("new_person") });
  const submit = (event) => {
    event.preventDefault();
    if (name.value.trim()) add(name.value.trim());
  };
  return h("form", { class: "add", on: { submit } }, name, h("button", { type: "submit", class: "main" }, t("add")));
}
