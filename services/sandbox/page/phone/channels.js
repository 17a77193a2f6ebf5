// What a person can do in the app of each channel, and how it shows what the business offers to choose from.

import { telegram } from "./telegram.js";
import { uniform } from "./uniform.js";

const HEARTS = ["👍", "❤️", "😂", "😮", "😢", "🙏"];

/**
 * `can`: what one may do with a message or send. `offers`: where choices stand: on keys under the message, in its foot (a list
 * where there are many), or beside the field where one writes. `open` connects: open(channel, account, person).
 */
export const CHANNELS = {
  telegram: { name: "Telegram", can: ["edit"], emoji: ["👍", "❤", "🔥", "🎉", "😁", "🙏"], offers: "keys", open: telegram },
  whatsapp: { name: "WhatsApp", can: ["edit", "remove", "read"], emoji: HEARTS, offers: "foot", open: uniform },
  facebook: { name: "Messenger", can: ["edit", "remove", "read"], emoji: HEARTS, offers: "beside", open: uniform },
};
