// The other apps on the phone: by name, and found by the first letters of any of their names.

import { h } from "../shared/dom.js";
import { face } from "../shared/face.js";
import { choice } from "../shared/sheet.js";
import { has, language, t } from "../shared/words.js";
import { CHANNELS } from "./channels.js";

/** What stands in the sheet: a field to find by, and every app but this one; `goTo(channel)` opens it. */
export function otherApps(close, { channel, goTo }) {
  const apps = Object.entries(CHANNELS)
    .filter(([name]) => name !== channel)
    .sort(([, one], [, other]) => one.name.localeCompare(other.name, language))
    .map(([name, { name: words }]) => ({ name, names: plain(`${words} ${name} ${has(`app_${name}`) ? t(`app_${name}`) : ""}`), shown: choice(close, { picture: face(words), words, act: () => goTo(name) }) }));
  const none = h("p", { class: "none", role: "status" });
  const find = () => {
    const asked = plain(field.value);
    for (const { names, shown } of apps) shown.hidden = !names.includes(asked);
    none.textContent = apps.every(({ shown }) => shown.hidden) ? t("no_app") : "";
  };
  const enter = (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    apps.find(({ shown }) => !shown.hidden)?.shown.click();
  };
  const field = h("input", { type: "search", class: "find", autocomplete: "off", dir: "auto", "aria-label": t("find_app"), placeholder: t("find_app"), on: { input: find, keydown: enter } });
  return [h("h3", {}, t("other_apps")), field, ...apps.map(({ shown }) => shown), none];
}

/** Small letters without marks that one may leave out. */
const plain = (words) => words.normalize("NFKC").toLowerCase().trim();
