// What a person can do in the app of each channel, and how it shows what the business offers to choose from.

import { telegram } from "./telegram.js";
import { uniform } from "./uniform.js";

/**
 * `can`: edit or remove what one wrote, send a contact. `emoji`: what one reacts with. `offers`: where quick replies stand: under the message, or beside the
 * field where one writes. `open`: how its chats are reached.
 */
export const CHANNELS = {
  telegram: { name: "Telegram", can: ["edit", "contact"], emoji: ["👍", "❤", "🔥", "🎉", "😁", "🙏"], offers: "under", open: telegram },
  whatsapp: { name: "WhatsApp", can: ["edit", "remove", "contact"], emoji: ["👍", "❤️", "😂", "😮", "😢", "🙏"], offers: "under", open: uniform },
  facebook: { name: "Messenger", can: ["edit", "remove"], emoji: ["❤️", "😆", "😮", "😢", "😠", "👍"], offers: "beside", open: uniform },
};
