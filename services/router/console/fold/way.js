// A message's way: the places that it and what followed from it passed, in the order of time.

const SAME = 0.5; // ms: what one place did for two events at once is one step

/** [{place, at (ms), tells: [{type, status}], since (ms from the first), gap (ms from the one before)}] for a message of a thread. */
export function wayOf(message) {
  const steps = causal(message.records.map(stepsOf)).flat().sort((one, other) => one.at - other.at).reduce(joined, []);
  return steps.map((step, at) => ({ ...step, since: step.at - steps[0].at, gap: at ? step.at - steps[at - 1].at : 0 }));
}

function stepsOf(event) {
  const trail = [...(event.data.trail ?? [])];
  if (event.published_at) trail.push({ place: "events", at: event.published_at });
  const tells = [{ type: event.type, status: event.data.status ?? null }];
  return inOrder(trail.map((step) => ({ place: step.place, at: instant(step.at), tells })));
}

/** Some providers' clocks count whole seconds: what they tell is not before the message, nor before what they told before. */
function causal(events) {
  let earliest = events[0]?.find(({ place }) => place === "router")?.at ?? -Infinity;
  return events.map((steps, number) => {
    if (number === 0) return steps;
    const told = steps.map((step) => (step.place === "provider" ? { ...step, at: Math.max(step.at, earliest) } : step));
    earliest = Math.max(earliest, ...told.filter(({ place }) => place === "provider").map(({ at }) => at));
    return inOrder(told);
  });
}

function joined(steps, step) {
  const same = steps.findLast((known) => step.at - known.at < SAME && known.place === step.place);
  if (!same) return [...steps, step];
  same.tells = [...same.tells, ...step.tells];
  return steps;
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
