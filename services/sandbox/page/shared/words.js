// Words, times and plurals in the reader's language. A language is one file in words/; English fills what it leaves out.

const HERE = new URL("../", import.meta.url);
const load = async (name) => {
  const answer = await fetch(new URL(name, HERE));
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return answer.json();
};

const languages = await load("languages.json");
const asked = new URLSearchParams(location.search).get("lang");
const wanted = [asked, ...navigator.languages].filter(Boolean).map((code) => code.toLowerCase().split("-")[0]);

export const language = wanted.find((code) => code in languages) ?? "en";

const english = await load("words/en.json");
const words = language === "en" ? english : { ...english, ...(await load(`words/${language}.json`)) };
const plurals = new Intl.PluralRules(language);
const locale = new Intl.Locale(language);

document.documentElement.lang = language;
document.documentElement.dir = (locale.getTextInfo?.() ?? locale.textInfo)?.direction ?? "ltr";

/** The words of `key`; {names} in them are filled in, and `n` chooses among plural forms. */
export function t(key, values = {}) {
  const found = words[key] ?? key;
  const text = typeof found === "object" ? (found[plurals.select(values.n)] ?? found.other) : found;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

export const has = (key) => key in words;

// A browser that has no calendar of this language (Chromium has none for Khmer) takes the one in its words.
const knows = Intl.DateTimeFormat.supportedLocalesOf(language).length > 0;
const format = (at, options) => new Intl.DateTimeFormat(language, options).format(new Date(at));
const own = (key, at, more = {}) => {
  const date = new Date(at);
  return t(key, { weekday: words.weekdays[date.getDay()], day: date.getDate(), month: words.months[date.getMonth()], year: date.getFullYear(), ...more });
};

export const time = (at) => format(at, knows ? { hour: "numeric", minute: "2-digit" } : { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
export const full = (at) => (knows ? format(at, { dateStyle: "medium", timeStyle: "short" }) : own("date_full", at, { time: time(at) }));

/** "today", "yesterday", or the date. */
export function day(at) {
  const ago = Math.round((dayStart(Date.now()) - dayStart(at)) / 86_400_000);
  if (ago === 0 || ago === 1) return knows ? new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(-ago, "day") : t(ago ? "yesterday" : "today");
  return knows ? format(at, { weekday: "long", day: "numeric", month: "long" }) : own("date_long", at);
}

/** The time of what happened today, the date of what did not. */
export function when(at) {
  if (dayStart(at) === dayStart(Date.now())) return time(at);
  return knows ? format(at, { day: "numeric", month: "short" }) : own("date_short", at);
}

export const dayStart = (at) => new Date(at).setHours(0, 0, 0, 0);

export function size(bytes) {
  const steps = ["byte", "kilobyte", "megabyte", "gigabyte"];
  const step = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), 3);
  const options = { style: "unit", unit: steps[step], unitDisplay: "short", maximumFractionDigits: 1 };
  return new Intl.NumberFormat(language, options).format(bytes / 1000 ** step);
}
