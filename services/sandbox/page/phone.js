// A phone with a chat in it: who writes here is the customer. Address: #token=…&bot=…&user=…&name=…

import { bubble, summary } from "./bubble.js";
import { Wire } from "./wire.js";
import { language, words } from "./words.js";

const $ = (id) => document.getElementById(id);
const given = new URLSearchParams(location.hash.slice(1));
const me = {
  token: given.get("token") ?? "",
  user: given.get("user") ?? "855100001",
  name: given.get("name") ?? "Sokha",
};

let wire = null;
let about = null; // { reply_to } or { edit }, and the message it is about
let quiet = 0;
let blocked = false;

function label() {
  document.documentElement.lang = language;
  $("log").setAttribute("aria-label", words.messages);
  $("text").placeholder = words.write;
  const names = { text: "write", send: "send", attach: "attach", place: "place", "about-cancel": "cancel", file: "attach" };
  for (const [id, word] of Object.entries(names)) $(id).setAttribute("aria-label", words[word]);
  const texts = { "where-title": "where", "latitude-label": "latitude", "longitude-label": "longitude", "where-cancel": "cancel", "where-send": "send", block: "block" };
  for (const [id, word] of Object.entries(texts)) $(id).textContent = words[word];
}

async function findBot() {
  for (;;) {
    const bots = await Wire.bots(me.token);
    const found = bots.find((bot) => String(bot.id) === given.get("bot")) ?? (given.get("bot") ? null : bots[0]);
    if (found) return found;
    $("state").textContent = words.waiting;
    await new Promise((done) => setTimeout(done, 1000));
  }
}

const act = {
  file: (id) => wire.file(id),
  press: (message, button) => send({ press: { message_id: message.message_id, data: button.callback_data } }),
  heart: (message) => send({ react: { message_id: message.message_id, emoji: "❤" } }),
  reply: (message) => speakOf({ reply_to: message.message_id }, `${words.replying}: ${summary(message)}`),
  edit: (message) => {
    speakOf({ edit: message.message_id }, `${words.editing}: ${summary(message)}`);
    $("text").value = message.text;
  },
};

function speakOf(what, shown) {
  about = what;
  $("about").hidden = !what;
  $("about-text").textContent = shown ?? "";
  $("text").focus();
}

async function send(what) {
  const person = { name: me.name, language };
  try {
    if (what instanceof FormData) Object.entries({ ...person, ...about }).forEach(([name, value]) => what.append(name, value));
    await wire.send(what instanceof FormData ? what : { ...person, ...what });
    $("error").hidden = true;
    return true;
  } catch (error) {
    $("error").textContent = `${words.failed}: ${error.message}`;
    $("error").hidden = false;
    return false;
  }
}

function hear(event, data) {
  if (event === "typing") return typing();
  const log = $("log");
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  const shown = bubble(data, act);
  const before = $(shown.id);
  if (before) before.replaceWith(shown);
  else log.append(shown);
  if (!data.mine) still();
  if (atEnd || data.mine) log.scrollTop = log.scrollHeight;
}

function typing() {
  $("state").textContent = words.typing;
  clearTimeout(quiet);
  quiet = setTimeout(still, 5000); // a chat action lasts 5 seconds
}

function still() {
  clearTimeout(quiet);
  $("state").textContent = words.online;
}

async function compose(event) {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text) return;
  $("text").value = "";
  const sent = await send({ text, ...about });
  if (sent) speakOf(null);
  else $("text").value = text;
  fit();
}

async function attach() {
  const [file] = $("file").files;
  if (!file) return;
  const form = new FormData();
  if ($("text").value.trim()) form.append("caption", $("text").value.trim());
  form.append("file", file, file.name);
  $("file").value = "";
  if (await send(form)) {
    $("text").value = "";
    speakOf(null);
  }
}

async function sendPlace() {
  $("where").close();
  await send({ location: { latitude: $("latitude").valueAsNumber, longitude: $("longitude").valueAsNumber } });
  $("text").focus();
}

async function block() {
  if (!(await send({ block: !blocked }))) return;
  blocked = !blocked;
  $("block").setAttribute("aria-pressed", String(blocked));
  $("block").textContent = blocked ? words.unblock : words.block;
}

function fit() {
  $("text").rows = Math.min(5, $("text").value.split("\n").length);
}

function listen() {
  $("composer").addEventListener("submit", compose);
  $("text").addEventListener("input", fit);
  $("text").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) compose(event);
    if (event.key === "Escape") speakOf(null);
  });
  $("attach").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", attach);
  $("place").addEventListener("click", () => $("where").showModal());
  $("where-cancel").addEventListener("click", () => $("where").close());
  $("where-send").addEventListener("click", sendPlace);
  $("about-cancel").addEventListener("click", () => speakOf(null));
  $("block").addEventListener("click", block);
}

async function begin() {
  label();
  if (!me.token) return void ($("state").textContent = words.noToken);
  const bot = await findBot();
  $("name").textContent = bot.first_name;
  document.title = bot.first_name;
  wire = new Wire({ token: me.token, bot: bot.id, user: me.user });
  listen();
  await wire.listen(hear, (open) => (open ? still() : ($("state").textContent = words.lost)));
}

begin().catch((error) => ($("state").textContent = error.message));
