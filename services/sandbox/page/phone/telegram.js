// Telegram's chats are kept as its own messages (https://core.telegram.org/bots/api#message): here they become what this page draws, and back.

import { language, t } from "../shared/words.js";
import { file, get, path, post } from "../shared/wire.js";
import { named } from "./uniform.js";

const KINDS = {
  photo: "image",
  sticker: "image",
  animation: "video",
  video: "video",
  video_note: "video",
  voice: "audio",
  audio: "audio",
  document: "file",
};

export const telegram = {
  async accounts() {
    const { bots } = await get("phone/telegram");
    return bots.flatMap((bot) => [
      { id: String(bot.id), name: bot.first_name },
      ...bot.places.map((place) => ({ id: `${bot.id}-${place}`, name: t(`place_${place}`, { name: bot.first_name }) })),
    ]);
  },

  /** `account`: a bot, or one of its places, which stands behind who writes there. */
  chat(channel, account, person) {
    const [bot, place] = String(account).split("-");
    const base = path("phone", channel, bot, place ? `${person.id}-${place}` : person.id);
    return {
      events: (after) => `${base}/events?after=${after}`,
      view,
      file: (id) => file(`${base}/files/${encodeURIComponent(id)}`),
      send: (what) => post(`${base}/send`, named(act(what), { name: person.name, language })),
      read: null,
    };
  },
};

function view({ n, message, mine, deleted, reactions, pressing }) {
  return {
    n,
    id: numberOf(message),
    mine,
    at: message.date * 1000,
    text: message.text,
    caption: message.caption,
    media: media(message),
    location: message.location && { ...message.location, name: message.venue?.title, address: message.venue?.address },
    contact: message.contact && contact(message.contact),
    choices: message.reply_markup?.inline_keyboard?.flat().map((key) => ({ id: key.callback_data, title: key.text, url: key.url, busy: Boolean(pressing) && key.callback_data === pressing })),
    reply_to: message.reply_to_message && numberOf(message.reply_to_message),
    edited: Boolean(message.edit_date),
    removed: Boolean(deleted),
    reactions: Object.values(reactions).flat().filter(Boolean),
  };
}

/** `message_id` is 0 where one person of a group alone sees it. */
const numberOf = (message) => message.message_id || message.ephemeral_message_id;

function media(message) {
  const kind = Object.keys(KINDS).find((each) => message[each]);
  if (!kind) return undefined;
  const kept = kind === "photo" ? message.photo.at(-1) : message[kind];
  return { kind: KINDS[kind], id: kept.file_id, mime_type: kept.mime_type, name: kept.file_name, size: kept.file_size };
}

function contact({ first_name: first, last_name: last, phone_number: phone }) {
  return { name: [first, last].filter(Boolean).join(" "), phone };
}

/** An act of this page in Telegram's words. */
function act(what) {
  if (what instanceof FormData) return what;
  const { press, react, edit, contact: card, location: place, ...others } = what;
  if (press) return { ...others, press: { message_id: press.message, data: press.id } };
  if (react) return { ...others, react: { message_id: react.message, emoji: react.emoji } };
  if (edit) return { ...others, edit: edit.message, text: edit.text };
  if (card) return { ...others, contact: { first_name: card.name, phone_number: card.phone } };
  if (place) return { ...others, location: { ...place, ...(place.name && { title: place.name, address: place.name }) } };
  return what;
}
