// The customer's side of the demonstration: one tab per place at which a customer writes, each a page in a frame.

import { h, mark } from "../dom.js";
import { icon } from "../icons.js";

const ASKED_AGAIN = 8_000; // ms between two looks at a page that is open
const NAME = "parley.customer";

/** In the order of the tabs. A chat page comes from chat_adapter, all others from the sandbox. */
const TABS = [
  { name: "webchat", icon: "bubble", address: chatAddress },
  { name: "telegram", icon: "plane", address: phoneAddress },
  { name: "whatsapp", icon: "phone", address: phoneAddress },
  { name: "messenger", icon: "people", address: (app) => phoneAddress(app, { name: "facebook" }) },
  { name: "apps", icon: "keys", address: (app) => phoneAddress(app, { name: app.tried ?? "line" }) },
  { name: "post", icon: "megaphone", address: (app) => sandboxAddress(app, "/post/", {}) },
  { name: "mailbox", icon: "envelope", address: (app) => sandboxAddress(app, "/mailbox/", {}) },
];

const OWN_TABS = { webchat: "webchat", telegram: "telegram", whatsapp: "whatsapp", facebook: "messenger", email: "mailbox" };
const NO_APP = new Set(["webhook"]); // whose customers are behind a program of somebody's

export function createCustomer(app) {
  const strip = document.getElementById("customer-tabs");
  const stages = document.getElementById("customer-stages");
  const places = TABS.map((tab) => createPlace(app, tab, () => show(tab.name)));
  let open = TABS.some(({ name }) => name === sessionStorage.getItem(NAME)) ? sessionStorage.getItem(NAME) : TABS[0].name;

  let brought = null; // into view
  strip.append(...places.map((place) => place.tab));
  stages.append(...places.map((place) => place.panel));
  strip.addEventListener("keydown", move);
  setInterval(() => document.hidden || opened()?.look(), ASKED_AGAIN);

  const opened = () => places.find((place) => place.name === open && place.shown);

  function show(name) {
    open = name;
    sessionStorage.setItem(NAME, name);
    render();
  }

  function move(event) {
    const here = places.findIndex((place) => place.tab === document.activeElement);
    const forward = document.documentElement.dir === "rtl" ? -1 : 1;
    const there = { ArrowRight: here + forward, ArrowLeft: here - forward, Home: 0, End: places.length - 1 }[event.key];
    if (here < 0 || there === undefined) return;
    event.preventDefault();
    const next = places.at(there % places.length);
    show(next.name);
    next.tab.focus();
  }

  function render() {
    for (const place of places) place.render(place.name === open);
    if (brought === open) return;
    brought = open;
    places.find((place) => place.name === open).tab.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  render.showAt = (at) => {
    if (!places[at]) return;
    app.showView("customer");
    show(places[at].name);
    places[at].tab.focus();
  };
  render.canTry = (channel) => Boolean(app.config?.console_sandbox) && !NO_APP.has(channel);
  render.tryOut = (channel) => {
    if (!OWN_TABS[channel]) app.tried = channel;
    render.showAt(places.findIndex(({ name }) => name === (OWN_TABS[channel] ?? "apps")));
  };
  return render;
}

/** One tab and its panel. The frame is loaded when it is first shown, kept alive, and loaded again when its page was away. */
function createPlace(app, tab, choose) {
  const label = h("span", {});
  const button = h("button", { role: "tab", type: "button", id: `tab-${tab.name}`, "aria-controls": `panel-${tab.name}`, on: { click: choose } }, icon(tab.icon), label);
  const panel = h("div", { class: "stage", role: "tabpanel", id: `panel-${tab.name}`, "aria-labelledby": `tab-${tab.name}` });
  const words = h("p", { class: "empty" });
  const frame = h("iframe", { referrerpolicy: "no-referrer", allow: "clipboard-write" });
  const place = { name: tab.name, tab: button, panel, shown: false, away: false, source: null };

  place.render = (open) => {
    const name = app.words.t(`tab_${tab.name}`);
    place.shown = open;
    label.textContent = name;
    button.title = name;
    button.setAttribute("aria-selected", String(open));
    button.tabIndex = open ? 0 : -1;
    panel.hidden = !open;
    if (open && app.config) fill();
  };

  place.look = async () => {
    const source = tab.address(app, tab);
    if (!source) return;
    const away = !(await reaches(source));
    if (away !== place.away) place.source = null;
    place.away = away;
    if (place.shown) fill();
  };

  function fill() {
    const source = tab.address(app, tab);
    frame.title = app.words.t(`tab_${tab.name}`);
    mark(button, "tone", place.away && "bad");
    if (!source || place.away) return say(source);
    if (place.source === source) return;
    place.source = source;
    frame.src = source;
    panel.replaceChildren(frame);
    place.look();
  }

  function say(source) {
    const about = source ? app.words.t(tab.name === "webchat" ? "chat_away" : "sandbox_away", { address: new URL(source).origin }) : app.words.t(tab.name === "webchat" ? "no_chat" : "no_sandbox");
    if (words.textContent !== about) words.textContent = about;
    if (!words.isConnected) panel.replaceChildren(words);
  }

  return place;
}

/** Whether anything answers there; what it answers, another origin may not read. */
async function reaches(source) {
  try {
    await fetch(new URL("/health/live", source), { mode: "no-cors", cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(5_000) });
    return true;
  } catch {
    return false;
  }
}

function chatAddress({ config, words }) {
  return config.console_chat && `${config.console_chat}/webchat/demo/demo#${new URLSearchParams({ lang: words.code, open: 1 })}`;
}

function phoneAddress(app, { name }) {
  return sandboxAddress(app, "/phone/", { channel: name });
}

function sandboxAddress({ config, token, words }, path, query) {
  const { console_sandbox: sandbox } = config;
  return sandbox && `${sandbox}${path}?${new URLSearchParams({ ...query, lang: words.code })}#${new URLSearchParams({ token })}`;
}
