// A picture as large as the window, and its neighbours by the arrow keys.

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { createDialog } from "./dialog.js";
import { download, fetched } from "./media.js";

export function createLightbox(app) {
  const { dialog, body, name } = createDialog({ id: "lightbox", title: "kind_image" });
  let pictures = [];
  let here = 0;

  dialog.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) go(step);
  });

  function go(step) {
    here = (here + step + pictures.length) % pictures.length;
    draw();
  }

  function draw() {
    const { words } = app;
    const part = pictures[here];
    const turn = (key, step, sign) => h("button", { type: "button", class: "quiet", "aria-label": words.t(key), on: { click: () => go(step) } }, sign);
    const several = pictures.length > 1;
    body.replaceChildren(
      fetched(app, part, h("img", { class: "large", alt: part.caption || part.name || words.t("kind_image") })),
      h("div", { class: "lightbox-foot" },
        several ? turn("picture_before", -1, "‹") : "",
        h("p", { dir: "auto" }, [several && words.t("picture_of", { n: here + 1, all: pictures.length }), part.caption || part.name].filter(Boolean).join(" · ")),
        several ? turn("picture_after", 1, "›") : "",
        h("button", { type: "button", class: "quiet", "aria-label": words.t("download", { name: part.name ?? "" }), on: { click: () => download(app, part).catch(draw) } }, icon("download"))),
    );
  }

  return (all, at) => {
    name(app.words);
    [pictures, here] = [all, at];
    draw();
    dialog.showModal();
  };
}
