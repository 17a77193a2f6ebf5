// Where a person writes a mail: a new one, or an answer to one that came.

import { button, h } from "../shared/dom.js";
import { draft } from "../shared/drafts.js";
import { icon } from "../shared/icons.js";
import { openSheet } from "../shared/sheet.js";
import { full, t } from "../shared/words.js";
import { named } from "./named.js";

/** `inboxes` are the business's addresses; `send(form)` resolves to null, or to what went wrong in words. */
export function openCompose({ inboxes, answered, send }) {
  let files = [];
  const wrong = h("p", { class: "strip wrong", role: "alert", hidden: true });
  const drafts = h("ul", { class: "drafts", "aria-label": t("attachments"), hidden: true });
  const picker = h("input", { type: "file", multiple: true, hidden: true, "aria-label": t("attach_file"), on: { change: () => add([...picker.files]) } });
  const submit = h("button", { type: "submit", class: "main" }, t("send"));
  const options = h("datalist", { id: "inboxes" }, inboxes.map((address) => h("option", { value: address })));

  function add(more) {
    files = [...files, ...more];
    picker.value = "";
    drafts.hidden = !files.length;
    drafts.replaceChildren(...files.map((file) => draft(file, () => {
      files = files.filter((one) => one !== file);
      add([]);
    })));
  }

  const fields = [
    field(t("to"), h("input", { name: "to", type: "text", inputmode: "email", list: "inboxes", required: true, maxlength: 320, autocomplete: "off", dir: "ltr", value: answered ? answerTo(answered) : (inboxes[0] ?? null) })),
    field(t("subject"), h("input", { name: "subject", maxlength: 500, autocomplete: "off", dir: "auto", value: answered ? answerSubject(answered) : null })),
    field(t("text"), h("textarea", { name: "text", rows: 8, maxlength: 200000, required: true, dir: "auto" })),
  ];

  openSheet(t(answered ? "answer_mail" : "write_mail"), (close) => [
    h(
      "form",
      { class: "fields", on: { submit: async (event) => {
        event.preventDefault();
        submit.disabled = true;
        const form = new FormData(event.target);
        if (answered) form.append("in_reply_to", answered.id);
        files.forEach((file, place) => form.append(`file${place}`, file, file.name));
        const trouble = await send(form);
        submit.disabled = false;
        wrong.hidden = !trouble;
        wrong.textContent = trouble ?? "";
        if (!trouble) close();
      } } },
      ...fields,
      options,
      answered && h("details", { class: "original" }, h("summary", {}, t("will_be_quoted", { at: full(answered.at) })), h("blockquote", { dir: "auto" }, answered.text ?? "")),
      drafts,
      wrong,
      h("div", { class: "row" }, picker, button([icon("clip"), t("attach_file")], () => picker.click(), { class: "tool" }), submit),
    ),
  ], { class: "sheet tall" });
  (answered ? fields[2] : fields[1]).querySelector("input, textarea").focus();
}

const field = (words, input) => h("label", {}, h("span", {}, words), input);

/** Where an answer goes: Reply-To before From (RFC 5322, 3.6.3). */
function answerTo(mail) {
  const replyTo = mail.headers?.find(([name]) => name.toLowerCase() === "reply-to")?.[1];
  return named(replyTo || mail.from).address;
}

const answerSubject = ({ subject }) => (/^re\s*:/i.test(subject) ? subject : `Re: ${subject}`);
