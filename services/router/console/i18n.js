// Words and plurals in the reader's language. A language is one file in i18n/; English fills what it leaves out.

import { addFormats } from "./formats.js";
import { isolated } from "./plain.js";

const NAME = "parley.language";

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
    addFormats(words);
    localStorage.setItem(NAME, code);
    document.documentElement.lang = code;
    document.documentElement.dir = direction(code);
    label(document, words.t);
  };
  words.t = (key, values = {}) => {
    const found = words.table[key] ?? key;
    const text = typeof found === "object" ? found[words.plurals.select(values.n)] ?? found.other : found;
    return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? said(values[name]) : whole));
  };
  const said = (value) => (typeof value === "number" ? words.number(value) : isolated(value ?? ""));
  words.has = (key) => key in words.table;
  await words.choose(preferred(languages));
  return words;
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
