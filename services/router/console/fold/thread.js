// One conversation's messages, folded from its events in sequence order.

import { unturned } from "../plain.js";
import { isNew, previewOf } from "./events.js";

const FURTHEST = ["read", "delivered", "sent"];
const NOT_SENT = new Set(["failed", "refused", "expired", "cancelled"]);

/**
 * Begins after sequence `seen`. `entries`: messages and notes in order. `asked`: replies that the router has not yet
 * announced; `scheduled`: those that wait until they are due; `plans`: messages with other ways that go on. `linked`: the conversation whose messages this one names but
 * may not enter. `people`: names by address, of those whose messages do not say them.
 */
export function createThread(id, seen = 0) {
  return { id, seen, first: seen + 1, entries: [], messages: new Map(), edits: new Map(), external: new Map(), asked: new Map(), scheduled: new Map(), plans: new Map(), people: new Map(), refusal: null, linked: null };
}

/** What is no longer kept is no gap: the thread begins behind that sequence. */
export function beginBehind(thread, removed) {
  if (thread.seen < removed) Object.assign(thread, { seen: removed, first: removed + 1 });
}

/** Fold one event in; "known" (dropped), "gap" (something in between is missing: load it), or "new". */
export function applyToThread(thread, event) {
  if (!isNew(event, thread.seen)) return "known";
  if (event.sequence !== null && event.sequence > thread.seen + 1) return "gap";
  if (event.sequence !== null) thread.seen = event.sequence;
  CHANGES[event.type]?.(thread, event);
  return "new";
}

export function newestMessage(thread) {
  return thread?.entries.findLast((entry) => entry.parts) ?? null;
}

/** The message that this one answers, or its external id alone where that one is not here; null: it answers none. */
export function answeredBy(thread, message) {
  const external = message.reply_to;
  if (!external) return null;
  return thread.messages.get(thread.external.get(external)) ?? { external };
}

/** Names that were told before this thread begins: {address: name}. */
export function introduce(thread, people = {}) {
  for (const [address, name] of Object.entries(unturned(people, "name"))) thread.people.set(address, name);
}

/** The newest message of someone who takes part. */
export function newestWritten(thread) {
  return thread?.entries.findLast((one) => one.direction === "inbound" && !one.flagged) ?? null;
}

/** Whether the message that a private answer would go to has had one: a provider lets one through, ever. */
export function hadPrivateAnswer(thread, answers) {
  const external = answers?.external ?? newestWritten(thread)?.external;
  const own = [...(thread?.messages.values() ?? []), ...(thread?.asked.values() ?? [])];
  return Boolean(external) && own.some((one) => one.way === "private" && one.reply_to === external && !NOT_SENT.has(one.status));
}

/** A reply was accepted by the bus: show it until the router announces or refuses it. */
export function askIn(thread, { message_id: id, request_id }, asked) {
  if (isTold(thread, id) || thread.refusal?.request_id === request_id) return;
  thread.asked.set(id, { ...untouched(), id, request_id, direction: "outbound", status: "asked", ...asked });
}

/** Whether the router has announced it: it is on its way, or waits until it is due. */
const isTold = (thread, id) => thread.messages.has(id) || thread.scheduled.has(id);

/** What waits until it is due, in the order in which it will leave. */
export function waiting(thread) {
  return [...thread.scheduled.values()].sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
}

/** A refusal, with or without a conversation, of a reply that was asked for here. */
export function refuseAsked(thread, { data }) {
  const asked = [...thread.asked.values()].find((one) => one.request_id === data.request_id);
  if (!asked) return;
  Object.assign(asked, { status: "refused", failure: data.failure, version: asked.version + 1 });
  thread.refusal = { failure: data.failure, request_id: data.request_id, told: false };
}

/** What is still asked for in `before`, the same conversation read earlier, is so in `thread`. */
export function keepAsked(thread, before) {
  if (before?.id !== thread.id) return thread;
  for (const [id, one] of before.asked) if (!isTold(thread, id)) thread.asked.set(id, one);
  thread.refusal = before.refusal;
  return thread;
}

/** How far the pieces of a long message have come, where not all are as far: {status, n, all}, of the furthest, or of those by which it ended. */
export function furthestPieces({ status, pieces }) {
  const found = pieces.map((one) => one.status);
  const shown = NOT_SENT.has(status) ? status : FURTHEST.find((one) => found.includes(one));
  const n = found.filter((one) => one === shown).length;
  return n > 0 && n < found.length ? { status: shown, n, all: found.length } : null;
}

const untouched = () => ({
  author: null, sender: null, recipients: [], surface: "direct", way: "free_text", subject: null, reply_to: null, assessment: null, flagged: null, hidden: false,
  failure: null, pieces: [], seen: false, context: null, reactions: new Map(), earlier: [], edited_at: null, deleted_at: null, version: 0, records: [],
});

const CHANGES = {
  "message.received": (thread, event) => {
    const { message, flagged } = event.data;
    add(thread, event, {
      ...received(thread, message), id: message.id, direction: message.direction, echo: message.direction === "outbound", parts: message.parts, context: message.context ?? null,
      at: message.occurred_at ?? event.at, flagged: flagged ?? null, external_ids: [message.external_id, ...(message.external_ids ?? [])],
    });
  },
  "message.scheduled": (thread, { data }) => {
    thread.asked.delete(data.message_id);
    thread.scheduled.set(data.message_id, {
      ...untouched(), id: data.message_id, request_id: data.request_id, direction: "outbound", status: "scheduled", parts: data.parts, author: data.author ?? null, at: data.due, why: data.why ?? null,
    });
  },
  "message.queued": (thread, event) => {
    const { message } = event.data;
    thread.asked.delete(message.id);
    thread.scheduled.delete(message.id);
    add(thread, event, {
      id: message.id, direction: "outbound", parts: message.parts, author: message.author ?? null, at: event.at, status: "queued",
      surface: message.surface ?? "direct", way: message.way ?? "free_text", reply_to: message.thread?.reply_to ?? null, subject: message.thread?.subject ?? null,
    });
  },
  "message.status": (thread, event) => {
    const { data } = event;
    const waited = thread.scheduled.get(data.message_id);
    if (waited && thread.scheduled.delete(waited.id)) return note(thread, event, "taken_back", { message: previewOf(waited.parts) });
    name(thread, data.message_id, data.external_ids);
    change(thread, data.message_id, event, (message) => Object.assign(message, { status: data.status, failure: data.failure ?? null, pieces: data.pieces ?? [] }));
  },
  "message.media": (thread, event) => {
    const { media } = event.data;
    const edited = thread.edits.get(media.message_id); // of an edit, whose own part stands before what it shows
    const place = edited ? media.part - 1 : media.part;
    change(thread, edited ?? media.message_id, event, (message) => {
      if (edited && message.edit !== media.message_id) return; // another edit stands there now
      const known = Object.fromEntries(Object.entries(media).filter(([field, value]) => value !== null && MEDIA.has(field)));
      message.parts = message.parts.map((part, at) => (at === place ? { ...part, ...known } : part));
    });
  },
  "message.edited": (thread, event) => {
    const { message: edit } = event.data;
    const parts = edit.parts.filter((part) => part.kind !== "edit");
    if (!thread.messages.has(target(thread, event))) return showWords(thread, event, parts);
    thread.entries = thread.entries.filter((entry) => entry.id !== edit.id); // its words were shown ahead of their message
    thread.edits.set(edit.id, target(thread, event));
    return change(thread, target(thread, event), event, (message) => {
      message.earlier.push({ parts: message.parts, at: message.edited_at ?? message.at });
      Object.assign(message, { parts, edited_at: event.at, edit: edit.id });
    });
  },
  "message.deleted": (thread, event) =>
    change(thread, target(thread, event), event, (message) => { message.deleted_at = event.at; }, "deleted_elsewhere"),
  "message.visibility": (thread, event) =>
    change(thread, target(thread, event), event, (message) => { message.hidden = event.data.hidden; }, event.data.hidden ? "hidden_elsewhere" : "shown_elsewhere"),
  "message.reaction": (thread, event) =>
    change(thread, target(thread, event), event, (message) => react(message.reactions, event.data), "reacted_elsewhere"),
  "message.seen": (thread, event) => {
    const at = thread.entries.indexOf(thread.messages.get(event.data.message_id));
    for (const message of thread.entries.slice(0, at + 1)) {
      if (message.direction !== "inbound" || message.seen) continue;
      message.seen = true;
      message.version += 1;
    }
  },
  "plan.begun": (thread, event) => {
    const { plan: id, ways } = event.data;
    if (ways) thread.plans.set(id, { id, ways, step: 0 });
    notePlan(thread, event, "plan_begun");
  },
  "plan.way": (thread, event) => {
    const { plan: id, step, failure } = event.data;
    if (thread.plans.has(id)) thread.plans.set(id, { ...thread.plans.get(id), step });
    notePlan(thread, event, failure ? "plan_refused" : "plan_way");
  },
  "plan.withdrawn": (thread, event) => notePlan(thread, event, "plan_withdrawn"),
  "plan.ended": (thread, event) => {
    thread.plans.delete(event.data.plan);
    notePlan(thread, event, "plan_ended");
  },
  "request.refused": (thread, event) => {
    const { request_id: id, failure } = event.data;
    const waited = waiting(thread).find((one) => one.request_id === id);
    if (waited && thread.scheduled.delete(waited.id)) note(thread, event, "refused_when_due", { failure, message: previewOf(waited.parts) });
    else if (thread.refusal?.request_id !== id) note(thread, event, "refused", { failure });
  },
  "conversation.opened": (thread, event) => {
    thread.linked = event.data.linked ?? null;
    note(thread, event, thread.linked ? "linked" : "opened", { leads: thread.linked });
  },
  "conversation.notice": (thread, event) => {
    const { sender, notice, context, assessment: { kind, bounce } = {} } = event.data; // of what a mail server reports, whose kind begins the text
    const text = (notice.text ?? "").replace(kind ? `${kind}: ` : "", "");
    const name = kind ? `report_${bounce?.type === "delayed" ? "delayed" : kind}` : `notice_${notice.type}`;
    note(thread, event, name, { said: { name: sender.name ?? sender.address, to: notice.to ?? "", text }, context });
  },
  "conversation.responder": (thread, event) => note(thread, event, event.data.responder ? "responder" : "responder_back", { said: { name: event.data.responder ?? "" } }),
  "conversation.braked": (thread, event) => note(thread, event, "braked", { until: event.data.until }),
  "conversation.participant": (thread, event) => {
    const { participant, blocked } = event.data;
    if (typeof blocked === "boolean") note(thread, event, blocked ? "blocked" : "unblocked", { said: { name: participant.name ?? thread.people.get(participant.address) ?? participant.address } });
    if (typeof event.data.reachable === "boolean") note(thread, event, event.data.reachable ? "reachable" : "unreachable", { failure: event.data.failure ?? null, said: { address: participant.address } });
    if (!participant.name) return;
    thread.people.set(participant.address, participant.name);
    for (const message of thread.entries) {
      if (message.sender?.address !== participant.address || message.sender.name) continue;
      message.author = participant.name;
      message.version += 1;
    }
  },
  "conversation.closed": (thread, event) => note(thread, event, "closed"),
  "conversation.reopened": (thread, event) => note(thread, event, "reopened"),
  "conversation.merged": (thread, event) => note(thread, event, "merged", { leads: event.data.into }),
};

const MEDIA = new Set(["state", "blob", "mime_type", "size", "sha256", "name", "reason"]);

/** What stands on the envelope of a message that came in. */
function received({ people }, { sender, recipients, surface, thread, assessment }) {
  return {
    author: sender?.name ?? people.get(sender?.address) ?? null, sender: sender ?? null, recipients: recipients ?? [], surface: surface ?? "direct",
    subject: thread?.subject ?? null, reply_to: thread?.reply_to ?? null, assessment: assessment ?? null,
  };
}

function add(thread, event, { external_ids = [], ...message }) {
  const whole = { ...untouched(), status: null, ...message, external: external_ids.find(Boolean) ?? null, records: [event] };
  thread.messages.set(message.id, whole);
  thread.entries.push(whole);
  name(thread, message.id, external_ids);
}

/** The words of an edit whose message is not known here. */
function showWords(thread, event, parts) {
  const { message } = event.data;
  note(thread, event, "edited_elsewhere");
  add(thread, event, { ...received(thread, message), id: message.id, direction: message.direction ?? "inbound", parts, at: message.occurred_at ?? event.at, edited_at: event.at });
}

function name(thread, id, externalIds = []) {
  for (const external of externalIds) if (external) thread.external.set(external, id);
  const message = thread.messages.get(id);
  if (message) message.external ??= externalIds[0] ?? null;
}

function target(thread, event) {
  return event.data.message_id ?? thread.external.get(event.data.external_id);
}

function change(thread, id, event, apply, otherwise = null) {
  const message = thread.messages.get(id);
  if (message) {
    apply(message);
    message.records.push(event);
    message.version += 1;
  } else if (otherwise) note(thread, event, otherwise);
}

/** Each person's reactions are a set, by address: one change of it. */
function react(reactions, { sender: { address }, emoji, removed, replaces }) {
  const shown = emoji && !replaces ? new Set(reactions.get(address)) : new Set();
  if (removed) shown.delete(emoji);
  else if (emoji) shown.add(emoji);
  if (shown.size) reactions.set(address, shown);
  else reactions.delete(address);
}

/** Of a plan; one that names somebody who was erased says nothing any more. */
function notePlan(thread, event, kind) {
  if (event.data.plan) note(thread, event, kind, { failure: event.data.failure ?? null, plan: event.data });
}

function note(thread, event, kind, { failure = null, leads = null, said = {}, until = null, context = null, message = null, plan = {} } = {}) {
  thread.entries.push({ id: `note-${event.sequence ?? event.at}`, note: kind, failure, leads, said, until, context, message, plan, at: event.at, version: 0 });
}
