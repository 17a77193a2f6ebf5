// A message's way: the places that it and what followed from it passed, in the order of time.

/** [{place, at (ms), about, status, since (ms from the first), gap (ms from the one before)}] for a message of a thread. */
export function wayOf(message) {
  const steps = message.records.flatMap(stepsOf).sort((one, other) => one.at - other.at);
  const unique = steps.filter((step, at) => !steps.slice(0, at).some((known) => known.place === step.place && known.at === step.at));
  return unique.map((step, at) => ({ ...step, since: step.at - unique[0].at, gap: at ? step.at - unique[at - 1].at : 0 }));
}

function stepsOf(event) {
  const status = event.data.status ?? null;
  const steps = (event.data.trail ?? []).map((step) => ({ place: step.place, at: instant(step.at), about: null, status }));
  if (event.published_at) steps.push({ place: "events", at: instant(event.published_at), about: event.type, status });
  return inOrder(steps);
}

/** The broker stamps whole milliseconds: what it stamped is not before what led to it. */
function inOrder(steps) {
  let latest = -Infinity;
  return steps.map((step) => {
    latest = Math.max(latest, step.at);
    return { ...step, at: latest };
  });
}

/** Milliseconds since 1970, with the microseconds that Date leaves out. */
function instant(text) {
  const micros = /\.\d{3}(\d{1,3})/.exec(text)?.[1] ?? "";
  return Date.parse(text) + Number(`0.${micros || 0}`);
}
