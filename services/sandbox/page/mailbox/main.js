// A person's mailbox: what came, what was sent and how far it got. Address: ?lang=…#token=…&user=…&name=…

import { $, h, moveByArrows, reconcile } from "../shared/dom.js";
import { face } from "../shared/face.js";
import { begin, drawPerson, fail, say } from "../shared/header.js";
import { current, people, read, write } from "../shared/people.js";
import { choosePerson } from "../shared/persons.js";
import { choice } from "../shared/sheet.js";
import { blob, file, get, listen, path, post, text } from "../shared/wire.js";
import { t } from "../shared/words.js";
import { openCompose } from "./compose.js";
import { named } from "./named.js";
import { readerView } from "./reader.js";
import { rowView } from "./row.js";

const SEEN = "parley.mail.seen";
const SHOWN = 20; // other people in the list

let inboxes = []; // the business's addresses
let others = []; // addresses of people whom the mail server knows besides
let person = current("email");
let line = new AbortController();
let open = null; // the id of the mail that is being read
const mails = new Map();
const seen = new Set(read(sessionStorage, SEEN) ?? []);

async function findInboxes() {
  try {
    const found = await get("mailbox");
    inboxes = found.addresses;
    others = found.people;
  } catch {
    return; // the line says what is wrong
  }
}

function connect() {
  line.abort();
  line = new AbortController();
  mails.clear();
  close();
  drawHeader();
  const base = path("mailbox", person.id);
  listen({ where: (after) => `${base}/events?after=${after}`, hear, state: lineState, until: line.signal });
}

function hear(event, mail) {
  const known = mails.has(mail.id);
  mails.set(mail.id, mail);
  if (!known && mail.direction === "in" && !seen.has(mail.id)) $("news").textContent = t("new_mail", { name: named(mail.from).name, subject: mail.subject });
  draw();
}

function lineState(trouble) {
  say(trouble ? t("connecting") : person.id);
  fail(trouble);
  if (!trouble) findInboxes();
}

const box = {
  isSeen: (mail) => mail.direction === "out" || seen.has(mail.id),
  isOpen: (mail) => mail.id === open,
  show,
  answer: (mail) => compose(mail),
  file: (id) => file(`${path("mailbox", person.id, "files", id)}`),
  blob: (id) => blob(`${path("mailbox", person.id, "files", id)}`),
  raw: (id) => text(`${path("mailbox", person.id, "raw", id)}`),
};

function show(mail) {
  open = mail.id;
  seen.add(mail.id);
  write(sessionStorage, SEEN, [...seen].slice(-500));
  document.querySelector("main").dataset.view = "reader";
  draw();
  $("reader").focus();
}

function close() {
  const before = open;
  open = null;
  document.querySelector("main").dataset.view = "list";
  $("reader").replaceChildren(h("p", { class: "empty" }, t("choose_mail")));
  draw();
  [...$("list").children].find((node) => node.entryKey === before)?.querySelector("button").focus();
}

function draw() {
  const newest = [...mails.values()].sort((one, other) => other.at.localeCompare(one.at));
  const version = (mail) => JSON.stringify([mail, box.isSeen(mail), box.isOpen(mail)]);
  $("empty").hidden = newest.length > 0;
  reconcile($("list"), newest.map((mail) => ({ key: mail.id, version: version(mail), make: () => rowView(mail, box) })));
  const mail = mails.get(open);
  if (mail) reconcile($("reader"), [{ key: mail.id, version: JSON.stringify(mail), make: () => readerView(mail, box) }]);
}

function compose(answered) {
  openCompose({ inboxes, answered, send: sendMail });
}

async function sendMail(form) {
  form.append("name", person.name);
  try {
    await post(`${path("mailbox", person.id)}/send`, form);
    fail(null);
    close();
    return null;
  } catch (trouble) {
    return trouble.message;
  }
}

function drawHeader() {
  document.title = `${t("mailbox")} · ${person.name}`;
  $("name").textContent = t("mailbox");
  drawPerson(person, t("mailbox_of", { name: person.name }));
}

function chooseMailbox() {
  const take = (one) => {
    person = one;
    connect();
  };
  const known = people("email").map(({ id }) => id);
  const more = (shut) => {
    const rest = others.filter((address) => !known.includes(address)).slice(-SHOWN).map((id) => ({ ...named(id), id }));
    return rest.map((one) => choice(shut, { picture: face(one.name), words: one.name, detail: one.id, pressed: one.id === person.id, act: () => take(one) }));
  };
  choosePerson({ channel: "email", now: person, chosen: take, more });
}

function start() {
  begin({ name: t("mailbox"), choose: chooseMailbox });
  $("back").addEventListener("click", close);
  $("compose").addEventListener("click", () => compose(null));
  document.addEventListener("keydown", (event) => event.key === "Escape" && open && !document.querySelector("dialog") && close());
  moveByArrows($("list"), ":scope > li > button");
  connect();
}

start();
