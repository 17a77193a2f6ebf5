// The conversation as this window knows it: lines by position, what is still on its way, what is unread, how the line is.
import { Line } from "./line.js";
import { Outbox } from "./outbox.js";

const TYPING = 6_000; // milliseconds that "someone is typing" stands
const GROWING = 30_000; // and an answer that is still written, of which nothing more comes
const TELL_TYPING = 3_000;

export class Conversation extends EventTarget {
  #server;
  #memory;
  #lines = new Map();
  #line;
  #told = 0;
  #typingTimer;
  #typingTold = 0;
  #growingTimer;

  constructor(server, memory) {
    super();
    this.#server = server;
    this.#memory = memory;
    this.outbox = new Outbox(server, memory, () => this.#change());
    this.state = "idle";
    this.read = 0;
    this.typing = false;
    this.growing = undefined; // {id, parts}: an answer as far as it is written
    this.loaded = false;
    this.more = false;
  }

  get lines() {
    return [...this.#lines.values()].filter((line) => !line.change).sort((one, other) => one.position - other.position);
  }

  get cursor() {
    return Math.max(0, ...this.#lines.keys());
  }

  // How far what the visitor wrote has been read.
  get seenTo() {
    const seen = new Set([...this.#lines.values()].filter((line) => line.change === "seen").map((line) => line.target));
    return Math.max(0, ...this.lines.filter((line) => seen.has(line.client_id)).map((line) => line.position));
  }

  get unread() {
    return this.lines.filter((line) => line.direction === "outbound" && line.position > this.read).length;
  }

  recall(name) {
    return this.#memory.get(name);
  }

  remember(name, value) {
    if (value === undefined) this.#memory.remove(name);
    else this.#memory.set(name, value);
  }

  get title() {
    return this.#server.session.title;
  }

  get limits() {
    return this.#server.session.attachments;
  }

  // Load the last lines, then follow. Calling it again does nothing.
  async begin() {
    if (this.state !== "idle") return;
    this.#enter("connecting");
    await this.#load();
    if (this.state === "refused") return;
    this.#line = new Line({
      server: this.#server,
      cursor: () => this.cursor,
      heard: (frame) => this.#hear(frame),
      changed: (state) => this.#enter(state),
    });
    this.#line.connect();
    this.outbox.pump();
  }

  async #load() {
    for (let attempt = 0; !this.loaded && this.state !== "refused"; attempt += 1) {
      try {
        this.#take(await this.#server.messages({}), true);
      } catch (trouble) {
        if (trouble.kind === "refused") return this.#enter("refused");
        this.#enter(navigator.onLine ? "connecting" : "offline");
        await new Promise((resolve) => setTimeout(resolve, Math.min(1000 * 2 ** attempt, 15_000)));
      }
    }
  }

  async earlier() {
    const first = Math.min(...this.#lines.keys());
    this.#take(await this.#server.messages({ before: first }), true);
  }

  #take(page, atStart) {
    page.messages.forEach((line) => this.#put(line));
    this.read = Math.max(this.read, page.read);
    this.#told = Math.max(this.#told, page.read);
    if (atStart) this.more = page.more;
    this.loaded = true;
    this.#change();
  }

  say(message, shown) {
    this.#typingTold = 0;
    this.outbox.add(message, shown);
    if (this.state === "idle") this.begin();
  }

  upload(file) {
    return this.#server.upload(file);
  }

  file(address) {
    return new URL(address, this.#server.base).href;
  }

  // Everything that is shown was seen.
  seen() {
    const last = this.cursor;
    if (!this.lines.some((line) => line.direction === "outbound" && line.position > this.#told)) return;
    this.#told = last;
    this.read = last;
    if (!this.#line?.tell({ type: "read", position: last })) {
      this.#server.read(last).catch(() => (this.#told = 0));
    }
    this.#change();
  }

  types() {
    if (Date.now() - this.#typingTold < TELL_TYPING || this.state !== "online") return;
    this.#typingTold = Date.now();
    if (!this.#line?.tell({ type: "typing" })) this.#server.typing().catch(() => {});
  }

  #hear(frame) {
    if (frame.type === "message") {
      this.#put(frame);
      if (frame.direction === "outbound") this.#type(false), this.#grow();
      if (frame.direction === "outbound") this.#line.tell({ type: "ack", position: frame.position });
    } else if (frame.type === "ready") {
      this.read = Math.max(this.read, frame.read);
      this.#told = frame.read;
    } else if (frame.type === "typing") {
      this.#type(true);
    } else if (frame.type === "growing" && !this.lines.some((line) => line.id === frame.id)) {
      this.#type(false);
      this.#grow(frame);
    }
    this.#change();
  }

  #put(line) {
    this.#lines.set(line.position, line);
    if (line.change && line.change !== "seen") this.#alter(line);
    if (line.client_id) this.outbox.settle(line.client_id);
  }

  #alter({ target, parts, edited, deleted, position }) {
    const said = this.lines.find((line) => line.id === target);
    if (said) this.#lines.set(said.position, { ...said, parts, edited, deleted, version: position });
  }

  #type(someone) {
    clearTimeout(this.#typingTimer);
    this.typing = someone;
    if (someone) this.#typingTimer = setTimeout(() => (this.#type(false), this.#change()), TYPING);
  }

  #grow(answer) {
    clearTimeout(this.#growingTimer);
    this.growing = answer;
    if (answer) this.#growingTimer = setTimeout(() => (this.#grow(), this.#change()), GROWING);
  }

  #enter(state) {
    if (this.state === state) return;
    const before = this.state;
    this.state = state;
    if (state === "online") this.wasOnline = true;
    if (state === "online" && before !== "online") this.outbox.pump();
    this.#change();
  }

  #change() {
    this.dispatchEvent(new Event("change"));
  }
}
