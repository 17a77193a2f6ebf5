// Puts the widget together: what the site said in its script tag, what is remembered, the server, the conversation, the panel.
import { Conversation } from "./conversation.js";
import { languageOf } from "./language.js";
import { Memory } from "./memory.js";
import { readOptions } from "./options.js";
import { Panel } from "./panel.js";
import { Server } from "./server.js";

export function start(script) {
  if (window.Parley) return;
  const options = readOptions(script);
  const language = languageOf(options.languages);
  const memory = new Memory(`parley ${options.base.host}${options.base.pathname}`, options.user.id);
  const conversation = new Conversation(new Server(options, memory), memory);
  const panel = new Panel({ conversation, language, options });
  document.body.append(panel.host);
  window.Parley = Object.freeze({ open: (options) => panel.open(options), close: () => panel.close() });
  window.dispatchEvent(new CustomEvent("parley:ready"));
  if (memory.get("token")) conversation.begin();
  if (options.open || (memory.get("open") && !panel.covers)) panel.open({ focus: false });
}
