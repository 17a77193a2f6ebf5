// The desk behind the token: what is known, what changes it, and the views that show it.

import { createApi } from "./api.js";
import { accountKey, createLoader, wished } from "./load.js";
import { GROWING, applyToList, createConversations, newestFirst, removeErased } from "./fold/conversations.js";
import { normal } from "./fold/events.js";
import { applyToThread, askIn, newestMessage, refuseAsked } from "./fold/thread.js";
import { createMarkKeeper } from "./keep.js";
import { listenForKeys } from "./keys.js";
import { follow } from "./stream.js";
import { createAccounts } from "./view/accounts.js";
import { createChanges } from "./view/changes.js";
import { createConnection } from "./view/connection.js";
import { createCustomer } from "./view/customer.js";
import { createHelp } from "./view/help.js";
import { createList } from "./view/list.js";
import { createPerson } from "./view/person.js";
import { createReply } from "./view/reply.js";
import { createSwitch } from "./view/switch.js";
import { isIll } from "./view/system.js";
import { createThreadView } from "./view/thread.js";
import { createWay } from "./view/way.js";

const TIMES = 5_000; // events whose time on the bus is remembered
const TYPING_ENDS = 6_100; // ms
const TICK = 20_000; // ms; what counts down is drawn again
const ACCOUNTS = 30_000; // ms between two looks at the accounts
const DRAWN = 16; // ms from a change until it is drawn
const BEFORE = 20; // events that are shown above a message that was looked for
const AGAIN = 3_000; // ms until the next one while the router does not answer

export function openDesk({ words, token, leave }) {
  const app = {
    words, token, api: createApi(token), config: null, conversations: createConversations(), accounts: new Map(), parts: [],
    times: new Map(), selected: null, unknown: null, thread: null, chosen: null, follow: false, found: null, list: "all", next: null, loaded: false,
    state: "connecting", trouble: null, offline: false,
  };
  let stop = () => {};
  app.leave = (status) => { stop(); leave(status); };
  app.account = (row) => app.accounts.get(accountKey(row));
  app.mayWrite = () => app.config?.scope !== "read"; // whether the token may
  app.mayErase = () => app.config?.scope === "admin";
  app.capabilities = (row) => app.account(row)?.capabilities;
  app.wayMessage = () => app.thread?.messages.get(app.chosen) ?? newestMessage(app.thread);

  const load = createLoader(app);
  app.showView = createSwitch();
  addActions(app, load);
  createChanges(app);
  const reply = createReply(app);
  const customer = createCustomer(app);
  const person = createPerson(app, load);
  app.hearPerson = person.hear;
  app.settle = (event) => { app.follow ||= reply.settle(event) && event.conversation === app.selected; };
  app.writeAgain = (message) => { app.thread.asked.delete(message.id); reply.writeAgain(message); app.changed(); };
  app.answer = (message) => { reply.answer(message); app.changed(); };
  drawOnChange(app, [createList(app), person, createThreadView(app), reply, createWay(app), customer, createConnection(app), createAccounts(app, customer)]);
  listenForKeys(app, { reply, customer, help: createHelp(app) });

  document.getElementById("desk").hidden = false;
  document.addEventListener("words", () => app.changed());
  addEventListener("hashchange", () => wished() && app.select(wished()));
  document.addEventListener("visibilitychange", () => markRead(app));
  const clocks = [setInterval(() => app.changed(), TICK), lookAtAccounts(app, load)];
  const quit = follow(app.api, {
    heard: (raw) => hear(app, load, normal(raw)).catch((error) => console.warn("an event that this page cannot read", raw.type, error)),
    stood: () => load.catchUp(),
    state: (state, code) => {
      if (state === "refused") return app.leave(401);
      Object.assign(app, { state, offline: code === "offline" });
      app.changed();
    },
  });
  stop = () => { quit(); clocks.forEach(clearInterval); };
  app.changed();
}

/** Every ACCOUNTS; every AGAIN while there is trouble, so that its end is soon seen; at once when the browser's line comes or goes. */
function lookAtAccounts(app, load) {
  let looked = Date.now();
  const look = () => { looked = Date.now(); load.accounts(); };
  for (const change of ["online", "offline"]) addEventListener(change, look);
  return setInterval(() => {
    if (!document.hidden && (app.trouble || app.parts.some(isIll) || Date.now() - looked >= ACCOUNTS)) look();
  }, AGAIN);
}

function addActions(app, load) {
  app.select = async (id) => {
    app.showView("thread");
    if (app.selected !== id) {
      Object.assign(app, { selected: id, unknown: null, thread: null, chosen: null });
      history.replaceState(null, "", `#${new URLSearchParams({ conversation: id })}`);
    }
    markRead(app);
    if (!app.thread) await load.thread(id);
    markRead(app);
    const row = app.conversations.get(id);
    if (row && !app.account(row)) await load.accounts();
  };
  app.selectBeside = (step) => {
    const all = newestFirst(app.conversations);
    const next = all[Math.max(0, Math.min(all.length - 1, all.findIndex((one) => one.id === app.selected) + step))];
    if (next) app.select(next.id);
  };
  app.selectMessage = (id) => {
    if (app.chosen === id) return;
    app.chosen = id;
    app.changed();
  };
  /** The newest question's answer is shown, whichever comes last. */
  app.search = async (q) => {
    app.asking = q;
    const found = q ? await load.search(q) : null;
    if (app.asking === q) app.found = found;
    app.changed();
  };
  app.showList = async (list) => {
    Object.assign(app, { list, next: null });
    app.changed();
    await load.rows();
  };
  app.loadMore = () => (app.found ? load.searchOn(app.found) : load.rows(app.next));
  app.openAt = async ({ conversation, id, sequence }) => {
    await app.select(conversation);
    if (!app.thread?.messages.has(id)) await load.thread(conversation, Math.max(0, sequence - BEFORE));
    app.selectMessage(id);
    setTimeout(() => app.bring(id), 2 * DRAWN);
  };
  app.loadEarlier = () => load.earlier();
  app.loadTimes = (message) => load.times(message);
  app.loadAccounts = () => load.accounts();
  app.asked = (conversation, answer, { asked, refused }) => {
    if (app.thread?.id === conversation) {
      askIn(app.thread, answer, { ...asked, at: new Date().toISOString() });
      if (refused) refuseAsked(app.thread, { data: { request_id: answer.request_id, failure: refused } });
    }
    Object.assign(app, { chosen: answer.message_id, follow: true });
    app.changed();
  };
}

/** Draw all views once for however many changes. Not by animation frames: a hidden tab keeps its title and unread marks. */
function drawOnChange(app, views) {
  const keepMarks = createMarkKeeper();
  let due = false;
  app.changed = () => {
    if (due) return;
    due = true;
    setTimeout(() => {
      due = false;
      for (const view of views) view();
      if (app.loaded) keepMarks(app.conversations);
    }, DRAWN);
  };
}

async function hear(app, load, event) {
  remember(app, event);
  app.settle(event);
  app.hearPerson(event);
  if (event.type === "request.refused" && app.thread) refuseAsked(app.thread, event);
  const reading = document.hidden ? null : app.selected;
  applyToList(app.conversations, event, { reading, now: Date.now() });
  if (event.type === "customer.erased") forget(app, event.data);
  if (event.type === "conversation.typing") setTimeout(app.changed, TYPING_ENDS);
  if (event.type === "message.growing") setTimeout(app.changed, GROWING + 100);
  const row = app.conversations.get(event.conversation);
  if (row && !row.whole) load.row(row.id);
  if (app.unknown && app.unknown === event.conversation) await load.thread(app.unknown);
  const here = app.thread && app.thread.id === event.conversation;
  app.changed();
  if (here && applyToThread(app.thread, event) === "gap") await load.thread(app.selected);
  if (!app.selected && event.conversation) await load.first();
}

function forget(app, erased) {
  const gone = removeErased(app.conversations, erased);
  if (app.found) app.found.messages = app.found.messages.filter(({ conversation }) => !gone.includes(conversation));
  if (gone.includes(app.selected)) Object.assign(app, { unknown: app.selected, thread: null, chosen: null });
}

/** The stream says when Kafka took an event; what is not heard live is looked up (see load.times). */
function remember(app, event) {
  if (!event.published_at || event.sequence === null) return;
  app.times.set(`${event.conversation} ${event.sequence}`, event.published_at);
  if (app.times.size > TIMES) app.times.delete(app.times.keys().next().value);
}

function markRead(app) {
  const row = app.conversations.get(app.selected);
  if (row && !document.hidden) row.unread = 0;
  app.changed();
}
