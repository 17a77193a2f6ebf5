// What may be written to a conversation now, and until when.

const MONTH = 30 * 24 * 3600 * 1000; // ms; a window that long is as good as open

/**
 * {kind, until (ms or null)} at `now` (ms). Kinds: open (always), free (until then), human (a person, until then),
 * template (only templates; `until` is when the rest ended), closed (nothing; since then).
 */
export function windowAt(window, now) {
  const { until, allows = ["free_text"], human_agent_until: human } = window ?? {};
  const end = until ? Date.parse(until) : null;
  if (allows.includes("free_text") && (end === null || end - now > MONTH)) return { kind: "open", until: null };
  if (allows.includes("free_text") && end > now) return { kind: "free", until: end };
  if (human && Date.parse(human) > now) return { kind: "human", until: Date.parse(human), since: end };
  return { kind: allows.includes("template") ? "template" : "closed", until: end };
}

/** Until when (ms) this public comment may be answered in private; null: for ever; 0: no longer. */
export function privateUntil(window, now) {
  if (!window?.private_until) return null;
  const until = Date.parse(window.private_until);
  return until > now ? until : 0;
}
