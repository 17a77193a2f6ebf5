// The visitor's language: its words, and dates, times and numbers as its readers write them. A language is one file in strings/.
import en from "./strings/en.js";
import km from "./strings/km.js";

const LANGUAGES = { en, km };

export function languageOf(wishes) {
  const known = wishes.find((wish) => Object.hasOwn(LANGUAGES, baseOf(wish))) ?? "en";
  const local = navigator.languages.find((wish) => baseOf(wish) === baseOf(known)) ?? known;
  return new Language(baseOf(known), local, LANGUAGES[baseOf(known)]);
}

function baseOf(tag) {
  return tag.toLowerCase().split("-")[0];
}

class Language {
  #strings;
  #plural;
  #date;
  #time;
  #numbers;

  constructor(code, local, strings) {
    this.code = code;
    this.direction = directionOf(code);
    this.#strings = strings;
    // Not every browser carries the data of every language: then dates are made of our words, times as all can read them.
    const carried = Intl.DateTimeFormat.supportedLocalesOf(local).length > 0;
    this.#numbers = carried ? local : "en";
    this.#plural = new Intl.PluralRules(this.#numbers);
    this.#date = carried && new Intl.DateTimeFormat(local, { weekday: "long", day: "numeric", month: "long" });
    this.#time = new Intl.DateTimeFormat(carried ? local : "en-GB", { hour: "numeric", minute: "2-digit" });
  }

  // The words for a name, its {gaps} filled; with `count`, in the plural form that the language has for it.
  say(name, gaps = {}) {
    const found = this.#strings[name];
    const words = typeof found === "string" ? found : (found[this.#plural.select(gaps.count)] ?? found.other);
    return words.replace(/\{(\w+)\}/g, (_, gap) => gaps[gap] ?? "");
  }

  day(date, now = new Date()) {
    const days = Math.round((midnight(now) - midnight(date)) / 86_400_000);
    if (days < 2) return this.say(days < 1 ? "today" : "yesterday");
    if (this.#date) return this.#date.format(date);
    const { weekdays, months } = this.#strings;
    return this.say("date", { weekday: weekdays[date.getDay()], day: date.getDate(), month: months[date.getMonth()] });
  }

  time(date) {
    return this.#time.format(date);
  }

  size(bytes) {
    const unit = bytes < 1_000_000 ? "kilobyte" : "megabyte";
    const amount = bytes / (unit === "kilobyte" ? 1000 : 1_000_000);
    const digits = amount < 10 && unit === "megabyte" ? 1 : 0;
    return new Intl.NumberFormat(this.#numbers, { style: "unit", unit, maximumFractionDigits: digits }).format(
      Math.max(amount, 1),
    );
  }
}

function directionOf(code) {
  const locale = new Intl.Locale(code);
  return (locale.getTextInfo?.() ?? locale.textInfo)?.direction ?? "ltr";
}

function midnight(date) {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}
