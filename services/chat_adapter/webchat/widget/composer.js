// Where the visitor writes: grows with the text, sends on Enter, holds files until they are sent.
import { el } from "./dom.js";
import { icon } from "./icons.js";

const TEXT = 4000; // code points, as the server counts
const WARN = 200;
const FILES = 10;
const GROWS = CSS.supports("field-sizing", "content");

export class Composer {
  #conversation;
  #language;
  #files = [];

  constructor({ conversation, language, draft }) {
    this.#conversation = conversation;
    this.#language = language;
    this.#build(draft);
  }

  focus() {
    this.text.focus({ preventScroll: true });
  }

  #build(draft) {
    const say = (name) => this.#language.say(name);
    this.text = el("textarea", {
      rows: "1",
      dir: "auto",
      placeholder: say("write"),
      "aria-label": say("write"),
      "aria-describedby": "left",
      enterkeyhint: "send",
      oninput: () => this.#typed(),
      onkeydown: (event) => this.#pressed(event),
      onpaste: (event) => this.#pasted(event),
    });
    this.text.value = draft ?? "";
    this.#picker = el("input", { type: "file", multiple: true, hidden: true, onchange: () => this.#picked() });
    this.#tray = el("div.tray", { role: "list" });
    this.#left = el("span.count", { id: "left", role: "status" });
    this.#button = el("button.send", { type: "submit", "aria-label": say("send"), title: say("send") }, icon("send"));
    const attach = el(
      "button.attach",
      { type: "button", "aria-label": say("attach"), title: say("attach"), onclick: () => this.#picker.click() },
      icon("clip"),
    );
    this.node = el(
      "form.composer",
      { onsubmit: (event) => (event.preventDefault(), this.#send()) },
      this.#tray,
      el("div.field", {}, attach, this.text, this.#button, this.#picker),
      this.#left,
    );
    this.#typed(false);
  }

  #picker;
  #tray;
  #left;
  #button;

  #pressed(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.#send();
  }

  #typed(byHand = true) {
    if (!GROWS) this.#grow();
    this.#measure();
    if (byHand && this.text.value.trim()) this.#conversation.types();
    this.node.dispatchEvent(new CustomEvent("draft", { detail: this.text.value }));
  }

  #grow() {
    this.text.style.blockSize = "auto";
    if (this.text.scrollHeight) this.text.style.blockSize = `${this.text.scrollHeight}px`;
  }

  #measure() {
    const left = TEXT - [...this.text.value.trim()].length;
    const say = left < 0 ? ["tooLong", { count: TEXT }] : ["left", { count: left }];
    this.#left.textContent = left < WARN ? this.#language.say(...say) : "";
    this.#button.disabled = left < 0 || this.#isEmpty() || this.#files.some((file) => file.state === "uploading");
  }

  #isEmpty() {
    return !this.text.value.trim() && !this.#files.some((file) => file.state === "ready");
  }

  #send() {
    if (this.#button.disabled) return;
    const text = this.text.value.trim();
    const ready = this.#files.filter((file) => file.state === "ready");
    this.#conversation.say(
      { ...(text && { text }), ...(ready.length && { attachments: ready.map(({ ref }) => ({ ref })) }) },
      [...(text ? [{ kind: "text", text }] : []), ...ready.map((file) => file.part)],
    );
    this.#files = [];
    this.text.value = "";
    this.#show();
    this.#typed(false);
    this.focus();
  }

  #picked() {
    this.add([...this.#picker.files]);
    this.#picker.value = "";
  }

  #pasted(event) {
    const files = [...event.clipboardData.files];
    if (!files.length) return;
    event.preventDefault();
    this.add(files);
  }

  add(files) {
    for (const source of files.slice(0, FILES - this.#files.length)) this.#upload({ source, state: "uploading" });
  }

  async #upload(file) {
    this.#files.push(file);
    const why = this.#unfit(file.source);
    if (why) return this.#fail(file, why);
    this.#show();
    try {
      const { ref, name, mime_type, size } = await this.#conversation.upload(file.source);
      const media = mime_type.startsWith("image/") ? "image" : "file";
      Object.assign(file, { state: "ready", ref, part: { kind: "media", media, name, mime_type, size } });
      this.#show();
    } catch (trouble) {
      this.#fail(file, trouble.status === 415 ? "wrongType" : trouble.status === 413 ? "tooLarge" : "uploadFailed");
    }
  }

  #unfit(source) {
    const limits = this.#conversation.limits;
    if (limits && source.size > limits.bytes) return "tooLarge";
    return limits && !limits.types.includes(source.type) ? "wrongType" : undefined;
  }

  #fail(file, why) {
    const size = this.#language.size(this.#conversation.limits?.bytes ?? 0);
    Object.assign(file, { state: "failed", why: this.#language.say(why, { name: file.source.name, size }) });
    this.#show();
  }

  #show() {
    this.#tray.replaceChildren(...this.#files.map((file) => this.#chip(file)));
    this.#measure();
  }

  #chip(file) {
    const { name } = file.source;
    const words = file.state === "uploading" ? this.#language.say("uploading", { name }) : (file.why ?? name);
    const remove = () => {
      this.#files = this.#files.filter((other) => other !== file);
      this.#show();
      this.focus();
    };
    return el(
      "div.chip",
      { role: "listitem", "data-state": file.state },
      icon(file.state === "failed" ? "alert" : "file"),
      el("span", { dir: "auto" }, words),
      el("button", { type: "button", "aria-label": this.#language.say("remove", { name }), onclick: remove }, icon("close")),
    );
  }
}
