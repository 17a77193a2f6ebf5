// A person's face: the first letter of the name on a colour that is always theirs.

import { h } from "./dom.js";
import { colour, initials } from "./people.js";

export function face(name) {
  return h("span", { class: "face", "aria-hidden": "true", data: { colour: String(colour(name)) } }, initials(name));
}
