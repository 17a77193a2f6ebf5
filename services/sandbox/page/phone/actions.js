// What a person can do with one message, as the app of the channel allows.

import { button, h } from "../shared/dom.js";
import { choice, openSheet } from "../shared/sheet.js";
import { t } from "../shared/words.js";
import { summary } from "./bubble.js";

/** `acts`: app, and answer, change, react(emoji | null), remove, copy(words). */
export function openMessage(view, acts) {
  const { can } = acts.app;
  const words = view.text ?? view.caption;
  openSheet(summary(view), (close) => [
    acts.app.emoji.length > 0 && emojis(view, acts, close),
    can.includes("reply") && choice(close, { picture: "reply", words: t("answer"), act: acts.answer }),
    words && choice(close, { picture: "copy", words: t("copy"), act: () => acts.copy(words) }),
    view.mine && view.text && can.includes("edit") && choice(close, { picture: "edit", words: t("edit"), act: acts.change }),
    view.mine && can.includes("remove") && choice(close, { picture: "trash", words: t("remove"), danger: true, act: acts.remove }),
  ].filter(Boolean));
}

function emojis(view, { app, react }, close) {
  const act = (emoji) => () => {
    close();
    react(emoji);
  };
  const one = (emoji) => {
    const given = view.reactions.includes(emoji);
    return button(emoji, act(given ? null : emoji), { "aria-label": t(given ? "take_back" : "react_with", { emoji }), "aria-pressed": String(given) });
  };
  return h("div", { class: "emojis", role: "group", "aria-label": t("react") }, ...app.emoji.map(one));
}
