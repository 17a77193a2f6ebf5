// The list: what is known of each conversation, folded from the API's rows and the events after them.

import { unturned } from "../plain.js";
import { isNew, previewOf } from "./events.js";

const TYPING = 6_000; // ms that someone counts as typing
export const GROWING = 30_000; // and that an answer counts as still written
const NOBODY = new Set(["automatic", "out_of_office", "bounce", "complaint", "receipt"]); // mails that wait for no answer
const LOST = new Set(["failed", "expired", "unknown"]); // how a send may end that somebody should look at

export function createConversations() {
  return new Map();
}

/** Take rows of the API; a row older than what the events have told already only fills what they do not say. */
export function addRows(all, rows) {
  for (const row of rows.map((one) => unturned(one))) {
    const known = all.get(row.id);
    const fresh = { unread: 0, typing_until: 0, ...known, ...row, whole: true };
    if (known && known.last_sequence > row.last_sequence) {
      Object.assign(fresh, { last_sequence: known.last_sequence, last_at: known.last_at, preview: known.preview, status: known.status, window: known.window, sending: known.sending, blocked_at: known.blocked_at, responder: known.responder, braked_until: known.braked_until, ...work(known) });
    }
    all.set(row.id, fresh);
  }
}

/** What the desk works with, as the router keeps it. */
function work({ assignee, tags, priority, waiting_since, unread_from, failure }) {
  return { assignee, tags, priority, waiting_since, unread_from, failure };
}

/** Fold one event in; whether anything changed. `reading`: the conversation that someone is looking at. */
export function applyToList(all, event, { reading, now }) {
  if (!event.conversation) return false;
  const known = all.get(event.conversation);
  if (known && !isNew(event, known.last_sequence)) return false;
  const row = known ?? firstSight(event);
  if (event.sequence !== null) row.last_sequence = event.sequence;
  all.set(row.id, row);
  CHANGES[event.type]?.(row, event, { reading, now });
  return true;
}

/** Whoever is erased takes along what was theirs alone; where others wrote too, it stays. The ids of what went. */
export function removeErased(all, { customers = [] }) {
  const gone = [...all.values()].filter(({ home, container }) => !container && customers.includes(home)).map(({ id }) => id);
  for (const id of gone) all.delete(id);
  return gone;
}

function firstSight(event) {
  const { data } = event;
  const source = data.message ?? data;
  return {
    id: event.conversation, tenant: data.tenant, customer: data.customer ?? null, home: data.home ?? data.customer ?? null, channel: source.channel ?? "",
    account: source.account ?? "", peer: source.peer ?? "", name: null, name_verified: false, subject: null, preview: null, status: "open",
    window: {}, last_sequence: 0, opened_at: event.at, last_at: event.at, container: null, unread: 0, typing_until: 0,
    assignee: null, tags: [], priority: null, waiting_since: null, unread_from: null, failure: null, sending: null, whole: event.type === "conversation.opened",
  };
}

const CHANGES = {
  "conversation.opened": (row, { data }) => {
    Object.assign(row, { channel: data.channel, account: data.account, peer: data.peer, status: "open", surface: data.surface ?? row.surface, container: data.container ?? null, subject: data.subject ?? row.subject, window: data.window ?? row.window, begins: true });
  },
  "conversation.closed": (row) => { Object.assign(row, { status: "closed", waiting_since: null, unread_from: null, failure: null, unread: 0 }); },
  "conversation.reopened": (row) => { row.status = "open"; },
  "conversation.assigned": (row, { data }) => { row.assignee = data.assignee ?? null; },
  "conversation.tagged": (row, { data }) => { Object.assign(row, { tags: data.tags ?? [], priority: data.priority ?? null }); },
  "conversation.read": (row, { data }) => {
    if (row.heard > data.upto) row.unread_from = Math.max(row.unread_from ?? 0, data.upto + 1);
    else Object.assign(row, { unread_from: null, unread: 0 });
  },
  "conversation.participant": (row, { data, at }) => {
    if (data.participant.name && data.participant.name !== row.name) Object.assign(row, { name: data.participant.name, name_verified: false });
    if (typeof data.blocked === "boolean") row.blocked_at = data.blocked ? at : null;
  },
  "conversation.responder": (row, { data }) => { row.responder = data.responder ?? null; },
  "conversation.braked": (row, { data }) => { row.braked_until = data.until; },
  "conversation.typing": (row, event, { now }) => { row.typing_until = now + TYPING; },
  "message.growing": (row, { data, at }, { now }) => { row.growing = { id: data.message_id, text: data.text, author: data.author ?? null, at, until: now + GROWING }; },
  "message.received": (row, event, { reading }) => {
    const { message, flagged, waited_since: waited } = event.data;
    latest(row, event, message.parts);
    if (message.direction === "outbound") {
      if (waited) row.waiting_since = null;
      return;
    }
    if (!flagged) {
      row.heard = event.sequence;
      row.unread_from ??= event.sequence;
      if (!NOBODY.has(message.assessment?.kind) && !message.assessment?.spam && row.status === "open") row.waiting_since ??= message.occurred_at;
    }
    if (message.sender?.name && (!row.container || row.begins)) Object.assign(row, { name: message.sender.name, name_verified: message.sender.name_verified ?? false });
    row.begins = false;
    row.subject = message.thread?.subject ?? row.subject;
    row.window = message.window ?? row.window;
    row.typing_until = 0;
    if (row.id !== reading) row.unread += 1;
  },
  "message.queued": (row, event) => {
    latest(row, event, event.data.message.parts);
    row.sending = { message: event.data.message.id, status: "queued" };
    row.failure = null;
    if (event.data.waited_since) row.waiting_since = null;
    if (event.data.message.automatic === false || (event.data.message.automatic == null && event.data.message.author)) row.unread_from = null;
    if (row.growing?.id === event.data.message.id) row.growing = null;
    if (event.data.message.author) row.braked_until = null;
  },
  "message.status": (row, { data }) => {
    if (row.sending?.message === data.message_id) row.sending = { message: data.message_id, status: data.status };
    if (LOST.has(data.status)) row.failure = { message: data.message_id, status: data.status };
    else if (row.failure?.message === data.message_id) row.failure = null;
  },
};

function latest(row, event, parts) {
  row.last_at = event.at ?? row.last_at;
  const { text, kind } = previewOf(parts);
  row.preview = text ?? null;
  row.preview_kind = kind ?? null;
}

/** How our newest message there ended, if it did not arrive or may not have; else null. */
export function lostSend({ sending }) {
  return LOST.has(sending?.status) ? sending.status : null;
}

export function newestFirst(all) {
  return [...all.values()].sort((one, other) => Date.parse(other.last_at) - Date.parse(one.last_at) || (one.id < other.id ? 1 : -1));
}

/** The lists of the desk: what each asks the router for, and which of the rows that are known here stand in it. */
export const LISTS = {
  all: { asked: {}, has: () => true },
  waiting: { asked: { waiting: 1 }, has: (row) => Boolean(row.waiting_since) },
  unread: { asked: { unread: 1 }, has: (row) => Boolean(row.unread_from) },
  failed: { asked: { failed: 1 }, has: (row) => Boolean(row.failure) },
  closed: { asked: { status: "closed" }, has: (row) => row.status === "closed" },
};

/** The rows of a list: newest first, but who waits in the order in which they wait. */
export function listed(all, list) {
  const rows = newestFirst(all).filter(LISTS[list].has);
  return list === "waiting" ? rows.sort((one, other) => Date.parse(one.waiting_since) - Date.parse(other.waiting_since) || (one.id < other.id ? -1 : 1)) : rows;
}
