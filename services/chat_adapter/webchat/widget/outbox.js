// What the visitor wrote and the server has not shown yet: kept under its client_id across reloads, sent in order, never twice.
const FORGET = 7 * 86_400_000; // milliseconds after which an accepted message is no longer waited for

export class Outbox {
  #server;
  #memory;
  #changed;
  #pumping = false;
  #wake = () => {};

  constructor(server, memory, changed) {
    this.#server = server;
    this.#memory = memory;
    this.#changed = changed;
    this.items = memory
      .all("outbox ")
      .filter((item) => item.state !== "accepted" || Date.now() - item.at < FORGET)
      .sort((one, other) => one.at - other.at);
    addEventListener("online", () => this.#wake());
  }

  // `message`: {text?, attachments?, choice?}; `shown`: the parts to show until the transcript has them.
  add(message, shown) {
    const item = { client_id: newId(), at: Date.now(), state: "waiting", message, shown };
    this.items.push(item);
    this.#keep(item);
    this.pump();
  }

  retry(item) {
    this.#move(item, "waiting");
    this.pump();
  }

  drop(item) {
    this.items = this.items.filter((other) => other !== item);
    this.#memory.remove(`outbox ${item.client_id}`);
    this.#changed();
  }

  // The transcript shows it now.
  settle(clientId) {
    const item = this.items.find((other) => other.client_id === clientId);
    if (item) this.drop(item);
  }

  async pump() {
    if (this.#pumping) return this.#wake();
    this.#pumping = true;
    try {
      for (let item; (item = this.items.find((other) => other.state === "waiting")); ) await this.#send(item);
    } finally {
      this.#pumping = false;
    }
  }

  async #send(item) {
    for (let attempt = 0; item.state === "waiting" && this.items.includes(item); attempt += 1) {
      try {
        await this.#server.post({ client_id: item.client_id, ...item.message });
        this.trouble = undefined;
        this.#move(item, "accepted");
      } catch (trouble) {
        if (trouble.kind === "refused") return this.#move(item, "failed");
        this.trouble = trouble;
        this.#changed();
        await this.#pause(Math.max(trouble.seconds * 1000, Math.min(1000 * 2 ** attempt, 20_000)));
      }
    }
  }

  #pause(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds * (0.75 + Math.random() / 2));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #move(item, state) {
    item.state = state;
    if (this.items.includes(item)) this.#keep(item);
    this.#changed();
  }

  #keep(item) {
    this.#memory.set(`outbox ${item.client_id}`, item);
    this.#changed();
  }
}

// crypto.randomUUID is missing on pages without TLS (RFC 9562 §5.4).
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
