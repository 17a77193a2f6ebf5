// The visitor's language: its words, and dates, times and numbers as its readers write them. A language is one file in strings/.

export const LANGUAGES = ["en", "km"];

export async function languageOf(wishes) {
  const code = wishes.map((wish) => wish.toLowerCase().split("-")[0]).find((wish) => LANGUAGES.includes(wish)) ?? "en";
  const { default: strings } = await import(`./strings/${code}.js`);
  return new Language(code, strings);
}

class Language {
  #strings;
  #plural;
  #day;
  #date;
  #time;

  constructor(code, strings) {
    this.code = code;
    this.#strings = strings;
    this.#plural = new Intl.PluralRules(code);
    this.#day = new Intl.RelativeTimeFormat(code, { numeric: "auto" });
    this.#date = new Intl.DateTimeFormat(code, { weekday: "long", day: "numeric", month: "long" });
    this.#time = new Intl.DateTimeFormat(code, { hour: "numeric", minute: "2-digit" });
  }

  // The words for a name, its {gaps} filled; with `count`, in the plural form that the language has for it.
  say(name, gaps = {}) {
    const found = this.#strings[name];
    const words = typeof found === "string" ? found : found[this.#plural.select(gaps.count)] ?? found.other;
    return words.replace(/\{(\w+)\}/g, (_, gap) => gaps[gap] ?? "");
  }

  day(date, now = new Date()) {
    const days = Math.round((midnight(date) - midnight(now)) / 86_400_000);
    return days > -2 ? this.#day.format(Math.min(days, 0), "day") : this.#date.format(date);
  }

  time(date) {
    return this.#time.format(date);
  }

  size(bytes) {
    const unit = bytes < 1_000_000 ? "kilobyte" : "megabyte";
    const amount = bytes / (unit === "kilobyte" ? 1000 : 1_000_000);
    const digits = amount < 10 && unit === "megabyte" ? 1 : 0;
    return new Intl.NumberFormat(this.code, { style: "unit", unit, maximumFractionDigits: digits }).format(
      Math.max(amount, 1),
    );
  }
}

function midnight(date) {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}
