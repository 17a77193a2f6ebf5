// The launcher and the window behind it: a dialog with a head, the log of messages, and a place to write.
import { bubble, mark } from "./bubble.js";
import { Composer } from "./composer.js";
import { arrange, el } from "./dom.js";
import { icon } from "./icons.js";
import { Pictures } from "./pictures.js";
import { sheet } from "./style.js";

const TOGETHER = 5 * 60_000; // milliseconds within which messages of one side stand as a group
const PHONE = "(max-width: 30rem)";

export class Panel {
  #conversation;
  #language;
  #options;
  #nodes = new Map();
  #pictures;
  #atEnd = true;
  #shownLast = 0;

  constructor({ conversation, language, options }) {
    this.#conversation = conversation;
    this.#language = language;
    this.#options = options;
    this.#pictures = new Pictures((address) => conversation.file(address));
    this.host = el("parley-webchat", { lang: language.code });
    this.#build(this.host.attachShadow({ mode: "open" }));
    conversation.addEventListener("change", () => this.#show());
    document.addEventListener("visibilitychange", () => this.#seen());
    addEventListener("focus", () => this.#seen());
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
    this.#dialog.setAttribute("aria-modal", String(this.covers));
    this.#root.classList.add("open");
    this.#conversation.remember("open", true);
    this.#conversation.begin();
    this.#show();
    this.#toEnd();
    if (focus) this.#composer.focus();
  }

  close() {
    if (!this.isOpen) return;
    this.#dialog.hidden = true;
    this.#root.classList.remove("open");
    this.#conversation.remember("open", undefined);
    this.#show();
    this.#launcher.focus();
  }

  // building ----------------------------------------------------------------------------------------------------------

  #root;
  #launcher;
  #badge;
  #dialog;
  #title;
  #log;
  #scroller;
  #status;
  #typing;
  #earlier;
  #below;
  #composer;

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
      { lang: this.#language.code, "data-theme": this.#options.theme },
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
    this.#composer = new Composer({
      conversation: this.#conversation,
      language: this.#language,
      draft: this.#conversation.recall("draft"),
    });
    this.#composer.node.addEventListener("draft", ({ detail }) => this.#conversation.remember("draft", detail || undefined));
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
      this.#buildBody(),
      this.#composer.node,
    );
  }

  #buildHead() {
    this.#title = el("h2", { id: "title", dir: "auto" });
    return el(
      "header",
      {},
      el("span.sign", {}, icon("chat")),
      el("div.heading", {}, this.#title, el("p", {}, this.#language.say("subtitle"))),
      el(
        "button.close",
        { type: "button", "aria-label": this.#language.say("close"), title: this.#language.say("close"), onclick: () => this.close() },
        icon("close"),
      ),
    );
  }

  #buildBody() {
    const say = (name) => this.#language.say(name);
    this.#earlier = el("button.earlier", { type: "button", hidden: true, onclick: () => this.#loadEarlier() }, say("earlier"));
    this.#log = el("div.log", { role: "log", "aria-label": say("messages"), "aria-live": "off" });
    this.#typing = el("div.typing", { hidden: true }, el("i"), el("i"), el("i"), el("span.heard", { role: "status" }));
    this.#status = el("div.status", { role: "status", hidden: true });
    this.#below = el("button.below", { type: "button", hidden: true, onclick: () => this.#toEnd() });
    this.#scroller = el(
      "div.scroller",
      { tabindex: "0", role: "group", "aria-label": say("messages"), onscroll: () => this.#scrolled() },
      el("div.welcome", {}, el("strong", {}, say("welcome")), el("p", {}, say("invitation"))),
      this.#earlier,
      this.#log,
      this.#typing,
    );
    const resized = new ResizeObserver(() => this.#atEnd && this.#toEnd());
    [this.#log, this.#typing, this.#scroller].forEach((node) => resized.observe(node));
    return el("div.body", {}, this.#status, this.#scroller, this.#below);
  }

  // showing -----------------------------------------------------------------------------------------------------------

  #show() {
    const { unread, typing, more, loaded } = this.#conversation;
    const label = unread ? this.#language.say("openUnread", { count: unread }) : this.#language.say("open");
    this.#launcher.setAttribute("aria-label", this.isOpen ? this.#language.say("close") : label);
    this.#launcher.setAttribute("aria-expanded", String(this.isOpen));
    this.#badge.hidden = !unread || this.isOpen;
    this.#badge.textContent = unread > 9 ? "9+" : String(unread);
    this.#title.textContent = this.#options.title || this.#conversation.title || this.#language.say("title");
    this.#earlier.hidden = !more;
    this.#typing.hidden = !typing;
    this.#typing.lastChild.textContent = typing ? this.#language.say("typing") : "";
    this.#showStatus();
    this.#showLog();
    if (loaded) this.#log.setAttribute("aria-live", "polite");
    this.#seen();
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

  #showLog() {
    const messages = this.#messages();
    const alive = new Set();
    const nodes = [];
    messages.forEach((message, index) => {
      const day = this.#language.day(message.at);
      const before = messages[index - 1];
      if (!before || this.#language.day(before.at) !== day) {
        nodes.push(this.#node(`day ${message.at.toDateString()} ${day}`, alive, () => this.#dayNode(day)));
      }
      message.first = !belongs(before, message);
      message.last = !belongs(message, messages[index + 1]);
      message.newest = index === messages.length - 1;
      const doing = this.#doing(message);
      const row = this.#node(keyOf(message), alive, () => bubble(message, this.#language, doing));
      mark(row, message, this.#language, doing);
      nodes.push(row);
    });
    [...this.#nodes.keys()].filter((key) => !alive.has(key)).forEach((key) => this.#nodes.delete(key));
    arrange(this.#log, nodes);
    this.#showBelow(messages);
  }

  #node(key, alive, make) {
    alive.add(key);
    if (!this.#nodes.has(key)) this.#nodes.set(key, make());
    return this.#nodes.get(key);
  }

  #dayNode(day) {
    return el("div.day", { role: "separator", "aria-label": day }, el("span", { "aria-hidden": "true" }, day));
  }

  #messages() {
    const { lines, outbox, state } = this.#conversation;
    const said = lines.map((line) => ({
      key: line.client_id ?? line.id,
      id: line.id,
      mine: line.direction === "inbound",
      author: line.author,
      at: new Date(line.at),
      parts: line.parts,
      state: line.direction === "inbound" ? "delivered" : undefined,
    }));
    const waiting = outbox.items.map((item) => ({
      key: item.client_id,
      item,
      mine: true,
      at: new Date(item.at),
      parts: item.shown,
      state: item.state === "waiting" && state !== "online" ? "kept" : item.state,
    }));
    return [...said, ...waiting];
  }

  #doing(message) {
    const { outbox } = this.#conversation;
    return {
      choose: (option) => this.#choose(message, option),
      file: (part) => part.url && this.#conversation.file(part.url),
      picture: (part) => this.#pictures.get(part),
      retry: () => outbox.retry(message.item),
      drop: () => (outbox.drop(message.item), this.#composer.focus()),
    };
  }

  #choose(message, { id, title }) {
    this.#conversation.say({ choice: { id, title, target: message.id } }, [{ kind: "choice", id, title }]);
    this.#toEnd();
    this.#composer.focus();
  }

  #showBelow(messages) {
    const grown = this.#conversation.cursor > this.#shownLast || messages.some((message) => message.item);
    if (this.#atEnd) {
      this.#shownLast = this.#conversation.cursor;
      if (grown) this.#toEnd();
    }
    const count = this.#conversation.lines.filter((line) => line.position > this.#shownLast).length;
    this.#below.hidden = !count || this.#atEnd;
    this.#below.replaceChildren(icon("down"), this.#language.say("newMessages", { count }));
  }

  // moving ------------------------------------------------------------------------------------------------------------

  #toggle() {
    if (this.isOpen) this.close();
    else this.open();
  }

  #toEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#scrolled();
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    this.#atEnd = scrollHeight - scrollTop - clientHeight < 48;
    if (!this.#atEnd || !this.isOpen) return;
    this.#shownLast = this.#conversation.cursor;
    this.#below.hidden = true;
    this.#seen();
  }

  #seen() {
    if (this.isOpen && this.#atEnd && document.visibilityState === "visible") this.#conversation.seen();
  }

  async #loadEarlier() {
    const { scrollHeight, scrollTop } = this.#scroller;
    this.#atEnd = false;
    await this.#conversation.earlier().catch(() => {});
    this.#scroller.scrollTop = scrollTop + this.#scroller.scrollHeight - scrollHeight;
  }

  #dropped(event) {
    event.preventDefault();
    this.#composer.add([...event.dataTransfer.files]);
  }

  #pressed(event) {
    event.stopPropagation(); // the site's own shortcuts are not for what is written here
    if (event.key === "Escape" && !event.isComposing) this.close();
    if (event.key === "Tab" && this.covers) this.#stayInside(event);
  }

  // On a phone the dialog covers the page, so the keyboard must not wander behind it.
  #stayInside(event) {
    const inside = [...this.#dialog.querySelectorAll("button, a[href], textarea, [tabindex='0']")].filter(
      (node) => !node.disabled && node.offsetParent !== null,
    );
    const [first, last] = [inside.at(0), inside.at(-1)];
    const here = this.host.shadowRoot.activeElement;
    if (event.shiftKey ? here === first : here === last) {
      event.preventDefault();
      (event.shiftKey ? last : first).focus();
    }
  }
}

// Black or white, whichever stands out more (WCAG 2.2, relative luminance).
function readableOn(colour) {
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  pen.fillStyle = colour;
  pen.fillRect(0, 0, 1, 1);
  const [red, green, blue] = [...pen.getImageData(0, 0, 1, 1).data].map((value) => ((value / 255 + 0.055) / 1.055) ** 2.4);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#000" : "#fff";
}

function belongs(before, message) {
  if (!before || !message || before.mine !== message.mine || before.author !== message.author) return false;
  return message.at - before.at < TOGETHER && before.at.toDateString() === message.at.toDateString();
}

// A file gets its address only when it stands in the transcript: then its message is built again.
function keyOf(message) {
  const pending = message.item && message.parts.some((part) => part.kind === "media");
  return pending ? `${message.key} pending` : message.key;
}
