// Failures in words: what happened, in the reader's language, and what can be done about it.

import { h } from "../dom.js";

/** What the code means; with the provider's own words in brackets, where there are any. */
export function whyOf(words, failure) {
  const known = meaningOf(words, failure);
  return failure?.detail ? `${known} (${failure.detail})` : known;
}

export function meaningOf(words, failure) {
  if (!failure) return words.t("why_unknown");
  return words.has(`why_${failure.code}`) ? words.t(`why_${failure.code}`) : failure.code;
}

/** What an operator can do about an account in this state. */
export function remedyOf(words, failure) {
  return words.t(words.has(`todo_${failure?.code}`) ? `todo_${failure.code}` : "todo_unknown");
}

/** The provider's or the router's own words, which are in no language of ours. */
export function detailOf(failure) {
  return failure?.detail ? h("span", { class: "detail", dir: "auto", lang: "en" }, failure.detail) : null;
}
