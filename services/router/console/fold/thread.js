// One conversation's messages, folded from its events in sequence order.

import { isNew } from "./events.js";

/** Begins after sequence `seen`. `entries`: messages and notes in order. `asked`: replies that the router has not yet announced. */
export function createThread(id, seen = 0) {
  return { id, seen, first: seen + 1, entries: [], messages: new Map(), external: new Map(), asked: new Map(), refusal: null };
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

/** A reply was accepted by the bus: show it until the router announces or refuses it. */
export function askIn(thread, { message_id: id, request_id }, { parts, at }) {
  if (thread.messages.has(id) || thread.refusal?.request_id === request_id) return;
  thread.asked.set(id, { id, request_id, direction: "outbound", parts, at, status: "asked", ...untouched() });
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
  for (const [id, one] of before.asked) if (!thread.messages.has(id)) thread.asked.set(id, one);
  thread.refusal = before.refusal;
  return thread;
}

const untouched = () => ({ author: null, failure: null, reactions: new Map(), earlier: [], edited_at: null, deleted_at: null, version: 0, records: [] });

const CHANGES = {
  "message.received": (thread, event) => {
    const { message } = event.data;
    add(thread, event, {
      id: message.id, direction: message.direction, echo: message.direction === "outbound", parts: message.parts,
      author: message.sender?.name ?? message.sender?.address ?? null, at: message.occurred_at ?? event.at,
      external_ids: [message.external_id, ...(message.external_ids ?? [])],
    });
  },
  "message.queued": (thread, event) => {
    const { message } = event.data;
    thread.asked.delete(message.id);
    add(thread, event, { id: message.id, direction: "outbound", parts: message.parts, author: message.author ?? null, at: event.at, status: "queued" });
  },
  "message.status": (thread, event) => {
    const { data } = event;
    name(thread, data.message_id, data.external_ids);
    change(thread, data.message_id, event, (message) => Object.assign(message, { status: data.status, failure: data.failure ?? null }));
  },
  "message.media": (thread, event) => {
    const { media } = event.data;
    change(thread, media.message_id, event, (message) => {
      const known = Object.fromEntries(Object.entries(media).filter(([field, value]) => value !== null && MEDIA.has(field)));
      message.parts = message.parts.map((part, at) => (at === media.part ? { ...part, ...known } : part));
    });
  },
  "message.edited": (thread, event) => {
    const parts = event.data.message.parts.filter((part) => part.kind !== "edit");
    change(thread, target(thread, event), event, (message) => {
      message.earlier.push({ parts: message.parts, at: message.edited_at ?? message.at });
      Object.assign(message, { parts, edited_at: event.at });
    }, "edited_elsewhere");
  },
  "message.deleted": (thread, event) =>
    change(thread, target(thread, event), event, (message) => { message.deleted_at = event.at; }, "deleted_elsewhere"),
  "message.reaction": (thread, event) =>
    change(thread, target(thread, event), event, (message) => {
      if (event.data.emoji) message.reactions.set(event.data.sender.address, event.data.emoji);
      else message.reactions.delete(event.data.sender.address);
    }, "reacted_elsewhere"),
  "request.refused": (thread, event) => {
    if (thread.refusal?.request_id !== event.data.request_id) note(thread, event, "refused", event.data.failure);
  },
  "conversation.opened": (thread, event) => note(thread, event, "opened"),
  "conversation.closed": (thread, event) => note(thread, event, "closed"),
  "conversation.reopened": (thread, event) => note(thread, event, "reopened"),
  "conversation.merged": (thread, event) => note(thread, event, "merged"),
};

const MEDIA = new Set(["state", "blob", "mime_type", "size", "sha256", "name", "reason"]);

function add(thread, event, { external_ids = [], ...message }) {
  const whole = { ...untouched(), status: null, ...message, records: [event] };
  thread.messages.set(message.id, whole);
  thread.entries.push(whole);
  name(thread, message.id, external_ids);
}

function name(thread, id, externalIds = []) {
  for (const external of externalIds) if (external) thread.external.set(external, id);
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

function note(thread, event, kind, failure = null) {
  thread.entries.push({ id: `note-${event.sequence ?? event.at}`, note: kind, failure, at: event.at, version: 0 });
}
