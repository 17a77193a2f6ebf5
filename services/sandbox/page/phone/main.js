// A phone with a chat in it: who writes here is the customer. Address: ?channel=…&lang=…#token=…&account=…&user=…&name=…

import { $, button, h } from "../shared/dom.js";
import { face } from "../shared/face.js";
import { begin, drawPerson, fail, find, say } from "../shared/header.js";
import { current } from "../shared/people.js";
import { choosePerson } from "../shared/persons.js";
import { choice } from "../shared/sheet.js";
import { given, listen, seen } from "../shared/wire.js";
import { t } from "../shared/words.js";
import { openMessage } from "./actions.js";
import { otherApps } from "./apps.js";
import { CHANNELS } from "./channels.js";
import { quickReplies } from "./choices.js";
import { createComposer } from "./composer.js";
import { openFaults } from "./faults.js";
import { createLog } from "./log.js";

const TYPING = 6000; // milliseconds: a little longer than a channel says that somebody types

const asked = new URLSearchParams(location.search).get("channel");
const channel = asked in CHANNELS ? asked : "telegram";
const app = CHANNELS[channel];
const online = app.online ? t(app.online) : app.name;

let person = current(channel);
let accounts = [];
let account = null;
let chat = null; // the channel's side of this chat, with what bubbles need
let line = new AbortController();
let quiet = 0;
let told = 0; // the newest message that the business was told is read

const log = createLog({ onSeen: (view) => tellRead(view) });
const composer = createComposer({ send, can: app.can });

function connect() {
  line.abort();
  line = new AbortController();
  account ??= accounts.find(({ id }) => String(id) === (given.get("account") ?? given.get("bot"))) ?? accounts[0];
  const connection = app.open.chat(channel, account.id, person);
  chat = { ...connection, name: account.name, offers: app.offers, find: log.find, press, open };
  told = 0;
  log.clear(t("empty_chat", { channel: app.name }), questions());
  drawHeader();
  drawBlocked(false);
  drawQuick();
  say(t("connecting"));
  listen({ where: connection.events, hear, state: lineState, until: line.signal });
}

/** What somebody may ask who does not know yet what to write: pressed, it is said. */
function questions() {
  const asked = [t("ask_hours"), t("ask_price"), t("ask_delivery")];
  return h("div", { class: "questions" }, ...asked.map((text) => button(text, () => send({ text }))));
}

function hear(event, data) {
  if (event === "typing") return typing();
  const view = chat.view(data);
  if (!view.mine) still();
  log.show(view, chat);
  drawQuick();
}

function lineState(trouble) {
  say(trouble ? t("connecting") : online);
  fail(trouble);
}

function typing() {
  log.typing(true);
  say(t("typing"));
  clearTimeout(quiet);
  quiet = setTimeout(still, TYPING);
}

function still() {
  clearTimeout(quiet);
  log.typing(false);
  say(online);
}

/** Tell the business that its message was read, once somebody can see it. */
async function tellRead(view) {
  if (!chat.read || view.n <= told || view.status === "read" || view.removed) return;
  const before = told;
  told = view.n;
  await seen.when(true);
  chat.read().catch(() => { told = Math.min(told, before); });
}

async function send(what) {
  try {
    await chat.send(what);
    fail(null);
    return true;
  } catch (trouble) {
    fail(trouble, t("not_sent"));
    return false;
  }
}

async function press(view, { id, title }) {
  if (await send({ press: { message: view.id, id } })) say(t("pressed", { title }));
}

function open(view) {
  openMessage(view, {
    app,
    answer: () => composer.answer(view),
    change: () => composer.change(view),
    react: (emoji) => send({ react: { message: view.id, emoji } }),
    remove: () => send({ remove: { message: view.id } }),
    copy,
  });
}

/** A browser may refuse it to a framed page. */
async function copy(words) {
  try {
    await navigator.clipboard.writeText(words);
    say(t("copied"));
  } catch {
    fail(new Error(t("not_copied")));
  }
}

async function block(blocked) {
  if (await send({ block: blocked })) drawBlocked(blocked);
}

function drawBlocked(blocked) {
  $("blocked").hidden = !blocked;
}

function drawQuick() {
  const replies = quickReplies(log.newest(), chat);
  $("quick").hidden = !replies.length;
  $("quick").replaceChildren(...replies);
}

function drawHeader() {
  $("name").textContent = account.name;
  document.title = `${account.name} · ${app.name}`;
  $("face").replaceChildren(face(account.name));
  drawPerson(person, t("writing_as", { name: person.name }));
}

function choosePersonOrAccount() {
  const chosen = (one) => {
    person = one;
    connect();
  };
  const others = (close) => [
    accounts.length > 1 && h("h3", {}, t("writes_to")),
    ...(accounts.length > 1 ? accounts.map((one) => choice(close, { picture: face(one.name), words: one.name, detail: one.id, pressed: one === account, act: () => { account = one; connect(); } })) : []),
    choice(close, { picture: "ban", words: $("blocked").hidden ? t("block", { name: account.name }) : t("unblock"), danger: $("blocked").hidden, act: () => block($("blocked").hidden) }),
    choice(close, { picture: "alert", words: t("faults"), act: () => openFaults(channel, app.name).catch(fail) }),
    ...otherApps(close, { channel, goTo }),
  ].filter(Boolean);
  choosePerson({ channel, now: person, chosen, more: account ? others : undefined });
}

/** The same phone, another app on it. */
function goTo(name) {
  const there = new URL(location.href);
  there.searchParams.set("channel", name);
  location.replace(there);
}

async function start() {
  document.body.dataset.channel = channel;
  begin({ name: app.name, choose: choosePersonOrAccount });
  $("unblock").addEventListener("click", () => block(false));
  accounts = await find(() => app.open.accounts(channel), () => log.clear(t("waiting")));
  $("composer").inert = !accounts.length;
  if (accounts.length) connect();
}

start();
