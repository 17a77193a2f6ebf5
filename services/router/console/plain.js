// Strangers' names, subjects and file names: none of them turns what stands beside it, or shows its own letters in another order.

const TURNING = /[\u202a-\u202e\u2066-\u2069]/g; // https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters
const NAMED = new Set(["name", "username", "subject", "title", "author", "address", "peer", "to", "responder"]);
const RIGHT_TO_LEFT = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;

/** A tree of JSON whose names, wherever they stand in it, are shown in the order in which they are written. */
export function unturned(value, key = "") {
  if (typeof value === "string") return NAMED.has(key) ? value.replace(TURNING, "") : value;
  if (Array.isArray(value)) return value.map((one) => unturned(one, key));
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, unturned(one, name)]));
  return value;
}

/** A text to be put into a sentence of another direction (U+2068 … U+2069: first strong isolate). */
export function isolated(text) {
  return RIGHT_TO_LEFT.test(text) ? `\u2068${text}\u2069` : text;
}
