// A person as a circle of letters, with the channel's mark.

import { h, present } from "../dom.js";
import { channelIcon, icon } from "../icons.js";

const NARROW = /^[\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}]/u;

export function face(conversation, words) {
  const letters = h("span", { class: "face-letters", "aria-hidden": "true" }, initials(nameOf(conversation, words)));
  letters.style.setProperty("--hue", hue(conversation.id));
  const channel = h("span", { class: "channel", data: { channel: conversation.channel }, title: channelName(conversation.channel, words) }, isPublic(conversation) ? icon("megaphone") : channelIcon(conversation.channel));
  return h("span", { class: "face" }, letters, channel);
}

/** Whether everybody can read what is written there, a conversation or a message. */
export function isPublic({ surface }) {
  return surface === "comment" || surface === "mention";
}

/** Whether others than one person write there: under a post, in a group. */
export function isShared(message) {
  return isPublic(message) || message.surface === "group";
}

/** Who it is; who is only known by a session or a long number is told apart by four characters of it. */
export function nameOf({ name, peer }, words) {
  const anonymous = /^visitor:(.{4}).{8,}$/.exec(peer ?? "") ?? /^\d{11,}(\d{4})$/.exec(peer ?? "");
  return name || (anonymous && words.t("visitor", { id: anonymous[1] })) || peer || "…";
}

/** Whose word a name of a web chat is: "signed" (the site vouches for it), "beside" (for the account alone), "typed" (nobody does); else null. */
export function vouched({ channel, peer, name, name_verified }) {
  if (channel !== "webchat") return null;
  if (peer?.startsWith("user:")) return name && !name_verified ? "beside" : "signed";
  return name ? "typed" : null;
}

/** The name, apart from what stands around it, and whose word it is. */
export function nameViews(conversation, words) {
  const whose = vouched(conversation);
  const said = whose && h("span", { class: "vouched", data: { whose }, title: words.t(`name_${whose}_why`) }, icon(whose === "signed" ? "shield" : "pencil"), h("span", { class: "vouched-words" }, words.t(`name_${whose}`)));
  return present([h("bdi", { class: "name", data: { whose } }, nameOf(conversation, words)), said]);
}

/** Who wrote a message. Where many write nobody there is called after the conversation, which is someone's. */
export function writerOf(message, conversation, words) {
  if (message.direction === "outbound") return message.author ?? words.t("you");
  const apart = isShared(message) || message.flagged;
  return message.author ?? nameOf(apart ? { peer: message.sender?.address } : conversation, words);
}

export function channelName(channel, words) {
  const key = `channel_${channel}`;
  return words.has(key) ? words.t(key) : channel.replace(/^./, (first) => first.toUpperCase());
}

/** The first letter of the first and the last word; of the first only in scripts whose letters are wide. */
function initials(name) {
  const parts = name.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const both = parts.length > 1 && [parts[0], parts.at(-1)].every((word) => NARROW.test(word));
  const firsts = [parts[0], both ? parts.at(-1) : ""].map((word) => first(word ?? ""));
  return firsts.join("").toLocaleUpperCase() || "•";
}

function first(word) {
  const plain = word.replace(/^[^\p{L}\p{N}]+/u, "");
  if (!Intl.Segmenter) return [...plain][0] ?? "";
  return new Intl.Segmenter().segment(plain)[Symbol.iterator]().next().value?.segment ?? "";
}

function hue(id) {
  return [...id].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 360, 7);
}
