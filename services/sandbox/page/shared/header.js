// The head of a page: whose it is, what the line is like, what went wrong, and who writes.

import { $, h, label } from "./dom.js";
import { face } from "./face.js";
import { drawIcons } from "./icons.js";

const WAIT = 1500; // milliseconds until it is asked again

/** Words and pictures where they belong; `choose` is what a press on the person does. */
export function begin({ name, choose }) {
  label();
  drawIcons();
  document.title = name;
  $("name").textContent = name;
  $("person").addEventListener("click", choose);
  $("error-close").addEventListener("click", () => fail(null));
}

export function say(words) {
  $("state").textContent = words;
}

/** Say what went wrong, or that nothing is wrong any more. */
export function fail(trouble, before) {
  $("error").hidden = !trouble;
  $("error-text").textContent = trouble ? [before, trouble.message].filter(Boolean).join(": ") : "";
}

/** Who writes; `words` is what a screen reader says of it. */
export function drawPerson(person, words) {
  $("person").replaceChildren(face(person.name), h("span", { dir: "auto" }, person.name));
  $("person").setAttribute("aria-label", words);
}

/** What `ask` finds, as soon as there is something; until then `none` is called. Nothing where the token is not accepted. */
export async function find(ask, none) {
  for (;;) {
    try {
      const found = await ask();
      fail(null);
      if (found.length) return found;
      none();
    } catch (trouble) {
      fail(trouble);
      if (trouble.kind === "token" || trouble.kind === "no_token") return [];
    }
    await new Promise((done) => setTimeout(done, WAIT));
  }
}
