// Where a person writes under a post: a comment, an answer to one, or another text of their own.

import { button, growing, h } from "../shared/dom.js";
import { face } from "../shared/face.js";
import { icon } from "../shared/icons.js";
import { draft } from "../shared/drafts.js";
import { t } from "../shared/words.js";

/** `node` is the form; `answer(comment)` and `change(comment)` say what it is about, `rename()` that somebody else writes. */
export function commentForm(post, acts) {
  let about = null; // { parent } or { edit }
  let picture = null;
  const who = h("span", { class: "me" });
  const text = h("textarea", { rows: 1, maxlength: 8000, dir: "auto" });
  const title = h("p", { class: "about-text", dir: "auto" });
  const strip = h("div", { class: "about", hidden: true }, title, button(icon("close"), () => speakOf(null), { class: "round", "aria-label": t("cancel") }));
  const grow = growing(text);
  const send = h("button", { type: "submit", class: "round main", "aria-label": t("send") }, icon("send"));
  const file = h("input", { type: "file", accept: "image/*", hidden: true, "aria-label": t("attach_picture"), on: { change: () => choose(file.files[0]) } });
  const attach = button(icon("image"), () => file.click(), { class: "round", "aria-label": t("attach_picture") });
  const chosen = h("ul", { class: "drafts", "aria-label": t("attachments"), hidden: true });
  const node = h("form", { class: "write", on: { submit } }, strip, chosen, h("div", { class: "row" }, who, file, attach, text, send));

  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
    if (event.key === "Escape" && about) speakOf(null);
  });

  function speakOf(what, words = "") {
    if (about?.edit) text.value = "";
    about = what;
    strip.hidden = !what;
    title.textContent = words;
    grow();
    text.focus();
  }

  function choose(one) {
    picture = one ?? null;
    file.value = "";
    chosen.hidden = !picture;
    chosen.replaceChildren(...(picture ? [draft(picture, () => choose(null))] : []));
    text.focus();
    node.scrollIntoView({ block: "nearest" });
  }

  async function submit(event) {
    event.preventDefault();
    const words = text.value.trim();
    if (!words && !picture) return;
    const kept = { words: text.value, about, picture };
    text.value = "";
    choose(null);
    const done = about?.edit ? await acts.edit(about.edit, words) : await acts.comment(post, about?.parent, words, kept.picture);
    if (done) speakOf(null);
    else if (!text.value) {
      text.value = kept.words;
      choose(kept.picture);
    }
    grow();
  }

  function rename() {
    const { name } = acts.person();
    who.replaceChildren(face(name));
    text.placeholder = t("comment_here");
    text.setAttribute("aria-label", t("comment_as", { name }));
  }

  rename();
  return {
    node,
    rename,
    answer: (comment) => speakOf({ parent: comment }, t("answering", { name: comment.from.name })),
    change(comment) {
      speakOf({ edit: comment }, t("editing_comment"));
      text.value = comment.text;
      grow();
    },
  };
}
