// Calls to the sandbox with the token of the address, its stream of events, and its troubles in words.

import { has, t } from "./words.js";

const ROOT = new URL("../../", import.meta.url);
const PAUSE = 1000; // milliseconds before a broken line is tried again

export const given = new URLSearchParams(location.hash.slice(1));
const headers = { Authorization: `Bearer ${given.get("token") ?? ""}` };

/** What went wrong, as a sentence for the person: `kind` is unreachable, token, refused or broken. */
export class Trouble extends Error {
  constructor(kind, detail = "") {
    super(has(`trouble_${kind}`) ? t(`trouble_${kind}`, { detail }) : detail);
    this.kind = kind;
  }
}

/** Any part of a path, as it must stand in an address. */
export const path = (...parts) => parts.map((part) => encodeURIComponent(part)).join("/");

export const get = async (where) => (await call(where)).json();

/** POST of an object as JSON, or of FormData where a file goes along; the answer's JSON. */
export async function post(where, what) {
  const form = what instanceof FormData;
  const body = form ? what : JSON.stringify(what);
  const answer = await call(where, { method: "POST", body, headers: form ? {} : { "Content-Type": "application/json" } });
  return answer.json().catch(() => ({}));
}

/** A file's address for this page only. */
export async function file(where) {
  return URL.createObjectURL(await (await call(where)).blob());
}

export const blob = async (where) => (await call(where)).blob();
export const text = async (where) => (await call(where)).text();

async function call(where, options = {}) {
  if (!given.get("token")) throw new Trouble("no_token");
  const answer = await reach(where, options);
  if (answer.ok) return answer;
  if (answer.status === 401) throw new Trouble("token");
  const said = await answer.json().then((body) => body.error, () => "");
  throw new Trouble(answer.status < 500 && said ? "refused" : "broken", said || String(answer.status));
}

async function reach(where, options) {
  try {
    return await fetch(new URL(where, ROOT), { ...options, headers: { ...headers, ...options.headers } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble("unreachable");
  }
}

/**
 * Hear a stream of server-sent events for as long as someone can see the page: `hear(event, data)`. `where(after)` is its address after the
 * last `n` that was heard; `state(trouble | null)` says whether the line is open. Browsers allow six lines to a server, so a
 * page that nobody sees lets go of its own.
 */
export async function listen({ where, hear, state, after = 0, until }) {
  while (!until?.aborted) {
    await seen.when(true);
    const line = new AbortController();
    const end = () => line.abort();
    until?.addEventListener("abort", end);
    seen.when(false).then(end);
    try {
      const answer = await call(where(after), { signal: line.signal });
      state(null);
      for await (const { event, data, id } of events(answer.body)) {
        after = data?.n ?? (id ? Number(id) : after);
        hear(event, data);
      }
      if (!line.signal.aborted) state(new Trouble("unreachable"));
    } catch (error) {
      if (!line.signal.aborted) state(error instanceof Trouble ? error : new Trouble("unreachable"));
    }
    until?.removeEventListener("abort", end);
    if (!line.signal.aborted) await new Promise((done) => setTimeout(done, PAUSE));
  }
}

/** Whether a person can see this page now: `when(true)` and `when(false)` resolve as soon as that is so. */
export const seen = watch();

function watch() {
  const waiting = new Set();
  const watched = { inView: true, get now() { return this.inView && document.visibilityState === "visible"; } };
  const tell = () => {
    for (const one of [...waiting].filter(({ wanted }) => wanted === watched.now)) {
      waiting.delete(one);
      one.done();
    }
  };
  watched.when = (wanted) => new Promise((done) => {
    if (watched.now === wanted) done();
    else waiting.add({ wanted, done });
  });
  document.addEventListener("visibilitychange", tell);
  new IntersectionObserver(([entry]) => {
    watched.inView = entry.isIntersecting;
    tell();
  }).observe(document.documentElement);
  return watched;
}

/** https://html.spec.whatwg.org/multipage/server-sent-events.html */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split("\n").map((line) => [line.split(": ", 1)[0], line.slice(line.indexOf(": ") + 2)]));
      if (fields.data) yield { event: fields.event, id: fields.id, data: JSON.parse(fields.data) };
    }
  }
}
