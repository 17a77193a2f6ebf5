// A template: what the provider has approved beforehand, by its name, its language and what fills its places.

import { h } from "../../dom.js";
import { alter } from "./draft.js";

export const emptyTemplate = (words) => ({ name: "", language: words.code, parameters: "" });

export function templateForm({ words }, draft, update) {
  const fields = ["name", "language", "parameters"].map((field) => {
    const tag = field === "parameters" ? "textarea" : "input";
    const input = h(tag, { id: `template-${field}`, rows: tag === "textarea" ? 2 : null, dir: "auto", spellcheck: "false", autocapitalize: "off", maxlength: field === "parameters" ? 4000 : 512, on: { input: change } });
    function change() {
      alter(draft, { template: { ...draft.template, [field]: input.value } });
      update();
    }
    return { field, input, row: h("label", { class: `field-${field}` }, h("span", {}, words.t(`template_${field}`)), input) };
  });
  const box = h("fieldset", { class: "template", hidden: true }, h("legend", {}, words.t("template_form")), fields.map(({ row }) => row));

  return {
    box,
    show() {
      box.hidden = !draft.template;
      for (const { field, input } of fields) {
        const value = draft.template?.[field] ?? "";
        if (input.value !== value) input.value = value;
      }
    },
    focus: () => fields[0].input.focus(),
  };
}
