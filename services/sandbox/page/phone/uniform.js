// A phone whose chats the sandbox already keeps in the form that this page draws.

import { file, get, path, post } from "../shared/wire.js";

export const uniform = {
  async accounts(channel) {
    return (await get(path("phone", channel))).accounts;
  },

  chat(channel, account, person) {
    const base = path("phone", channel, account, person.id);
    return {
      events: (after) => `${base}/events?after=${after}`,
      view: (view) => ({ ...view, mine: view.direction === "out", reactions: Object.values(view.reactions ?? {}).filter(Boolean) }),
      file: (id) => file(`${base}/files/${encodeURIComponent(id)}`),
      send: (what) => post(`${base}/send`, named(what, { name: person.name })),
      read: () => post(`${base}/read`, {}),
    };
  },
};

/** What is sent, with what else goes along: into the object, or into the form where a file is sent. */
export function named(what, others) {
  if (!(what instanceof FormData)) return { ...others, ...what };
  for (const [name, value] of Object.entries(others)) what.append(name, value);
  return what;
}
