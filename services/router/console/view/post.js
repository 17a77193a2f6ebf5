// The post above its comments: its words, where a message told them, and where it stands.

import { h, present } from "../dom.js";
import { icon } from "../icons.js";
import { isPost } from "./context.js";
import { isComment } from "./head.js";
import { linked, linkTo } from "./links.js";

const PLACES = { facebook: (post) => /^\d+_\d+$/.test(post) && `https://www.facebook.com/${post}` };

/** The entry of the thread that shows the post; null where the post itself is the first message, or nothing is known of it. */
export function postEntry(app, conversation, thread) {
  if (!isComment(conversation) || !conversation.container || thread.messages.has(thread.external.get(conversation.container))) return null;
  const quoted = thread.entries.map((one) => one.context?.quoted).find((one) => one && isPost(conversation, one)) ?? {};
  const address = quoted.url || PLACES[conversation.channel]?.(conversation.container);
  if (!quoted.text && !address) return null;
  return {
    key: "post", version: JSON.stringify([quoted, address, app.words.code]), tag: "div",
    fill: (node) => {
      node.className = "post";
      node.replaceChildren(...present([
        h("p", { class: "post-head" }, icon("megaphone"), h("b", {}, app.words.t("post_of", { account: conversation.account })), address && linkTo(address, app.words.t("post_open"))),
        quoted.text && h("p", { class: "text", dir: "auto" }, linked(quoted.text)),
      ]));
    },
  };
}
