// What can be done with one comment: by the person who is writing, and by the page.

import { button, h } from "../shared/dom.js";
import { choice, openSheet } from "../shared/sheet.js";
import { t } from "../shared/words.js";

const EMOJI = ["👍", "❤️", "😆", "😮", "😢", "😡"];

/** `acts`: person(), page(), react, remove, hide, and answer, change. */
export function openComment(comment, acts) {
  const own = comment.from.id === acts.person().id;
  openSheet(comment.text || comment.from.name, (close) => [
    emojis(comment, acts, close),
    choice(close, { picture: "reply", words: t("answer"), act: acts.answer }),
    own && choice(close, { picture: "edit", words: t("edit"), act: acts.change }),
    own && choice(close, { picture: "trash", words: t("remove"), danger: true, act: () => acts.remove(comment, "comment") }),
    choice(close, { picture: comment.hidden ? "eye" : "hide", words: t(comment.hidden ? "show_comment" : "hide_comment"), detail: t("as_page"), act: () => acts.hide(comment) }),
    !own && choice(close, { picture: "trash", words: t("remove_comment"), detail: t("as_page"), danger: true, act: () => acts.remove(comment, "comment") }),
  ].filter(Boolean));
}

function emojis(comment, acts, close) {
  const mine = comment.reactions?.[acts.person().id];
  const act = (emoji) => () => {
    close();
    acts.react(comment, emoji);
  };
  const one = (emoji) => button(emoji, act(emoji === mine ? null : emoji), { "aria-label": t(emoji === mine ? "take_back" : "react_with", { emoji }), "aria-pressed": String(emoji === mine) });
  return h("div", { class: "emojis", role: "group", "aria-label": t("react") }, ...EMOJI.map(one));
}
