// The open line to the server: a WebSocket that comes back by itself, and polling where a WebSocket cannot get through.

const PROTOCOL = "parley.webchat.v1";
const SILENCE = 60_000; // milliseconds without a beat after which the line counts as dead
const POLL = 4_000;
const SESSION_ENDED = 4401;
const HOPELESS = 3; // sockets in a row that never opened, after which the line polls beside trying on

// Calls `heard(frame)` for each frame and `changed("connecting" | "online" | "offline")` for its own state.
export class Line {
  #server;
  #cursor;
  #heard;
  #changed;
  #socket;
  #failures = 0;
  #timers = {};

  constructor({ server, cursor, heard, changed }) {
    this.#server = server;
    this.#cursor = cursor;
    this.#heard = heard;
    this.#changed = changed;
    addEventListener("online", () => this.#now());
    addEventListener("offline", () => this.#lose());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.#now());
  }

  async connect() {
    clearTimeout(this.#timers.again);
    if (this.#socket) return;
    let token;
    try {
      token = await this.#server.token();
    } catch (trouble) {
      if (trouble.kind === "refused") return this.#changed("refused");
      return this.#later(trouble.seconds);
    }
    if (this.#socket) return;
    this.#open(token);
  }

  // Say something, if the line is open; whether it was.
  tell(frame) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  #open(token) {
    const address = new URL("socket", this.#server.base);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address, [PROTOCOL]);
    this.#socket = socket;
    socket.onopen = () => socket.send(JSON.stringify({ type: "hello", token, cursor: this.#cursor() }));
    socket.onmessage = (event) => this.#hear(JSON.parse(event.data));
    socket.onclose = (event) => socket === this.#socket && this.#closed(event.code);
    this.#watch();
  }

  #hear(frame) {
    this.#watch();
    if (frame.type === "ready") {
      this.#failures = 0;
      clearTimeout(this.#timers.poll);
      this.#changed("online");
    }
    this.#heard(frame);
  }

  #watch() {
    clearTimeout(this.#timers.watch);
    this.#timers.watch = setTimeout(() => this.#lose(), SILENCE);
  }

  // Give the socket up without waiting for a close that may never come.
  #lose() {
    const lost = this.#socket;
    this.#socket = undefined;
    clearTimeout(this.#timers.watch);
    lost?.close();
    this.#later();
  }

  async #closed(code) {
    this.#socket = undefined;
    clearTimeout(this.#timers.watch);
    if (code === SESSION_ENDED) await this.#server.renew().catch(() => {});
    this.#later();
  }

  #later(seconds = 0) {
    this.#failures += 1;
    this.#changed(navigator.onLine ? "connecting" : "offline");
    if (this.#failures === HOPELESS) this.#poll();
    const wait = Math.max(seconds * 1000, Math.min(500 * 2 ** this.#failures, 30_000) * (0.5 + Math.random() / 2));
    clearTimeout(this.#timers.again);
    this.#timers.again = setTimeout(() => this.connect(), wait);
  }

  #now() {
    if (this.#socket) return;
    this.#failures = Math.min(this.#failures, 1);
    this.connect();
  }

  async #poll() {
    clearTimeout(this.#timers.poll);
    if (this.#failures < HOPELESS) return;
    try {
      const page = await this.#server.messages({ after: this.#cursor() });
      page.messages.forEach((message) => this.#heard({ type: "message", ...message }));
      this.#heard({ type: "ready", cursor: page.cursor, read: page.read });
      this.#changed("online");
    } catch {
      // the socket's own attempts go on beside this
    }
    if (this.#failures >= HOPELESS) this.#timers.poll = setTimeout(() => this.#poll(), POLL);
  }
}
