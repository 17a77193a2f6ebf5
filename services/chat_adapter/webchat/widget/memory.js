// What outlives a reload: kept per site and signed-in user in localStorage, or for this page only where that is forbidden.

export class Memory {
  #prefix;
  #fallback = new Map();

  constructor(place, user) {
    this.#prefix = `${place} ${user ? `user ${user}` : "visitor"} `;
  }

  get(name) {
    return this.#read(this.#prefix + name);
  }

  set(name, value) {
    const text = JSON.stringify(value);
    try {
      localStorage.setItem(this.#prefix + name, text);
    } catch {
      this.#fallback.set(this.#prefix + name, text);
    }
  }

  remove(name) {
    this.#fallback.delete(this.#prefix + name);
    try {
      localStorage.removeItem(this.#prefix + name);
    } catch {
      // nothing was kept there
    }
  }

  // The values of every name that begins so.
  all(beginning) {
    const wanted = this.#prefix + beginning;
    const keys = [...this.#fallback.keys(), ...this.#keys()].filter((key) => key.startsWith(wanted));
    return keys.map((key) => this.#read(key)).filter((value) => value !== undefined);
  }

  #keys() {
    try {
      return Object.keys(localStorage);
    } catch {
      return [];
    }
  }

  #read(key) {
    try {
      return JSON.parse(localStorage.getItem(key) ?? this.#fallback.get(key) ?? "null") ?? undefined;
    } catch {
      return this.#fallback.has(key) ? JSON.parse(this.#fallback.get(key)) : undefined;
    }
  }
}
