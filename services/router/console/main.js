// The console's door: the reader's language, the token, then the desk.

import { createApi } from "./api.js";
import { openDesk } from "./desk.js";
import { createWords } from "./i18n.js";
import { icon } from "./icons.js";
import { forgetToken, keepToken, readToken } from "./session.js";

const ONLY_INSIDE = ["accounts-button", "help-button", "sign-out"];
const find = (id) => document.getElementById(id);
const words = await createWords();

for (const node of document.querySelectorAll("[data-icon]")) node.append(icon(node.dataset.icon));
offerLanguages();
find("sign-out").addEventListener("click", () => { forgetToken(); location.reload(); });
find("sign-in-form").addEventListener("submit", signIn);
enter(readToken());

function enter(token) {
  if (!token) return askForToken();
  find("sign-in").hidden = true;
  for (const id of ONLY_INSIDE) find(id).hidden = false;
  openDesk({ words, token, leave });
}

function leave(status) {
  forgetToken();
  askForToken(problemOf(status));
}

function askForToken(problem = "") {
  find("desk").hidden = true;
  find("sign-in").hidden = false;
  for (const id of ONLY_INSIDE) find(id).hidden = true;
  find("sign-in-trouble").textContent = problem && words.t(problem);
  find("token").focus();
}

async function signIn(event) {
  event.preventDefault();
  const token = find("token").value.trim();
  try {
    await createApi(token).config();
  } catch (error) {
    return askForToken(problemOf(error.status));
  }
  find("token").value = "";
  keepToken(token);
  enter(token);
}

function problemOf(status) {
  return { 401: "sign_in_refused", 403: "sign_in_closed" }[status] ?? "trouble_offline";
}

function offerLanguages() {
  const select = find("language");
  for (const [code, name] of Object.entries(words.languages)) select.add(new Option(name, code, false, code === words.code));
  select.addEventListener("change", async () => {
    await words.choose(select.value);
    document.dispatchEvent(new Event("words"));
  });
}
