// One part of a message as the reader sees it; what the page does not know it says so.

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { linked, linkTo, mapAddress } from "./links.js";
import { mailBody, said } from "./mail.js";
import { fileLine, gallery, isPicture, media } from "./media.js";

/** All parts, pictures that follow each other side by side; those that stand inside a mail's body are shown there. */
export function partViews(app, message) {
  const bodies = message.parts.map((part) => part.html ?? "").join("");
  const made = [];
  let pictures = [];
  message.parts.forEach((part, at) => {
    if (part.content_id && bodies.includes(`cid:${part.content_id.replace(/^<|>$/g, "")}`)) return;
    if (isPicture(part)) return pictures.push(part);
    made.push(...together(app, pictures), partView(app, message, part, at));
    pictures = [];
  });
  return [...made, ...together(app, pictures)];
}

const together = (app, pictures) => (pictures.length ? [h("div", { class: "part" }, gallery(app, pictures))] : []);

function partView(app, message, part, at) {
  const make = VIEWS[part.kind] ?? unsupported;
  return h("div", { class: "part", data: { kind: part.kind } }, make(app, part, { message, at }));
}

const VIEWS = {
  text: (app, part, { message, at }) =>
    part.html && message.direction === "inbound"
      ? [mailBody(app, message, { part, at })]
      : said(app, part),
  media,
  location: (app, part) => [
    fileLine(icon("pin"), part.name || app.words.t("kind_location"), [part.address, `${part.latitude}, ${part.longitude}`].filter(Boolean).join(" · ")),
    h("p", { class: "more-of" }, linkTo(mapAddress(part), app.words.t("map_open"))),
  ],
  contact: (app, part) => [fileLine(icon("card"), part.name), h("p", { class: "more-of" }, ways(part))],
  choices: (app, part) => [
    h("p", { class: "text", dir: "auto" }, linked(part.text)),
    h("ul", { class: "options", data: { style: part.style } }, part.options.map((option) => h("li", { class: "option", dir: "auto" }, (option.url && linkTo(option.url, option.title)) || option.title, option.description && h("small", {}, option.description)))),
  ],
  choice: (app, part) => [h("span", { class: "option", dir: "auto", data: { chosen: true } }, icon("check"), app.words.t("chose", { title: part.title || part.id }))],
  template: (app, part) => [
    h("p", { class: "template-name" }, icon("form"), app.words.t("template", { name: part.name, language: part.language })),
    part.parameters?.length > 0 && h("ol", { class: "parameters" }, part.parameters.map((one) => h("li", { dir: "auto" }, one))),
  ],
  call: (app, part) => [fileLine(icon("phone"), app.words.t(`call_${part.outcome}`), part.seconds ? app.words.t("seconds", { n: part.seconds }) : "")],
  unsupported,
};

/** How a person can be reached, each as a link where it is one. */
function ways({ phones = [], emails = [] }) {
  const all = [...phones.map((one) => [`tel:${one.replace(/[^\d+*#]/g, "")}`, one]), ...emails.map((one) => [`mailto:${encodeURIComponent(one).replace("%40", "@")}`, one])];
  return all.map(([address, said]) => linkTo(address, said) ?? h("span", {}, said));
}

function unsupported(app, part) {
  return [
    part.text && h("p", { class: "text", dir: "auto" }, linked(part.text)),
    h("p", { class: "unsupported" }, app.words.t("unsupported", { type: part.type ?? part.kind })),
  ];
}
