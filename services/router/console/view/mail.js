// A mail: its lines of address, and its body as text or, in a frame that can do nothing, as it was designed.

import { h, present } from "../dom.js";
import { baseSubject } from "../fold/subject.js";
import { isolated } from "../plain.js";
import { linked } from "./links.js";

const DESIGNED = /<(img|table|h[1-6]|ul|ol|hr|b|strong|font)\b/i; // whose text alone would say less
const LINE = 72; // characters, to guess how high the frame must be: nothing inside can tell
const SHOWN = 6; // recipients
const MACHINES = new Set(["automatic", "out_of_office", "list"]);

/** From, to and, where it is not that of the conversation, the subject. */
export function mailLines({ words }, conversation, message) {
  const own = message.direction === "outbound" && !message.echo; // whose sender is the account
  const to = own ? [conversation.peer] : message.recipients.map(party);
  const several = to.length > SHOWN ? [...to.slice(0, SHOWN), words.t("others", { n: to.length - SHOWN })] : to;
  const other = message.subject && baseSubject(message.subject) !== baseSubject(conversation.subject ?? "");
  return h("dl", { class: "mail-lines" }, present([
    message.sender && line(words.t("mail_from"), party(message.sender)),
    ...proof(words, message),
    ...kind(words, message),
    several.length > 0 && line(words.t("mail_to"), words.list(several)),
    other && line(words.t("mail_subject"), message.subject),
  ]));
}

/** Whether the sender's domain stands for the mail, where somebody looked, and what people are deceived with. */
function proof(words, { assessment }) {
  const { authentication, checks, flags } = assessment ?? {};
  const verdict = { dmarc: "proved", fail: "disowned" }[authentication] ?? "unproved";
  const found = checks && `SPF ${checks.spf}, DKIM ${checks.dkim}, DMARC ${checks.dmarc}`;
  return present([
    checks && line(words.t("mail_sender"), `${words.t(`mail_${verdict}`)} (${found})`, { tone: verdict === "disowned" ? "warn" : null }),
    ...(flags ?? []).map((flag) => line(words.t("mail_beware"), words.t(`flag_${flag}`), { tone: "warn" })),
  ]);
}

/** What it is where no person wrote it to just us, until when its writer is away, and why we think so. */
function kind(words, { assessment }) {
  const { kind: found, until, spam, reasons } = assessment ?? {};
  const away = found === "out_of_office" && until;
  const what = spam ? "spam" : away ? "out_of_office_until" : MACHINES.has(found) && found;
  if (!what) return [];
  const said = words.t(`mail_is_${what}`, { day: away ? words.day(new Date(`${until.slice(0, 10)}T00:00`)) : "" }); // a day, in whichever zone
  return [line(words.t("mail_is"), reasons.length > 0 ? `${said} (${reasons.join(", ")})` : said, { tone: spam ? "warn" : null })];
}

function line(name, value, data = {}) {
  return h("div", { data }, h("dt", {}, name), h("dd", { dir: "auto" }, value));
}

function party({ name, address }) {
  return name && name !== address ? `${isolated(name)} <${address}>` : address;
}

/** What was written now; what it repeats and its signature behind words to press. */
export function said(app, part) {
  return [h("p", { class: "text", dir: "auto" }, linked(part.text)), aside(app, "quoted", part.quoted), aside(app, "signature", part.signature)];
}

const aside = (app, name, words) => words && h("details", { class: name }, h("summary", {}, app.words.t(name)), h("p", { class: "quoted-text", dir: "auto" }, linked(words)));

/** The text, and the choice to see the mail as it was designed; what was chosen stays while the page is open. */
export function mailBody(app, message, { part, at }) {
  const chosen = (app.bodies ??= new Map());
  const key = `${message.id}/${at}`;
  if (!chosen.has(key)) chosen.set(key, { designed: DESIGNED.test(part.html) || !part.text?.trim(), images: false });
  const state = chosen.get(key);
  const box = h("div", { class: "mail-body" });
  let addresses = null;

  function choose(change) {
    Object.assign(state, change);
    draw();
  }

  async function draw() {
    box.replaceChildren(...present([body(), choices()].flat()));
    if (!state.designed || isFresh(addresses)) return;
    addresses = await app.api.mailAddress(message.id, at).catch(() => ({ url: null, expires_at: "9999-01-01" }));
    draw();
  }

  function body() {
    if (state.designed && !isFresh(addresses)) return h("p", { class: "soft" }, app.words.t("thread_loading"));
    const source = state.designed && (state.images ? addresses.with_images : addresses.url);
    return source ? frame(app, message, { part, source }) : said(app, part);
  }

  function choices() {
    const { words } = app;
    const pick = (name, change) => h("button", { type: "button", class: "quiet", on: { click: (event) => { event.stopPropagation(); choose(change); } } }, words.t(name));
    const remote = state.designed && addresses?.with_images;
    return h("p", { class: "mail-choices" }, present([
      remote && pick(state.images ? "images_hide" : "images_show", { images: !state.images }),
      pick(state.designed ? "mail_as_text" : "mail_as_designed", { designed: !state.designed }),
      remote && !state.images && h("span", { class: "soft" }, words.t("images_why")),
    ]));
  }

  draw();
  return box;
}

const isFresh = (addresses) => addresses !== null && Date.parse(addresses.expires_at) - Date.now() > 20_000;

/** Nothing in it runs, is loaded or is sent: see the policy of the address that it comes from. */
function frame(app, message, { part, source }) {
  const node = h("iframe", { class: "mail-frame", sandbox: true, referrerpolicy: "no-referrer", title: app.words.t("mail_frame", { subject: message.subject ?? "" }), src: `${source}&lang=${app.words.code}` });
  node.style.height = `${heightOf(part)}rem`;
  return node;
}

function heightOf({ text, html }) {
  const lines = (text ?? "").split("\n").reduce((sum, one) => sum + Math.max(1, Math.ceil(one.length / LINE)), 0);
  const [pictures, rows] = [/<img\b/gi, /<tr\b/gi].map((one) => (html.match(one) ?? []).length);
  return Math.min(38, Math.max(7, 4 + lines * 1.6 + Math.min(pictures, 2) * 11 + rows * 2));
}
