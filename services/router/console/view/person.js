// One person of several addresses: which and why, all their conversations, who they may be too; joined, parted and erased by hand.

import { isUncertain } from "../api.js";
import { h, present, reconcile } from "../dom.js";
import { channelIcon, icon } from "../icons.js";
import { keptAuthor } from "../keep.js";
import { createDialog } from "./dialog.js";
import { channelName, face, nameOf, nameViews } from "./face.js";
import { detailOf, meaningOf } from "./failure.js";
import { about } from "./head.js";

const ERASED = / was erased at (\S+); (what they left is being removed)?/; // services/router/api/people.py:check_stands

const SETTLED = 150; // ms; one change of a person is told of each of their customers
const AGAIN = 3_000; // ms until the next try while the router does not answer
const REASON = 500; // characters

/** How the router says what proves or hinders it (services/router/fold/persons.py, bonds.py), by the page's words for it. */
const SAID = {
  "the provider says so": "provider",
  "signed by whoever sent it": "signature",
  "by the session that they wrote in": "session",
  "by the mail's own domain": "dmarc",
  "they signed in with it": "oauth",
  "they say so themselves": "self",
  "they were parted": "parted",
  "it was somebody else's there": "anothers",
  "one person has 64 addresses at the most": "many",
};

/** Gives `app.person`, whoever the open conversation is with, and `app.openPerson`. Its `hear` follows the events. */
export function createPerson(app, load) {
  const { dialog, body, name } = createDialog({ id: "person", title: "person" });
  const trouble = h("p", { class: "change-trouble", role: "alert", hidden: true });
  const parts = ["members", "suggestions", "apart", "conversations"].map((part) => ({ part, title: h("h3", {}), list: h("ul", { class: "accounts", data: { part } }) }));
  const more = h("button", { type: "button", class: "quiet", on: { click: () => look(app.person.next) } });
  const end = h("div", { class: "erasure", role: "group", tabindex: -1 });
  let step = null; // of an erasure: "asked" here, "begun" at the router, or what its answer says: {erased_at, open}
  let of = null; // the customer, with whose address the conversation began
  let asked = 0;
  let request = null;
  let refused = null; // the newest refusal that was told
  let due = null;

  app.person = null;
  app.openPerson = () => { fill(); dialog.showModal(); body.focus(); };
  dialog.addEventListener("close", () => { [request, step] = [null, null]; trouble.hidden = true; body.replaceChildren(); app.changed(); });

  async function look(before = "") {
    asked += 1;
    const turn = asked;
    const found = await load.person(of, before);
    if (turn !== asked) return;
    if (!found) return setTimeout(() => turn === asked && look(), AGAIN);
    if (before) found.conversations.unshift(...app.person.conversations);
    app.person = found.id ? found : null;
    const [, at, left] = ERASED.exec(found.gone ?? "") ?? [];
    if (at && dialog.open) {
      step = { erased_at: at, open: Boolean(left) };
      if (left) setTimeout(() => turn === asked && dialog.open && look(), AGAIN);
    }
    app.changed();
  }

  /** What becomes of it, an event says; the answer may come after it. */
  async function act(ask) {
    trouble.hidden = true;
    try {
      request = (await ask(app.person.tenant)).request_id;
      if (refused?.request_id === request) say(refused.failure);
    } catch (error) {
      if (error.status === 401 || error.status === 403) return app.leave(error.status);
      say({ code: error.code, detail: error.message }, isUncertain(error) ? app.words.t("person_unsure") : undefined);
    }
  }

  function say(failure, lead = app.words.t("person_refused")) {
    const why = failure.code === "refused" ? [] : [meaningOf(app.words, failure)];
    trouble.replaceChildren(...present([lead, ...why.flatMap((one) => [" ", one]), " ", detailOf(failure)]));
    trouble.hidden = false;
    if (step === "begun") turnTo(null);
  }

  function turnTo(next) {
    step = next;
    fill();
    (end.querySelector("[data-person=keep], [data-person=erase]") ?? end).focus();
  }

  function erase() {
    const { id } = app.person;
    turnTo("begun");
    act((tenant) => app.api.askCustomer(`${id}/erase`, { tenant, reason: reasonOf(), by: keptAuthor() || undefined }));
  }

  function fill() {
    const { words, person } = app;
    name(words);
    more.textContent = words.t("more");
    const entries = entriesOf(app, act, dialog);
    for (const { part, title, list } of parts) {
      title.textContent = words.t(`person_${part}`);
      title.hidden = entries[part].length === 0;
      reconcile(list, entries[part]);
    }
    more.hidden = !person?.next;
    reconcile(end, erasureOf(app, step, { ask: () => turnTo("asked"), keep: () => turnTo(null), erase }));
    if (!body.firstChild) body.append(trouble, ...parts.flatMap(({ title, list }) => [title, list]), more, end);
    if (dialog.open && !dialog.contains(document.activeElement)) body.focus();
  }

  function render() {
    const home = app.conversations.get(app.selected)?.home ?? null;
    const erased = dialog.open && (step === "begun" || Boolean(step?.erased_at)); // whose conversation is no more, but who is told of here
    if (home !== of && !erased) {
      [of, app.person] = [home, null];
      if (home) look();
    }
    if (!app.person && dialog.open && !of) dialog.close();
    if ((app.person || erased) && dialog.open) fill();
  }

  render.hear = ({ type, data }) => {
    if (type === "request.refused") {
      refused = data;
      if (request === data.request_id) say(data.failure);
    }
    const tells = type.startsWith("customer.") || type === "conversation.opened" || (type === "conversation.participant" && typeof data.reachable === "boolean");
    if (!of || !tells) return;
    const known = new Set([of, ...(app.person ? [...app.person.members.map(({ id }) => id), ...[...app.person.suggestions, ...app.person.apart].map(({ other }) => other)] : [])]);
    if (![data.customer, data.home, data.into, data.other, ...(data.customers ?? [])].some((one) => known.has(one))) return;
    if (type === "customer.erased" && dialog.open && data.customers?.includes(of)) [step, trouble.hidden] = ["begun", true];
    clearTimeout(due);
    due = setTimeout(() => look(), SETTLED);
  };
  return render;
}

/** What stands above the thread: of how many addresses the person is, and whether they may be somebody else's too. */
export function personButton({ words, person, openPerson }) {
  if (!person) return null;
  const maybe = others(person.suggestions).length;
  const said = maybe ? words.t("person_maybe", { n: maybe }) : words.t("person_addresses", { n: addressesOf(person) });
  return h("button", { type: "button", class: "tag link", data: { person: person.id, tone: maybe > 0 && "warn" }, title: words.t("person"), on: { click: openPerson } }, icon("people"), said);
}

/** By which that button is drawn again. */
export const personVersion = ({ person }) => person && [person.id, addressesOf(person), others(person.suggestions).length];

const addressesOf = ({ members }) => members.reduce((sum, { identities }) => sum + identities.length, 0);

/** Each once, however many of their addresses it is of. */
function others(all) {
  return [...new Map(all.toReversed().map((one) => [one.other, one])).values()].reverse();
}

function entriesOf(app, act, dialog) {
  const { words, person } = app;
  if (!person) return { members: [], suggestions: [], apart: [], conversations: [] };
  const drawn = (key, value, content) => ({ key, version: JSON.stringify([value, words.code, app.mayWrite()]), tag: "li", fill: (node) => node.replaceChildren(...present(content())) });
  const does = (word, ask) => app.mayWrite() && h("button", { type: "button", class: "tag link", data: { person: word }, on: { click: () => act(ask) } }, words.t(`person_${word}`));
  const button = (what, word, given) => does(word, (tenant) => app.api.askCustomer(what, { tenant, ...given }));
  const again = ({ id }, { address, bad_address: bad }) => {
    const place = bad && person.conversations.find((one) => one.home === id && one.peer === address && !one.container);
    return place && does("reachable", (tenant) => app.api.ask(place.id, "reachable", { tenant, reason: reasonOf() }));
  };
  const both = (one, reason) => ({ customers: [person.id, one.other], reason });
  return {
    members: person.members.map((member) => drawn(member.id, [member, person.bonds, person.id, person.conversations.length], () => [
      h("div", { class: "account-words" }, memberViews(words, person, member)),
      ...member.identities.map((one) => again(member, one)),
      member.id !== person.id && button(`${member.id}/split`, "split", { reason: reasonOf() }),
    ])),
    suggestions: others(person.suggestions).map((one) => drawn(one.other, one, () => [
      otherViews(words, one),
      button("merge", "same", both(one, reasonOf(one.reason))),
      button("apart", "differ", both(one, reasonOf())),
    ])),
    apart: others(person.apart).map((one) => drawn(one.other, one, () => [otherViews(words, one), button("merge", "undo", both(one, reasonOf()))])),
    conversations: conversationsOf(app).map((one) => ({
      key: one.id, version: JSON.stringify([one, words.code, one.id === app.selected, new Date().toDateString()]), tag: "li",
      fill: (node) => node.replaceChildren(conversationView(app, one, () => { dialog.close(); app.select(one.id); })),
    })),
  };
}

/** What stands at the end: the button, what it asks before, and what became of it. */
function erasureOf(app, step, { ask, keep, erase }) {
  const { words, person } = app;
  const button = (word, on, kind) => h("button", { type: "button", class: kind, data: { person: word }, on: { click: on } }, words.t(`person_${word}`));
  const entry = (key, role, ...views) => ({ key, version: JSON.stringify([step, words.code, person && addressesOf(person)]), tag: "div", fill: (node) => { if (role) node.setAttribute("role", role); node.replaceChildren(...views); } });
  if (step?.erased_at) return [entry("told", "status", h("p", {}, words.t(step.open ? "person_erased_open" : "person_erased", { time: words.moment(new Date(step.erased_at)) })))];
  if (step === "begun") return [entry("told", "status", h("p", {}, words.t("person_erasing")))];
  if (!person || !app.mayErase()) return [];
  if (step !== "asked") return [entry("erase", null, button("erase", ask, "quiet"))];
  return [entry("asked", null,
    h("p", { id: "erase-asked" }, words.t("person_erase_asked", { n: addressesOf(person) })),
    h("div", { role: "group", "aria-describedby": "erase-asked" }, button("keep", keep, "quiet"), button("erase_now", erase, "primary danger")))];
}

/** As the list shows them where it does, which is as they are now. */
function conversationsOf({ person, conversations }) {
  const all = person.conversations.map((one) => conversations.get(one.id) ?? one);
  return all.sort((one, other) => Date.parse(other.last_at) - Date.parse(one.last_at));
}

function memberViews(words, person, member) {
  const named = new Map(person.members.map((one) => [one.id, titleOf(words, one)]));
  const joined = person.bonds.filter(({ live, a, b }) => live && (a === member.id || b === member.id));
  return [
    ...member.identities.map(({ kind, address, name }) => h("p", { class: "account-name address", dir: "auto" }, badge(kind), h("span", {}, `${kindName(kind, words)} · `, h("bdi", {}, address), ...present([name && name !== address && [" · ", h("bdi", {}, name)]]).flat()))),
    ...member.identities.filter(({ bad_address: bad }) => bad).map(({ bad_address: bad }) => h("p", { class: "soft", dir: "auto", data: { tone: "warn" } }, words.t("person_unreachable", { time: words.moment(new Date(bad.since)) }), " ", detailOf(bad))),
    !member.identities.length && h("p", { class: "account-name" }, titleOf(words, member)),
    h("p", { class: "soft" }, words.t(member.id === person.id ? "person_first" : "person_since", { time: words.moment(new Date(member.born)) })),
    ...(member.id === person.id ? [] : joined.map((bond) => h("p", { class: "soft", dir: "auto", data: { bond: bond.source } }, becauseOf(words, bond, named.get(bond.a === member.id ? bond.b : bond.a))))),
    member.shared && h("p", { class: "soft" }, words.t("person_shared")),
  ].filter(Boolean);
}

function otherViews(words, one) {
  return h("div", { class: "account-words" },
    h("p", { class: "account-name" }, h("bdi", {}, one.name || one.other.slice(0, 8))),
    h("p", { class: "soft", dir: "auto" }, evidence(words, one.reason)));
}

function conversationView(app, one, open) {
  const { words } = app;
  const at = new Date(one.last_at);
  const view = h("button", { type: "button", class: "hit", data: { conversation: one.id }, on: { click: open } },
    face(one, words),
    h("span", { class: "row-name", dir: "auto" }, ...nameViews(one, words)),
    h("time", { class: "row-time", datetime: one.last_at, title: words.full(at) }, words.when(at)),
    h("span", { class: "row-preview", dir: "auto" }, about(one, words)));
  if (one.id === app.selected) view.setAttribute("aria-current", "true");
  return view;
}

function badge(kind) {
  const [channel] = kind.split(":");
  return h("span", { class: "channel", data: { channel } }, channelIcon(channel));
}

/** What an address is, and whose ids it is of: "Facebook (shop)". */
function kindName(kind, words) {
  const [channel, ...account] = kind.split(":");
  return channelName(channel, words) + (account.length ? ` (${account.join(":")})` : "");
}

function titleOf(words, { id, identities }) {
  const named = identities.find(({ name }) => name) ?? identities[0];
  return named ? nameOf({ name: named.name, peer: named.address }, words) : id.slice(0, 8);
}

function becauseOf(words, { source, reason }, other) {
  return words.t(source === "asked" ? "person_asked" : "person_proved", { other, why: evidence(words, reason) });
}

/** "phone: the provider says so, but they were parted (Dara)" in the reader's language; anybody else's words as they are. */
function evidence(words, reason) {
  const [, kind, proof, but, who] = /^(.+): ([^:]+?)(?:, but (.+?))?(?: \((.+)\))?$/.exec(reason) ?? [];
  if (!Object.hasOwn(SAID, proof ?? "")) return reason || words.t("no_reason");
  const said = words.t(`proof_${SAID[proof]}`, { kind: kindName(kind, words) });
  const hinders = Object.hasOwn(SAID, but ?? "") && words.t(`but_${SAID[but]}`);
  return [said, hinders, who].filter(Boolean).join(" · ");
}

/** Why, for whoever reads the event: what was suggested, and who took it. */
function reasonOf(suggested = "") {
  const who = keptAuthor() || "console";
  return (suggested ? `${suggested} (${who})` : who).slice(0, REASON);
}
