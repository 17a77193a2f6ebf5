// The server's REST side: one session, requests under its token, and troubles told apart by what to do about them.

const PATIENCE = 30_000; // milliseconds of one request
const UPLOAD_PATIENCE = 120_000;

// `kind`: "offline" (nobody answered), "later" (come again after `seconds`), "refused" (never as it is).
export class Trouble extends Error {
  constructor(kind, { status = 0, code = "", seconds = 0 } = {}) {
    super(`${kind} ${status} ${code}`);
    Object.assign(this, { kind, status, code, seconds });
  }
}

export class Server {
  #options;
  #memory;
  #opening;

  constructor(options, memory) {
    this.#options = options;
    this.#memory = memory;
    this.session = {};
  }

  get base() {
    return this.#options.base;
  }

  // A token that is good now; a new or renewed session where there is none.
  async token() {
    this.session = this.#memory.get("token") ?? {};
    const soon = Date.now() + 24 * 3600 * 1000;
    if (!this.session.token || Date.parse(this.session.expires_at) < soon) await this.renew();
    return this.session.token;
  }

  renew() {
    this.#opening ??= alone(() => this.#open()).finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  async #open() {
    const fresh = this.#memory.get("token");
    if (fresh && fresh.token !== this.session.token) {
      this.session = fresh; // another tab was quicker
      return;
    }
    const opened = await this.#ask("session", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({
        user: this.#options.user,
        locale: navigator.language,
        time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
        token: this.#memory.get("token")?.token,
      }),
    });
    this.session = opened;
    this.#memory.set("token", opened);
  }

  messages(query) {
    return this.#signed(`messages?${new URLSearchParams(query)}`);
  }

  post(message) {
    return this.#signed("messages", { json: message });
  }

  read(position) {
    return this.#signed("read", { json: { position } });
  }

  typing() {
    return this.#signed("typing", { method: "POST" });
  }

  upload(file) {
    return this.#signed("attachments", {
      method: "POST",
      headers: { "Content-Type": file.type || "application/octet-stream", "X-Filename": encodeURIComponent(file.name) },
      body: file,
      patience: UPLOAD_PATIENCE,
    });
  }

  async #signed(path, { json, ...init } = {}) {
    const made = json
      ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(json), ...init }
      : init;
    const once = async () =>
      this.#ask(path, { ...made, headers: { ...made.headers, Authorization: `Bearer ${await this.token()}` } });
    try {
      return await once();
    } catch (trouble) {
      if (trouble.status !== 401) throw trouble;
      await this.renew();
      return once();
    }
  }

  async #ask(path, { patience = PATIENCE, ...init }) {
    let response;
    try {
      response = await fetch(new URL(path, this.base), {
        ...init,
        cache: "no-store",
        credentials: "omit",
        referrerPolicy: "no-referrer",
        signal: AbortSignal.timeout(patience),
      });
    } catch {
      throw new Trouble("offline");
    }
    if (!response.ok) throw await troubleOf(response);
    return response.status === 204 ? undefined : response.json();
  }
}

async function troubleOf(response) {
  const { status } = response;
  const code = await response.json().then((body) => body.error?.code, () => "");
  const again = status === 408 || status === 429 || status >= 500;
  const seconds = Number(response.headers.get("Retry-After")) || 2;
  return new Trouble(again ? "later" : "refused", { status, code, seconds });
}

// Two tabs that open at once must not become two visitors.
function alone(work) {
  return navigator.locks ? navigator.locks.request("parley webchat session", work) : work();
}
