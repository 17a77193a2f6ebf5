// The log of messages: what was said and what is on its way, by day and in groups, at its end unless the visitor reads above.
import { bubble, mark, shown } from "./bubble.js";
import { arrange, el } from "./dom.js";
import { icon } from "./icons.js";
import { Pictures } from "./pictures.js";

const TOGETHER = 5 * 60_000; // milliseconds within which messages of one side stand as a group
const NEAR = 48; // pixels from the end that count as the end

// `left()`: called when something was pressed in it, to put the focus back where one writes; `ended()`: the end is shown.
export class Log {
  #conversation;
  #language;
  #left;
  #ended;
  #nodes = new Map();
  #pictures;
  #shownLast = 0;
  #log;
  #scroller;
  #typing;
  #growing;
  #earlier;
  #below;

  constructor({ conversation, language, left, ended }) {
    this.#conversation = conversation;
    this.#language = language;
    this.#left = left;
    this.#ended = ended;
    this.#pictures = new Pictures((address) => conversation.file(address));
    this.atEnd = true;
    this.nodes = this.#build();
  }

  #build() {
    const say = (name) => this.#language.say(name);
    this.#earlier = el("button.earlier", { type: "button", hidden: true, onclick: () => this.#loadEarlier() }, say("earlier"));
    this.#log = el("div.log", { role: "log", "aria-label": say("messages"), "aria-live": "off" });
    this.#typing = el("div.typing", { hidden: true }, el("i"), el("i"), el("i"), el("span.heard", { role: "status" }));
    this.#below = el("button.below", { type: "button", hidden: true, onclick: () => this.toEnd() });
    this.#growing = el("div.growing.theirs", { hidden: true });
    this.#scroller = el(
      "div.scroller",
      { tabindex: "0", role: "group", "aria-label": say("messages"), onscroll: () => this.#scrolled() },
      el("div.welcome", {}, el("strong", {}, say("welcome")), el("p", {}, say("invitation"))),
      this.#earlier,
      this.#log,
      this.#growing,
      this.#typing,
    );
    const resized = new ResizeObserver(() => this.atEnd && this.toEnd());
    [this.#log, this.#growing, this.#typing, this.#scroller].forEach((node) => resized.observe(node));
    return [this.#scroller, this.#below];
  }

  show() {
    const { typing, growing, more, loaded } = this.#conversation;
    this.#earlier.hidden = !more;
    this.#typing.hidden = !typing;
    this.#typing.lastChild.textContent = typing ? this.#language.say("typing") : "";
    this.#growing.hidden = !growing;
    this.#growing.replaceChildren(...(growing?.parts ?? []).map((part) => shown(part, this.#language, {})));
    const messages = this.#messages();
    arrange(this.#log, this.#rows(messages));
    if (loaded) this.#log.setAttribute("aria-live", "polite"); // what was said before is not read out
    this.#showBelow(messages);
  }

  #messages() {
    const { lines, outbox, state, seenTo } = this.#conversation;
    const said = lines.map((line) => ({
      key: `${line.client_id ?? line.id}${line.version ? ` ${line.version}` : ""}`,
      id: line.id,
      mine: line.direction === "inbound",
      author: line.author,
      at: new Date(line.at),
      parts: line.deleted ? [{ kind: "deleted" }] : line.parts,
      edited: line.edited && !line.deleted,
      state: line.direction !== "inbound" ? undefined : line.position <= seenTo ? "seen" : "delivered",
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

  #rows(messages) {
    const alive = new Set();
    const rows = messages.flatMap((message, index) => {
      const [before, after] = [messages[index - 1], messages[index + 1]];
      message.first = !belongs(before, message);
      message.last = !belongs(message, after);
      message.newest = !after;
      const day = this.#language.day(message.at);
      const begins = !before || this.#language.day(before.at) !== day;
      return [...(begins ? [this.#day(message.at, day, alive)] : []), this.#row(message, alive)];
    });
    [...this.#nodes.keys()].filter((key) => !alive.has(key)).forEach((key) => this.#nodes.delete(key));
    return rows;
  }

  #day(date, day, alive) {
    const make = () => el("div.day", { role: "separator", "aria-label": day }, el("span", { "aria-hidden": "true" }, day));
    return this.#node(`day ${date.toDateString()} ${day}`, alive, make);
  }

  #row(message, alive) {
    const doing = this.#doing(message);
    const row = this.#node(keyOf(message), alive, () => bubble(message, this.#language, doing));
    mark(row, message, this.#language, doing);
    return row;
  }

  #node(key, alive, make) {
    alive.add(key);
    if (!this.#nodes.has(key)) this.#nodes.set(key, make());
    return this.#nodes.get(key);
  }

  #doing(message) {
    const { outbox } = this.#conversation;
    return {
      choose: (option) => this.#choose(message, option),
      file: (part) => part.url && this.#conversation.file(part.url),
      picture: (part) => this.#pictures.get(part),
      retry: () => outbox.retry(message.item),
      drop: () => (outbox.drop(message.item), this.#left()),
    };
  }

  #choose(message, { id, title }) {
    this.#conversation.say({ choice: { id, title, target: message.id } }, [{ kind: "choice", id, title }]);
    this.toEnd();
    this.#left();
  }

  #showBelow(messages) {
    const { cursor, lines } = this.#conversation;
    const grown = cursor > this.#shownLast || messages.some((message) => message.item);
    if (this.atEnd && grown) this.toEnd();
    const count = lines.filter((line) => line.position > this.#shownLast).length;
    this.#below.hidden = !count || this.atEnd;
    this.#below.replaceChildren(icon("down"), this.#language.say("newMessages", { count }));
  }

  toEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#scrolled();
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    this.atEnd = scrollHeight - scrollTop - clientHeight < NEAR;
    if (!this.atEnd || !clientHeight) return;
    this.#shownLast = this.#conversation.cursor;
    this.#below.hidden = true;
    this.#ended();
  }

  async #loadEarlier() {
    const { scrollHeight, scrollTop } = this.#scroller;
    this.atEnd = false;
    await this.#conversation.earlier().catch(() => {});
    this.#scroller.scrollTop = scrollTop + this.#scroller.scrollHeight - scrollHeight;
  }
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
