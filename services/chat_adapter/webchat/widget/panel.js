// The launcher and the window behind it: a dialog with a head, the log of messages, and a place to write.
import { readableOn } from "./colour.js";
import { Composer } from "./composer.js";
import { el } from "./dom.js";
import { icon } from "./icons.js";
import { Log } from "./log.js";
import { sheet } from "./style.js";

const PHONE = "(max-width: 30rem)";

export class Panel {
  #conversation;
  #language;
  #options;
  #root;
  #launcher;
  #badge;
  #dialog;
  #title;
  #status;
  #log;
  #composer;
  #hidden = []; // what of the page stands behind a window that covers it

  constructor({ conversation, language, options }) {
    this.#conversation = conversation;
    this.#language = language;
    this.#options = options;
    this.host = el("parley-webchat", { lang: language.code });
    this.#build(this.host.attachShadow({ mode: "open" }));
    conversation.addEventListener("change", () => this.#show());
    document.addEventListener("visibilitychange", () => this.#seen());
    addEventListener("focus", () => this.#seen());
    matchMedia(PHONE).addEventListener("change", () => this.#cover());
    this.#show();
  }

  get isOpen() {
    return !this.#dialog.hidden;
  }

  // Whether the window, when open, hides the page behind it.
  get covers() {
    return matchMedia(PHONE).matches;
  }

  open({ focus = true } = {}) {
    if (this.isOpen) return;
    this.#dialog.hidden = false;
    this.#root.classList.add("open");
    this.#cover();
    this.#conversation.remember("open", true);
    this.#conversation.begin();
    this.#show();
    this.#log.toEnd();
    if (focus) this.#composer.focus();
  }

  close() {
    if (!this.isOpen) return;
    this.#dialog.hidden = true;
    this.#root.classList.remove("open");
    this.#cover();
    this.#conversation.remember("open", undefined);
    this.#show();
    this.#launcher.focus();
  }

  #build(shadow) {
    shadow.adoptedStyleSheets = [sheet()];
    this.#badge = el("span.badge", { "aria-hidden": "true", hidden: true });
    this.#launcher = el(
      "button.launcher",
      { type: "button", "aria-haspopup": "dialog", "aria-controls": "dialog", onclick: () => this.#toggle() },
      icon("chat"),
      icon("down"),
      this.#badge,
    );
    this.#dialog = this.#buildDialog();
    this.#root = el(
      `div.root.${this.#options.side}`,
      { lang: this.#language.code, dir: this.#language.direction, "data-theme": this.#options.theme },
      this.#dialog,
      this.#launcher,
    );
    if (this.#options.accent) this.#colour(this.#options.accent);
    shadow.append(this.#root);
  }

  #colour(accent) {
    this.#root.style.setProperty("--accent", accent);
    this.#root.style.setProperty("--fill", accent);
    this.#root.style.setProperty("--on-fill", readableOn(accent));
  }

  #buildDialog() {
    const [conversation, language] = [this.#conversation, this.#language];
    this.#composer = new Composer({ conversation, language, draft: conversation.recall("draft") });
    this.#composer.node.addEventListener("draft", ({ detail }) => conversation.remember("draft", detail || undefined));
    this.#status = el("div.status", { role: "status", hidden: true });
    this.#log = new Log({ conversation, language, left: () => this.#composer.focus(), ended: () => this.#seen() });
    return el(
      "section.dialog",
      {
        id: "dialog",
        role: "dialog",
        "aria-labelledby": "title",
        hidden: true,
        onkeydown: (event) => this.#pressed(event),
        ondragover: (event) => event.preventDefault(),
        ondrop: (event) => this.#dropped(event),
      },
      this.#buildHead(),
      el("div.body", {}, this.#status, ...this.#log.nodes),
      this.#composer.node,
    );
  }

  #buildHead() {
    const close = this.#language.say("close");
    this.#title = el("h2", { id: "title", dir: "auto" });
    return el(
      "header",
      {},
      el("span.sign", {}, icon("chat")),
      el("div.heading", {}, this.#title, el("p", {}, this.#language.say("subtitle"))),
      el("button.close", { type: "button", "aria-label": close, title: close, onclick: () => this.close() }, icon("close")),
    );
  }

  #show() {
    this.#showLauncher(this.#conversation.unread);
    this.#title.textContent = this.#options.title || this.#conversation.title || this.#language.say("title");
    this.#showStatus();
    this.#log.show();
    this.#seen();
  }

  #showLauncher(unread) {
    const label = unread ? this.#language.say("openUnread", { count: unread }) : this.#language.say("open");
    this.#launcher.setAttribute("aria-label", this.isOpen ? this.#language.say("close") : label);
    this.#launcher.setAttribute("aria-expanded", String(this.isOpen));
    this.#badge.hidden = !unread || this.isOpen;
    this.#badge.textContent = unread > 9 ? "9+" : String(unread);
  }

  #showStatus() {
    const words = this.#trouble();
    this.#status.hidden = !words;
    if (this.#status.textContent !== words) this.#status.textContent = words;
  }

  #trouble() {
    const { state, wasOnline, outbox } = this.#conversation;
    if (state === "refused") return this.#language.say("unavailable");
    if (state === "offline") return this.#language.say("offline");
    if (state === "connecting") return this.#language.say(wasOnline ? "reconnecting" : "connecting");
    return outbox.trouble?.status === 429 ? this.#language.say("busy") : "";
  }

  #seen() {
    if (this.isOpen && this.#log.atEnd && document.visibilityState === "visible") this.#conversation.seen();
  }

  #toggle() {
    if (this.isOpen) this.close();
    else this.open();
  }

  #dropped(event) {
    event.preventDefault();
    this.#composer.add([...event.dataTransfer.files]);
  }

  #pressed(event) {
    event.stopPropagation(); // the site's own shortcuts are not for what is written here
    if (event.key === "Escape" && !event.isComposing) this.close();
  }

  // Where the window covers the page, nobody wanders behind it; the keyboard still leaves by Tab, to the browser or to the
  // page in whose frame this one is (WCAG 2.2, 2.1.2: no keyboard trap).
  #cover() {
    const covered = this.isOpen && this.covers;
    this.#dialog.setAttribute("aria-modal", String(covered));
    this.#hidden.forEach((node) => (node.inert = false));
    this.#hidden = covered ? [...document.body.children].filter((node) => node !== this.host && !node.inert) : [];
    this.#hidden.forEach((node) => (node.inert = true));
  }
}
