// Pictures of the chat as addresses in memory, each fetched once.

export class Pictures {
  #resolve;
  #found = new Map();

  constructor(resolve) {
    this.#resolve = resolve;
  }

  get(part) {
    if (!part.url) return Promise.reject(new Error("not stored yet"));
    if (!this.#found.has(part.url)) this.#found.set(part.url, this.#fetch(part.url));
    return this.#found.get(part.url);
  }

  async #fetch(address) {
    const response = await fetch(this.#resolve(address), { credentials: "omit", referrerPolicy: "no-referrer" });
    if (!response.ok) throw new Error(`picture: ${response.status}`);
    return URL.createObjectURL(await response.blob());
  }
}
