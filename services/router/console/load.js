// What the API knows and the live events do not tell: rows, earlier messages, accounts, times on the bus.

import { LISTS, addRows, applyToList } from "./fold/conversations.js";
import { normal } from "./fold/events.js";
import { applyToThread, beginBehind, createThread, introduce, keepAsked } from "./fold/thread.js";
import { keptMarks } from "./keep.js";
import { unturned } from "./plain.js";

const FIRST = 200; // events of a conversation that are shown at first, and how many "earlier" adds
const PAGE = 500;
const END = 2 ** 53; // above every sequence
const CAUGHT_UP = 8; // conversations whose unread messages are counted at the same time
const WIDE = matchMedia("(min-width: 47.01rem)");

export function accountKey({ tenant, channel, account }) {
  return [tenant, channel, account].join("|");
}

/** The conversation that the page's address names; an id in the one way in which the router writes it. */
export function wished() {
  const id = new URLSearchParams(location.hash.slice(1)).get("conversation");
  const [, digits] = /^\{?([0-9a-f-]{32,36})\}?$/.exec(id?.toLowerCase()) ?? [];
  return digits?.replaceAll("-", "").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5") ?? id;
}

/** What the router does not know, what is no id at all, or who was erased (`gone`: its words for it), is an answer too. */
function known(error) {
  if (error.status === 410) return { id: null, gone: error.message };
  if (error.status === 404 || error.status === 400) return { id: null };
  throw error;
}

export function createLoader(app) {
  let threadLoading = null;
  const lookedUp = new Set();

  /** Do it; null where the router refuses, which the page then says. */
  async function attempt(work) {
    try {
      const result = await work();
      app.trouble = null;
      return result;
    } catch (error) {
      if (error.status === 401 || error.status === 403) app.leave(error.status);
      else app.trouble = error.code ?? "unknown";
      app.changed();
      return null;
    }
  }

  async function rows(before = "") {
    const { list } = app;
    const page = await attempt(() => app.api.conversations({ before, ...LISTS[list].asked }));
    if (!page || list !== app.list) return;
    await countUnread(page.conversations);
    addRows(app.conversations, page.conversations);
    Object.assign(app, { next: page.next, loaded: true });
    app.changed();
  }

  /** What came since this browser last looked is unread; what had moved before anyone looked here is not. */
  async function countUnread(fresh) {
    const { since, marks } = keptMarks();
    const known = (row) => marks.get(row.id) ?? { seen: Date.parse(row.last_at) > since ? 0 : Infinity, unread: 0 };
    for (const row of fresh) row.unread = known(row).unread;
    const moved = fresh.filter((row) => row.last_sequence > known(row).seen);
    while (moved.length) await Promise.all(moved.splice(0, CAUGHT_UP).map((row) => countOne(row, known(row).seen)));
  }

  async function countOne(row, seen) {
    const answer = await attempt(() => app.api.conversation(row.id, seen, PAGE));
    const apart = new Map([[row.id, { ...row, last_sequence: seen }]]);
    for (const event of (answer?.events ?? []).map(normal)) applyToList(apart, event, { reading: null, now: 0 });
    row.unread = apart.get(row.id).unread;
  }

  /** Conversations that are called so, and the newest messages with these words; `next`: there are more of them. */
  async function search(q) {
    const [called, said] = await Promise.all([attempt(() => app.api.conversations({ q })), attempt(() => app.api.search({ q }))]);
    addRows(app.conversations, called?.conversations ?? []);
    return { q, ids: new Set(called?.conversations.map((row) => row.id)), messages: said?.messages ?? [], next: said?.next ?? null };
  }

  async function searchOn(found) {
    const said = await attempt(() => app.api.search({ q: found.q, before: found.next }));
    if (said) Object.assign(found, { messages: [...found.messages, ...said.messages], next: said.next });
    app.changed();
  }

  async function catchUp() {
    app.config ??= await attempt(() => app.api.config());
    await accounts();
    if (!app.loaded) {
      await rows();
      await first();
    }
  }

  async function accounts() {
    for (const one of (await attempt(() => app.api.accounts())) ?? []) app.accounts.set(accountKey(one), one);
    app.parts = await app.api.state().catch(() => []);
    app.changed();
    if (app.selected && !app.thread && !app.unknown && !app.trouble) await thread(app.selected);
  }

  /** Nothing is chosen yet: what the address names, or, where it names nothing and there is room beside the list, the newest. */
  async function first() {
    if (app.selected) return;
    const [newest] = app.conversations.keys();
    const id = wished() ?? (WIDE.matches ? newest : null);
    if (id) await app.select(id);
  }

  /** An event told of a conversation that no list has shown: who it is with, and where. */
  async function row(id) {
    if (lookedUp.has(id)) return;
    lookedUp.add(id);
    const { events, ...found } = await app.api.conversation(id, END, 1).catch(known).catch(() => ({}));
    if (found.id) addRows(app.conversations, [found]);
    else lookedUp.delete(id);
    if (found.id === null) app.conversations.delete(id);
    app.changed();
  }

  /** One load at a time; a conversation that moved meanwhile is loaded again. */
  async function thread(id, from = null) {
    if (threadLoading === id) return;
    threadLoading = id;
    try {
      for (let round = 0; round < 3; round += 1) {
        const loaded = await attempt(() => readThread(id, from).catch(known));
        if (!loaded || app.selected !== id) return;
        Object.assign(app, { thread: loaded.id ? loaded : null, unknown: loaded.id ? null : id });
        app.changed();
        if (app.unknown || loaded.seen >= app.conversations.get(id).last_sequence) return;
      }
    } finally {
      if (threadLoading === id) threadLoading = null;
    }
  }

  async function readThread(id, from) {
    const start = from ?? Math.max(0, (app.conversations.get(id)?.last_sequence ?? 0) - FIRST);
    const made = createThread(id, start);
    for (;;) {
      const { events, people, ...row } = await app.api.conversation(id, made.seen, PAGE);
      beginBehind(made, row.removed_to);
      introduce(made, people);
      for (const event of events.map(normal)) {
        applyToThread(made, { ...event, published_at: app.times.get(`${id} ${event.sequence}`) ?? null });
        app.settle(event);
      }
      addRows(app.conversations, [row]);
      if (events.length < PAGE) break;
    }
    if (start > 0) made.linked = (await app.api.conversation(id, 0, 1)).events[0]?.data.linked ?? null;
    return keepAsked(made, app.thread);
  }

  /** The person whom a customer is; {id: null}: not known, or `gone`. */
  const person = async (id, before) => unturned(await attempt(() => app.api.customer(id, before).catch(known)));

  /** When the log took a message's events that were not heard live; asked once, and `times_asked` says so. */
  async function times(message) {
    if (message.times_asked === message.records.length) return;
    message.times_asked = message.records.length;
    const published = await app.api.published(message.id).catch(() => null);
    if (!published) return;
    for (const record of message.records) record.published_at ??= published[record.sequence] ?? null;
    message.times_gone = message.records.some((record) => !record.published_at);
    app.changed();
  }

  const earlier = () => thread(app.selected, Math.max(0, app.thread.first - 1 - FIRST));

  return { rows, row, search, searchOn, catchUp, accounts, first, thread, person, earlier, times };
}
