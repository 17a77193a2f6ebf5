// One message as an element: its parts, who said it, when, and how far it is.
import { el } from "./dom.js";
import { icon } from "./icons.js";
import { linkTo, words } from "./words.js";

const STATES = {
  waiting: ["clock", "sending"],
  kept: ["clock", "kept"],
  accepted: ["tick", "sent"],
  delivered: ["ticks", "delivered"],
  seen: ["ticks", "seen"],
  failed: ["alert", "failed"],
};

// `message`: {mine, author?, at: Date, parts, state?, first, last, newest}; `doing`: {choose, file, picture, retry, drop}.
export function bubble(message, language, doing) {
  const who = message.mine ? language.say("you") : message.author || language.say("team");
  return el(
    `div.row.${message.mine ? "mine" : "theirs"}`,
    {},
    el("span.heard", {}, `${who}: `),
    !message.mine && message.author && el("span.author", { "aria-hidden": "true", dir: "auto" }, who),
    ...message.parts.map((part) => shown(part, language, doing)),
    el("div.meta", { "aria-live": "off" }),
  );
}

// Show how far the message is and where it stands in its group, in the element that is there: it is not read out again.
export function mark(row, message, language, doing) {
  const { first, last, newest, state } = message;
  const looks = JSON.stringify([first, last, newest, state]);
  if (row.dataset.looks === looks) return;
  Object.assign(row.dataset, { looks, state: state ?? "" });
  row.toggleAttribute("data-first", first);
  row.toggleAttribute("data-last", last);
  row.toggleAttribute("data-newest", newest);
  row.lastChild.replaceChildren(meta(message, language), ...(state === "failed" ? [mending(language, doing)] : []));
}

function meta(message, language) {
  const [name, words] = STATES[message.state] ?? [];
  return el(
    "span.when",
    {},
    message.edited && el("span", {}, `${language.say("edited")} · `),
    el("time", { datetime: message.at.toISOString() }, language.time(message.at)),
    name && el("span.state", { title: language.say(words) }, icon(name), el("span.heard", {}, language.say(words))),
  );
}

function mending(language, doing) {
  return el(
    "span.mending",
    {},
    el("span", {}, language.say("failed")),
    el("button.plain", { type: "button", onclick: doing.retry }, language.say("tryAgain")),
    el("button.plain", { type: "button", onclick: doing.drop }, language.say("discard")),
  );
}

// A part as an element; `doing` as above, of what a person can press.
export function shown(part, language, doing) {
  switch (part.kind) {
    case "text":
      return el("div.bubble", { dir: "auto" }, ...words(part.text));
    case "deleted":
      return el("div.bubble.quiet", { dir: "auto" }, language.say("deleted"));
    case "choice":
      return el("div.bubble", { dir: "auto" }, part.title || part.id);
    case "choices":
      return choices(part, language, doing);
    case "media":
      return media(part, language, doing);
    default:
      return el("div.bubble.quiet", { dir: "auto" }, part.text || language.say("unsupported"));
  }
}

function choices(part, language, doing) {
  const options = part.options.map((option) => offered(option, language, doing)).filter(Boolean);
  return el(
    "div.choices",
    { "data-style": part.style },
    el("div.bubble", { dir: "auto" }, ...words(part.text)),
    el("div.options", { role: "group", "aria-label": part.text }, ...options),
  );
}

function offered(option, language, doing) {
  const title = [el("span", { dir: "auto" }, option.title), option.description && el("small", { dir: "auto" }, option.description)];
  if (!option.url) return el("button.option", { type: "button", onclick: () => doing.choose(option) }, ...title.filter(Boolean));
  const link = linkTo(option.url, ...title.filter(Boolean), icon("link"));
  link?.classList.add("option");
  link?.setAttribute("aria-label", language.say("opensPage", { title: option.title }));
  return link;
}

function media(part, language, doing) {
  const caption = part.caption && el("div.bubble", { dir: "auto" }, ...words(part.caption));
  const picture = part.media === "image" || part.media === "sticker";
  return el("div.media", {}, picture ? image(part, language, doing) : file(part, language, doing), caption);
}

// Fetched and shown from memory (blob:), so that a site's policy need not let pictures in from elsewhere.
function image(part, language, doing) {
  const frame = el("a.picture", { ...saving(part, doing), "aria-label": language.say("image", { name: part.name ?? "" }) });
  const picture = el("img", { alt: part.name ?? "" });
  picture.onload = () => frame.classList.add("loaded");
  doing.picture(part).then(
    (address) => (picture.src = address),
    () => frame.replaceWith(file(part, language, doing)),
  );
  frame.append(picture);
  return frame;
}

function file(part, language, doing) {
  const size = part.size ? language.size(part.size) : "";
  return el(
    "a.file",
    { ...saving(part, doing), "aria-label": language.say("download", { name: part.name ?? "", size }) },
    icon("file"),
    el("span.name", { dir: "auto" }, part.name ?? ""),
    el("span.size", {}, size),
  );
}

function saving(part, doing) {
  const href = doing.file(part);
  return href ? { href, target: "_blank", rel: "noopener noreferrer", download: part.name ?? true } : {};
}
