// The live events: server-sent events read by fetch, since EventSource cannot send the token.

const SILENCE = 40_000; // ms; the router says something every 15 s
const LONGEST_PAUSE = 8_000;

/**
 * Follow /api/events for ever, going on after each interruption where the last one ended.
 * `heard(event)` for each event, `stood()` when all that there is has been read, `state(name, code)`: connecting, live, down, refused.
 */
export function follow(api, { heard, stood, state }) {
  let last = "";
  let pause = 500;
  let stopped = false;
  let attempt = new AbortController();

  async function run() {
    while (!stopped) {
      let code = null;
      attempt = new AbortController();
      try {
        await readOnce(attempt);
      } catch (error) {
        if (stopped) return;
        if (error.status === 401 || error.status === 403) return state("refused");
        if (error.status === 400) last = "";
        code = error.code;
      }
      state("down", code);
      await new Promise((resume) => setTimeout(resume, pause * (0.75 + Math.random() / 2)));
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    }
  }

  async function readOnce(controller) {
    let watch = setTimeout(() => controller.abort(), SILENCE);
    try {
      const headers = last ? { "Last-Event-ID": last } : {};
      const answer = await api.call("/api/events", { headers, signal: controller.signal });
      state("live");
      pause = 500;
      for await (const message of messages(answer.body)) {
        clearTimeout(watch);
        watch = setTimeout(() => controller.abort(), SILENCE);
        if (message.event === "position") stood();
        else heard(JSON.parse(message.data));
        if (message.id) last = message.id;
      }
    } finally {
      clearTimeout(watch);
    }
  }

  state("connecting");
  run();
  addEventListener("online", () => { pause = 500; });
  return () => { stopped = true; attempt.abort(); };
}

/** The messages of an event stream, as the HTML standard reads it: {id, event, data}. */
export async function* messages(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) yield parse(block);
  }
}

function parse(block) {
  const message = { id: "", event: "message", data: "" };
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) message[line.slice(0, colon)] = line.slice(colon + 1).replace(/^ /, "");
  }
  return message;
}
