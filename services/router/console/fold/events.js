// Events by their short names, and the one rule of every consumer.

import { unturned } from "../plain.js";

/** "parley.message.received.v1" → "message.received". */
export function shortType(type) {
  return (type ?? "").replace(/^parley\./, "").replace(/\.v\d+$/, "");
}

/** From the stream or from the API: {type, sequence, at, published_at, data}. */
export function normal(event) {
  const data = unturned(isRecord(event.data) ? event.data : {});
  return {
    type: shortType(event.type),
    sequence: event.sequence ?? data.sequence ?? null,
    at: [event.at, event.time, data.occurred_at].find((one) => !Number.isNaN(Date.parse(one))) ?? new Date().toISOString(),
    published_at: event.published_at ?? null,
    conversation: typeof data.conversation === "string" ? data.conversation : null,
    data,
  };
}

const isRecord = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** Drop what is not above the last sequence seen; what carries none (typing, a refusal without a conversation) passes. */
export function isNew(event, seen) {
  return event.sequence === null || event.sequence > seen;
}

/** One line of text for a message, or a kind for which the page has a word: {text} or {kind}. */
export function previewOf(parts) {
  for (const part of parts ?? []) {
    const text = part.text || part.caption || (part.kind === "choice" && (part.title || part.id)) || (part.kind === "contact" && part.name);
    if (text) return { text: text.slice(0, 200) };
  }
  const first = parts?.[0];
  return { kind: first?.kind === "media" ? first.media : first?.kind ?? "unsupported" };
}
