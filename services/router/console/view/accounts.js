// The accounts: which of them work, why one does not, and what to do.

import { h, mark, reconcile } from "../dom.js";
import { createDialog } from "./dialog.js";
import { channelName } from "./face.js";
import { detailOf, meaningOf, remedyOf } from "./failure.js";
import { channelIcon } from "../icons.js";
import { createChannels } from "./channels.js";
import { isIll, showParts } from "./system.js";

const SOON = 7 * 24 * 3600 * 1000; // ms; a token that ends within is worth a word
const VERSION_SOON = 90 * 24 * 3600 * 1000; // ms; the same for a version of the provider's API

export function createAccounts(app, customer) {
  const button = document.getElementById("accounts-button");
  const count = document.getElementById("accounts-trouble");
  const { dialog, body, name } = createDialog({ id: "accounts", title: "accounts" });
  const list = h("ul", { class: "accounts" });
  const empty = h("p", { class: "empty" });
  const parts = h("ul", { class: "accounts" });
  const system = h("h3", {});
  const openChannels = createChannels(app, customer);
  const channels = h("button", { type: "button", class: "quiet", on: { click: () => { dialog.close(); openChannels(); } } });
  body.append(list, empty, channels, system, parts);
  button.addEventListener("click", () => { app.loadAccounts(); dialog.showModal(); });

  return function render() {
    const { words } = app;
    const all = [...app.accounts.values()].sort((one, other) => one.healthy - other.healthy || one.channel.localeCompare(other.channel));
    const ill = [...all.filter((one) => !one.healthy), ...app.parts.filter(isIll)].length;
    mark(button, "tone", ill > 0 && "bad");
    count.hidden = ill === 0;
    count.textContent = words.number(ill);
    button.setAttribute("aria-label", ill ? words.t("accounts_ill", { n: ill }) : words.t("accounts"));
    name(words);
    empty.hidden = all.length > 0;
    empty.textContent = words.t("accounts_none");
    reconcile(list, all.map((one) => entry(words, one)));
    channels.textContent = words.t("channels_what");
    system.textContent = words.t("system");
    showParts(app, parts);
  };
}

function entry(words, account) {
  const { tenant, channel, account: name, healthy, failure, token_expires_at: ends, api_version: version, api_ends_at: apiEnds } = account;
  const near = ends && Date.parse(ends) - Date.now() < SOON;
  const old = apiEnds && Date.parse(apiEnds) - Date.now() < VERSION_SOON;
  return {
    key: [tenant, channel, name].join("|"), version: JSON.stringify([healthy, failure, ends, apiEnds, words.code]), tag: "li",
    fill: (node) => {
      mark(node, "tone", healthy ? null : "bad");
      node.replaceChildren(
        h("span", { class: "channel", data: { channel } }, channelIcon(channel)),
        h("div", { class: "account-words" },
          h("p", { class: "account-name", dir: "auto" }, `${channelName(channel, words)} · ${name}`),
          !healthy && h("p", {}, words.t("account_ill", { why: meaningOf(words, failure) }), " ", detailOf(failure)),
          !healthy && h("p", { class: "soft" }, remedyOf(words, failure)),
          near && h("p", { class: "soft" }, words.t("token_ends", { time: words.moment(new Date(ends)) })),
          old && h("p", { class: "soft" }, words.t("api_ends", { version, time: words.moment(new Date(apiEnds)) }))),
        h("span", { class: "tag", data: { tone: healthy ? "good" : "bad" } }, words.t(healthy ? "account_works" : "account_fails")),
      );
    },
  };
}
