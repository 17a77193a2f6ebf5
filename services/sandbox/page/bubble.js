// One message as a bubble. Everything that came over the wire goes in as text.

import { language, words } from "./words.js";

const PICTURES = ["photo", "sticker"];
const MOVING = ["animation", "video", "video_note"];
const SOUNDS = ["voice", "audio"];

export function element(name, about = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(about)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function bubble(view, act) {
  const { message, mine } = view;
  const item = element("li", { className: mine ? "mine" : "theirs", id: `m${message.message_id}` });
  if (view.deleted) {
    item.append(element("p", { className: "gone" }, words.deleted));
    return item;
  }
  item.append(
    element("span", { className: "unseen" }, `${mine ? words.you : message.from.first_name}: `),
    ...[quoted(message), media(message, act), place(message), card(message), said(message)].filter(Boolean),
    foot(view),
    ...[keyboard(message, act)].filter(Boolean),
    actions(view, act),
  );
  return item;
}

export function summary(message) {
  return message.text ?? message.caption ?? (message.location ? words.location : message.contact ? words.contact : words.file);
}

function quoted({ reply_to_message: original }) {
  return original ? element("blockquote", { dir: "auto" }, summary(original)) : null;
}

function said(message) {
  const text = message.text ?? message.caption;
  return text ? element("p", { className: "text", dir: "auto" }, text) : null;
}

function media(message, act) {
  if (message.photo) return loaded("img", message.photo.at(-1), { alt: message.caption ?? words.photo }, act);
  const kind = [...PICTURES, ...MOVING, ...SOUNDS, "document"].find((each) => message[each]);
  if (!kind) return null;
  const file = message[kind];
  if (PICTURES.includes(kind)) return loaded("img", file, { alt: file.emoji ?? words.photo }, act);
  if (MOVING.includes(kind)) return loaded("video", file, { controls: true, muted: kind === "animation" }, act);
  if (SOUNDS.includes(kind)) return loaded("audio", file, { controls: true }, act);
  return download(file, act);
}

function loaded(name, file, about, act) {
  const shown = element(name, { ...about, className: "media" });
  act.file(file.file_id).then((url) => (shown.src = url), () => shown.replaceWith(download(file, act)));
  return shown;
}

function download(file, act) {
  const link = element("a", { className: "file", download: file.file_name ?? "file", href: "#" }, `📄 ${file.file_name ?? words.file}`);
  link.addEventListener("click", async (event) => {
    if (link.href.startsWith("blob:")) return;
    event.preventDefault();
    link.href = await act.file(file.file_id);
    link.click();
  });
  return link;
}

function place({ location, venue }) {
  if (!location) return null;
  const name = venue ? `${venue.title}, ${venue.address}` : words.location;
  return element("p", { className: "place", dir: "auto" }, `📍 ${name} (${location.latitude.toFixed(5)}, ${location.longitude.toFixed(5)})`);
}

function card({ contact }) {
  if (!contact) return null;
  const name = [contact.first_name, contact.last_name].filter(Boolean).join(" ");
  return element("p", { className: "card", dir: "auto" }, `👤 ${name} · ${contact.phone_number}`);
}

function foot({ message, reactions }) {
  const time = new Date(message.date * 1000);
  const shown = Object.values(reactions).flat().join(" ");
  return element(
    "p",
    { className: "foot" },
    shown ? element("span", { className: "reactions" }, shown) : null,
    message.edit_date ? `${words.edited} · ` : null,
    element("time", { dateTime: time.toISOString() }, time.toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit" })),
  );
}

function keyboard(message, act) {
  const rows = message.reply_markup?.inline_keyboard;
  if (!rows) return null;
  return element("div", { className: "keyboard" }, ...rows.flat().map((button) => key(message, button, act)));
}

function key(message, button, act) {
  if (button.url) {
    return element("a", { href: button.url, target: "_blank", rel: "noopener noreferrer", dir: "auto" }, `${button.text} ↗`);
  }
  return element("button", { type: "button", dir: "auto", onclick: () => act.press(message, button) }, button.text);
}

function actions({ message, mine }, act) {
  const button = (sign, name, onclick) => element("button", { type: "button", title: name, "aria-label": name, onclick }, sign);
  return element(
    "div",
    { className: "actions" },
    button("↩", words.reply, () => act.reply(message)),
    mine && message.text ? button("✎", words.edit, () => act.edit(message)) : null,
    mine ? null : button("❤", words.heart, () => act.heart(message)),
  );
}
