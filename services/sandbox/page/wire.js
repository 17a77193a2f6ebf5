// The phone's HTTP: calls with the token, and the stream of events.

export class Wire {
  constructor({ token, bot, user }) {
    this.headers = { Authorization: `Bearer ${token}` };
    this.base = `telegram/${bot}/${user}`;
  }

  static async bots(token) {
    const answer = await fetch("telegram", { headers: { Authorization: `Bearer ${token}` } });
    if (!answer.ok) throw new Error((await answer.json()).error);
    return (await answer.json()).bots;
  }

  // `what` is an object, or FormData where a file goes along.
  async send(what) {
    const form = what instanceof FormData;
    const answer = await fetch(`${this.base}/send`, {
      method: "POST",
      headers: form ? this.headers : { ...this.headers, "Content-Type": "application/json" },
      body: form ? what : JSON.stringify(what),
    });
    const body = await answer.json();
    if (!answer.ok) throw new Error(body.error);
    return body;
  }

  async file(id) {
    const answer = await fetch(`${this.base}/files/${encodeURIComponent(id)}`, { headers: this.headers });
    if (!answer.ok) throw new Error(String(answer.status));
    return URL.createObjectURL(await answer.blob());
  }

  // Calls `hear(event, data)` for ever; `state(true | false)` says whether the line is open.
  async listen(hear, state) {
    for (let after = 0; ; ) {
      try {
        const answer = await fetch(`${this.base}/events?after=${after}`, { headers: this.headers });
        if (!answer.ok) throw new Error(String(answer.status));
        state(true);
        for await (const { event, data } of events(answer.body)) {
          if (data.n) after = data.n;
          hear(event, data);
        }
      } catch {
        state(false);
      }
      await new Promise((done) => setTimeout(done, 1000));
    }
  }
}

// Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html
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
      if (fields.data) yield { event: fields.event, data: JSON.parse(fields.data) };
    }
  }
}
