// Dates, numbers and lists in the reader's language: by Intl, or, where the browser does not know the language (Chromium
// has no Khmer dates, units or lists), by the words of the language's own file.

const MINUTE = 60_000; // ms
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const dayStart = (at) => new Date(at).setHours(0, 0, 0, 0);
const daysAgo = (at) => Math.round((dayStart(Date.now()) - dayStart(at)) / DAY);

/** Put the formats of the language that `words` now speaks onto it. Times (`at`) are Dates, spans milliseconds. */
export function addFormats(words) {
  const say = Intl.DateTimeFormat.supportedLocalesOf(words.code).length ? byIntl(words) : byWords(words);
  words.time = say.time;
  words.day = (at) => (Math.abs(daysAgo(at)) <= 1 ? say.near(daysAgo(at)) : say.date(at, "day"));
  words.when = (at) => whenOf(words, say, at);
  words.full = (at) => say.date(at, "full");
  words.moment = (at) => momentOf(words, say, at);
  words.left = (ms) => leftOf(say, ms);
  words.number = (value, options) => new Intl.NumberFormat(words.code, options).format(value);
  words.list = say.list;
  words.size = (bytes) => sizeOf(words, bytes);
}

function byIntl({ code }) {
  const dates = {
    day: { weekday: "long", day: "numeric", month: "long" }, weekday: { weekday: "short" }, short: { day: "numeric", month: "short" },
    year: { day: "numeric", month: "short", year: "numeric" }, full: { dateStyle: "medium", timeStyle: "medium" },
    moment: { day: "numeric", month: "short", hour: "numeric", minute: "2-digit" },
  };
  const format = (options, at) => new Intl.DateTimeFormat(code, options).format(at);
  return {
    time: (at) => format({ hour: "numeric", minute: "2-digit" }, at),
    date: (at, kind) => format(dates[kind], at),
    near: (ago) => new Intl.RelativeTimeFormat(code, { numeric: "auto" }).format(-ago, "day"),
    span: (n, unit) => new Intl.NumberFormat(code, { style: "unit", unit, unitDisplay: "short" }).format(n),
    list: (items) => new Intl.ListFormat(code, { type: "conjunction" }).format(items),
  };
}

function byWords({ t }) {
  const digits = (options, at) => new Intl.DateTimeFormat("en-GB", options).format(at);
  const time = (at) => digits({ hour: "2-digit", minute: "2-digit" }, at);
  const named = (key, at) => t(key).split("|")[at];
  return {
    time,
    date: (at, kind) => t(`date_${kind}`, {
      weekday: named("weekdays", at.getDay()), day: String(at.getDate()), month: named("months", at.getMonth()), year: String(at.getFullYear()),
      time: kind === "full" ? digits({ timeStyle: "medium" }, at) : time(at),
    }),
    near: (ago) => t({ 1: "yesterday", 0: "today", "-1": "tomorrow" }[ago]),
    span: (n, unit) => t(`span_${unit}`, { n }),
    list: (items) => (items.length < 2 ? items.join("") : t("list", { some: items.slice(0, -1).join(", "), last: items.at(-1) })),
  };
}

/** In a list: the time of today, the weekday of this week, else the date. */
function whenOf(words, say, at) {
  const ago = daysAgo(at);
  if (ago === 0) return words.time(at);
  return say.date(at, ago > 0 && ago < 7 ? "weekday" : ago > 300 ? "year" : "short");
}

/** A time as it is said: 14:05; 14:05 tomorrow; 3 Dec, 14:05. */
function momentOf(words, say, at) {
  const ago = daysAgo(at);
  if (ago === 0) return words.time(at);
  if (Math.abs(ago) === 1) return words.t("moment_near", { time: words.time(at), day: say.near(ago) });
  return say.date(at, "moment");
}

/** How long that is, in its largest unit, never more than there is. */
function leftOf(say, ms) {
  const [unit, size] = ms >= 2 * DAY ? ["day", DAY] : ms >= HOUR ? ["hour", HOUR] : ["minute", MINUTE];
  return say.span(Math.max(1, Math.floor(ms / size)), unit);
}

function sizeOf(words, bytes) {
  const steps = ["byte", "kilobyte", "megabyte", "gigabyte"];
  const step = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), 3);
  return words.number(bytes / 1000 ** step, { style: "unit", unit: steps[step], unitDisplay: "short", maximumFractionDigits: 1 });
}
