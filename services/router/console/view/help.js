// The help: which keys do what, and what this browser keeps.

import { h } from "../dom.js";
import { keysAct, letKeysAct } from "../keep.js";
import { KEYS } from "../keys.js";
import { createDialog } from "./dialog.js";

export function createHelp(app) {
  const { dialog, body, name } = createDialog({ id: "help", title: "help" });
  document.getElementById("help-button").addEventListener("click", open);

  function open() {
    const { words } = app;
    name(words);
    const act = h("input", { type: "checkbox", checked: keysAct(), on: { change: () => letKeysAct(act.checked) } });
    body.replaceChildren(
      h("dl", { class: "keys" }, Object.entries(KEYS).map(([key, does]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, words.t(`key_${does}`))))),
      h("label", { class: "check" }, act, words.t("keys_act")),
      h("p", { class: "soft" }, words.t("help_keys")),
      h("p", { class: "soft" }, words.t("help_kept")),
    );
    dialog.showModal();
  }

  return open;
}
