// What a person can do in the app of each channel, and how it shows what the business offers to choose from.

import { names } from "../shared/people.js";
import { get } from "../shared/wire.js";
import { telegram } from "./telegram.js";
import { uniform } from "./uniform.js";

/**
 * `can`: send media (with a caption), a location, a contact; reply to a message; edit or remove what one wrote. `emoji`: what one reacts with. `offers`: where quick replies stand: under the message, or beside the
 * field where one writes. `open`: how its chats are reached. `online`: what stands under the account's name; else the app's.
 */
export const CHANNELS = {
  ...(await twins()),
  telegram: { name: "Telegram", online: "online_telegram", can: ["media", "caption", "location", "contact", "reply", "edit"], emoji: ["👍", "❤", "🔥", "🎉", "😁", "🙏"], offers: "under", open: telegram },
  whatsapp: { name: "WhatsApp", online: "online_business", can: ["media", "caption", "location", "contact", "reply", "edit", "remove"], emoji: ["👍", "❤️", "😂", "😮", "😢", "🙏"], offers: "under", open: uniform },
  facebook: { name: "Messenger", online: "online_facebook", can: ["media", "caption", "location", "reply", "edit", "remove"], emoji: ["❤️", "😆", "😮", "😢", "😠", "👍"], offers: "beside", open: uniform },
};

/** The apps that the sandbox describes itself, and how it names the people who have them; none, while it cannot be asked. */
async function twins() {
  const { apps } = await get("phone/apps").catch(() => ({ apps: [] }));
  for (const { channel, person } of apps) names(channel, ...person);
  return Object.fromEntries(apps.map((app) => [app.channel, { ...app, open: uniform }]));
}
