// The router's HTTP API. What it refuses is thrown as Refused, with its code; a router that is not there as "offline".

const ANSWERED = 20_000; // ms after which a reply has no answer; whether it was taken, its event will say

export class Refused extends Error {
  constructor(status, code, detail) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

/** Whether it is not known if the router took what was asked: no answer came, or one of somebody who could not know. */
export function isUncertain({ status }) {
  return status === 0 || status >= 500;
}

export function createApi(token) {
  const authorization = { Authorization: `Bearer ${token}` };
  const addresses = new Map();

  async function call(path, { headers = {}, ...rest } = {}) {
    const answer = await fetch(path, { ...rest, headers: { ...authorization, ...headers } }).catch(() => null);
    if (!answer) throw new Refused(0, "offline", "");
    if (answer.ok) return answer;
    const { error } = await answer.json().catch(() => ({ error: {} }));
    throw new Refused(answer.status, error?.code ?? "unknown", error?.detail ?? answer.statusText);
  }

  const json = async (path, options) => (await call(path, options)).json();
  const post = (path, value, headers = {}, signal = null) =>
    json(path, { method: "POST", body: JSON.stringify(value), signal, headers: { "Content-Type": "application/json", ...headers } });

  async function mediaAddress(blob, name) {
    const known = addresses.get(blob);
    if (known && Date.parse(known.expires_at) - Date.now() > 20_000) return known.url;
    const path = blob.split("/").map(encodeURIComponent).join("/");
    const fresh = await json(`/api/media/${path}?${new URLSearchParams({ name: name ?? "" })}`);
    addresses.set(blob, fresh);
    return fresh.url;
  }

  return {
    call,
    mediaAddress,
    mailAddress: (message, part) => json(`/api/messages/${message}/html?part=${part}`),
    published: async (message) => (await json(`/api/messages/${message}/published`)).published,
    fit: (conversation, body) => post(`/api/conversations/${conversation}/fit`, body),
    config: () => json("/console/config.json"),
    channels: () => json("/console/channels.json"),
    state: async () => (await json("/api/state")).parts,
    accounts: async () => (await json("/api/accounts")).accounts,
    conversations: (asked = {}) => json(`/api/conversations?${new URLSearchParams(asked)}`),
    search: ({ q, before = "" }) => json(`/api/search?${new URLSearchParams({ q, before })}`),
    conversation: (id, after = 0, limit = 200) => json(`/api/conversations/${encodeURIComponent(id)}?after=${after}&limit=${limit}`),
    reply: (conversation, body, key) => post(`/api/conversations/${conversation}/reply`, body, { "Idempotency-Key": key }, AbortSignal.timeout(ANSWERED)),
    ask: (conversation, what, body) => post(`/api/conversations/${conversation}/${what}`, body, {}, AbortSignal.timeout(ANSWERED)),
    customer: (id, before = "") => json(`/api/customers/${id}?${new URLSearchParams({ limit: 20, before })}`),
    askCustomer: (what, body) => post(`/api/customers/${what}`, body, {}, AbortSignal.timeout(ANSWERED)),
    typing: (conversation, body) => post(`/api/conversations/${conversation}/typing`, body),
    upload: (file, tenant) =>
      json(`/api/media?${new URLSearchParams({ tenant })}`, {
        method: "POST",
        body: file,
        headers: { "Content-Type": file.type || "application/octet-stream", "X-Filename": encodeURIComponent(file.name) },
      }),
  };
}
