// Words, dates and plurals in the reader's language. A language is one file in i18n/; English fills what it leaves out.

const NAME = "parley.language";
const MINUTE = 60_000; // ms
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

async function load(code) {
  const answer = await fetch(`i18n/${code}.json`);
  if (!answer.ok) throw new Error(`no language ${code}`);
  return answer.json();
}

/** The words of the reader's language: kept choice, else the browser's, else English. */
export async function createWords() {
  const languages = await (await fetch("languages.json")).json();
  const english = await load("en");
  const words = { languages, code: "en", table: english };

  words.choose = async (code) => {
    words.table = code === "en" ? english : { ...english, ...(await load(code)) };
    words.code = code;
    words.plurals = new Intl.PluralRules(code);
    localStorage.setItem(NAME, code);
    document.documentElement.lang = code;
    document.documentElement.dir = direction(code);
    label(document, words.t);
  };
  words.t = (key, values = {}) => {
    const found = words.table[key] ?? key;
    const text = typeof found === "object" ? found[words.plurals.select(values.n)] ?? found.other : found;
    return text.replace(/\{(\w+)\}/g, (whole, name) => (typeof values[name] === "number" ? words.number(values[name]) : values[name] ?? whole));
  };
  words.has = (key) => key in words.table;
  addFormats(words);
  await words.choose(preferred(languages));
  return words;
}

function addFormats(words) {
  const format = (options, at) => new Intl.DateTimeFormat(words.code, options).format(at);
  words.time = (at) => format({ hour: "numeric", minute: "2-digit" }, at);
  words.day = (at) => dayOf(words, at);
  words.when = (at) => (daysAgo(at) === 0 ? words.time(at) : shortDay(words.code, at));
  words.full = (at) => format({ dateStyle: "medium", timeStyle: "medium" }, at);
  words.moment = (at) => momentOf(words, at);
  words.left = (ms) => leftOf(words, ms);
  words.number = (value, options) => new Intl.NumberFormat(words.code, options).format(value);
  words.list = (items) => new Intl.ListFormat(words.code, { type: "conjunction" }).format(items);
  words.size = (bytes) => sizeOf(words, bytes);
}

function preferred(languages) {
  const wished = [localStorage.getItem(NAME), ...navigator.languages].filter(Boolean);
  return wished.map((code) => code.toLowerCase().split("-")[0]).find((code) => code in languages) ?? "en";
}

function direction(code) {
  const locale = new Intl.Locale(code);
  return (locale.getTextInfo?.() ?? locale.textInfo)?.direction ?? "ltr";
}

/** Put the words into whatever is marked with data-t, data-label (for screen readers), data-tip or data-placeholder. */
function label(root, t) {
  for (const node of root.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of root.querySelectorAll("[data-label]")) node.setAttribute("aria-label", t(node.dataset.label));
  for (const node of root.querySelectorAll("[data-tip]")) node.title = t(node.dataset.tip);
  for (const node of root.querySelectorAll("[data-placeholder]")) node.placeholder = t(node.dataset.placeholder);
}

const dayStart = (at) => new Date(at).setHours(0, 0, 0, 0);
const daysAgo = (at) => Math.round((dayStart(Date.now()) - dayStart(at)) / DAY);

function dayOf(words, at) {
  const ago = daysAgo(at);
  if (Math.abs(ago) <= 1) return new Intl.RelativeTimeFormat(words.code, { numeric: "auto" }).format(-ago, "day");
  return new Intl.DateTimeFormat(words.code, { weekday: "long", day: "numeric", month: "long" }).format(at);
}

/** A time as it is said: 14:05; 14:05 tomorrow; 3 Dec, 14:05. */
function momentOf(words, at) {
  const ago = daysAgo(at);
  if (ago === 0) return words.time(at);
  if (Math.abs(ago) === 1) return words.t("moment_near", { time: words.time(at), day: dayOf(words, at) });
  return new Intl.DateTimeFormat(words.code, { day: "numeric", month: "short", hour: "numeric", minute: "2-digit" }).format(at);
}

/** How long that is, in its largest unit, never more than there is. */
function leftOf(words, ms) {
  const [unit, size] = ms >= 2 * DAY ? ["day", DAY] : ms >= HOUR ? ["hour", HOUR] : ["minute", MINUTE];
  return words.number(Math.max(1, Math.floor(ms / size)), { style: "unit", unit, unitDisplay: "short" });
}

function shortDay(code, at) {
  const ago = daysAgo(at);
  const options = ago > 0 && ago < 7 ? { weekday: "short" } : { day: "numeric", month: "short", ...(ago > 300 && { year: "numeric" }) };
  return new Intl.DateTimeFormat(code, options).format(at);
}

function sizeOf(words, bytes) {
  const steps = ["byte", "kilobyte", "megabyte", "gigabyte"];
  const step = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), 3);
  return words.number(bytes / 1000 ** step, { style: "unit", unit: steps[step], unitDisplay: "short", maximumFractionDigits: 1 });
}
