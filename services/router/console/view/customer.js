// The customer's side of the demonstration: the web-chat page, and the sandbox's phone.

import { h } from "../dom.js";

const TABS = ["chat", "phone"];

export function createCustomer(app) {
  const tabs = Object.fromEntries(TABS.map((name) => [name, document.getElementById(`tab-${name}`)]));
  const panels = Object.fromEntries(TABS.map((name) => [name, document.getElementById(`panel-${name}`)]));
  const filled = new Map();
  let open = sessionStorage.getItem("parley.customer") ?? "chat";

  for (const name of TABS) tabs[name].addEventListener("click", () => show(name));
  document.querySelector("[role=tablist]").addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    show(open === "chat" ? "phone" : "chat");
    tabs[open].focus();
  });

  function show(name) {
    open = name;
    sessionStorage.setItem("parley.customer", name);
    render();
  }

  function render() {
    for (const name of TABS) {
      tabs[name].setAttribute("aria-selected", String(name === open));
      tabs[name].tabIndex = name === open ? 0 : -1;
      panels[name].hidden = name !== open;
    }
    if (app.config && filled.get(open) !== app.words.code) fill(open);
  }

  function fill(name) {
    const address = { chat: chatAddress(app), phone: phoneAddress(app) }[name];
    filled.set(name, app.words.code);
    panels[name].replaceChildren(
      address
        ? h("iframe", { src: address, title: app.words.t(`tab_${name}`), referrerpolicy: "no-referrer", allow: "clipboard-write" })
        : h("p", { class: "empty" }, app.words.t(`no_${name}`)),
    );
  }

  return render;
}

function chatAddress({ config, words }) {
  return config.console_chat && `${config.console_chat}/webchat/demo/demo#${new URLSearchParams({ lang: words.code, open: 1 })}`;
}

function phoneAddress({ config, token, words }) {
  return config.console_sandbox && `${config.console_sandbox}/phone/?${new URLSearchParams({ lang: words.code })}#${new URLSearchParams({ token })}`;
}
