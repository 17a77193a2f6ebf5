// A page of a social network as people see it: posts, and comments that they write. Address: ?lang=…#token=…&user=…&name=…

import { $, button, h, reconcile } from "../shared/dom.js";
import { face } from "../shared/face.js";
import { begin, drawPerson, fail, find, say } from "../shared/header.js";
import { current } from "../shared/people.js";
import { choosePerson } from "../shared/persons.js";
import { choice, openForm } from "../shared/sheet.js";
import { file, get, given, listen, path, post as send } from "../shared/wire.js";
import { t } from "../shared/words.js";
import { openComment } from "./actions.js";
import { commentForm } from "./form.js";
import { postView } from "./post.js";

const CHANNEL = "facebook";

let person = current(CHANNEL);
let pages = [];
let page = null;
let posts = [];
let line = new AbortController();
const forms = new Map(); // post id → the form under it, which outlives what is drawn around it

function connect() {
  line.abort();
  line = new AbortController();
  page ??= pages.find(({ id }) => String(id) === given.get("account")) ?? pages[0];
  forms.clear();
  drawHeader();
  const base = path("post", CHANNEL, page.id);
  const state = (trouble) => {
    say(trouble ? t("connecting") : t("online_facebook"));
    fail(trouble);
    if (!trouble) refresh();
  };
  listen({ where: () => `${base}/events`, hear: refresh, state, until: line.signal });
}

let refreshing = null;

/** Fetch and draw what there is now; what changes meanwhile is fetched once more. */
async function refresh() {
  if (refreshing) return void (refreshing.again = true);
  refreshing = { again: false };
  try {
    ({ posts } = await get(path("post", CHANNEL, page.id)));
    draw();
  } catch (trouble) {
    fail(trouble);
  }
  const { again } = refreshing;
  refreshing = null;
  if (again) refresh();
}

/** What a person or the page does: {comment}, {edit}, {remove}, {hide}, {react} or {write}; whether it went well. */
async function act(what) {
  try {
    await send(`${path("post", CHANNEL, page.id)}/act`, what);
    fail(null);
    await refresh();
    return true;
  } catch (trouble) {
    fail(trouble, t("not_done"));
    return false;
  }
}

const acts = {
  person: () => person,
  page: () => page,
  react: (target, emoji) => act({ react: { comment: target.id, user: person.id, name: person.name, emoji } }),
  remove: (target, kind) => act({ remove: { [kind]: target.id } }),
  hide: (comment) => act({ hide: { comment: comment.id, hidden: !comment.hidden } }),
  edit: (comment, text) => act({ edit: { comment: comment.id, text } }),
  comment: (post, parent, text, picture) => act(commented({ post: post.id, ...(parent && { parent: parent.id }), user: person.id, name: person.name, text }, picture)),
  file: (id) => file(`${path("post", CHANNEL, page.id)}/files/${encodeURIComponent(id)}`),
  open: (post, comment) => openComment(comment, { ...acts, answer: () => formOf(post).answer(comment), change: () => formOf(post).change(comment) }),
  form: (post) => formOf(post),
};

function commented(comment, picture) {
  if (!picture) return { comment };
  const form = new FormData();
  form.append("comment", JSON.stringify(comment));
  form.append("file", picture, picture.name);
  return form;
}

function formOf(post) {
  if (!forms.has(post.id)) forms.set(post.id, commentForm(post, acts));
  return forms.get(post.id);
}

function draw() {
  $("publish").hidden = false;
  if (!posts.length) $("empty").replaceChildren(t("no_posts"), example());
  $("empty").hidden = posts.length > 0;
  const newestFirst = [...posts].sort((one, other) => other.at.localeCompare(one.at));
  const version = (post) => JSON.stringify([post, person.id]);
  reconcile($("posts"), newestFirst.map((post) => ({ key: post.id, version: version(post), make: () => postView(post, acts) })));
}

/** A first post to begin with, published when it is pressed. */
function example() {
  const text = t("example_post");
  return h("span", { class: "questions" }, button(text, () => act({ write: { text } }), { "aria-label": t("publish_example", { text }) }));
}

function drawHeader() {
  document.title = page.name;
  $("name").textContent = page.name;
  $("face").replaceChildren(face(page.name));
  drawPerson(person, t("writing_as", { name: person.name }));
}

function choosePersonOrPage() {
  const chosen = (one) => {
    person = one;
    drawHeader();
    for (const form of forms.values()) form.rename();
    draw();
  };
  const others = (close) =>
    pages.length < 2 ? [] : [
      h("h3", {}, t("which_page")),
      ...pages.map((one) => choice(close, { picture: face(one.name), words: one.name, detail: one.id, pressed: one === page, act: () => { page = one; connect(); } })),
    ];
  choosePerson({ channel: CHANNEL, now: person, chosen, more: page ? others : undefined });
}

function publish() {
  openForm(t("publish_as", { name: page.name }), {
    fields: { text: { label: t("post_text"), long: true, maxlength: 5000, required: true, dir: "auto" } },
    send: t("publish"),
    act: ({ text }) => text.trim() && act({ write: { text: text.trim() } }),
  });
}

function waiting() {
  $("empty").hidden = false;
  $("empty").textContent = t("waiting");
}

async function start() {
  begin({ name: t("posts"), choose: choosePersonOrPage });
  $("publish").addEventListener("click", publish);
  pages = await find(async () => (await get("post/facebook")).pages, waiting);
  if (pages.length) connect();
}

start();
