// Where the person writes: words, what they are about (an answer, a change), and the files that go along.

import { $, growing } from "../shared/dom.js";
import { draft } from "../shared/drafts.js";
import { choice, openForm, openSheet } from "../shared/sheet.js";
import { t } from "../shared/words.js";
import { summary } from "./bubble.js";

const HERE = { latitude: 11.5564, longitude: 104.9282 }; // Phnom Penh

/** `send(what)` resolves to whether it was sent; `can` is what the channel's app can. */
export function createComposer({ send, can }) {
  const text = $("text");
  const grow = growing(text);
  let about = null; // { reply: view } or { edit: view }
  let files = [];

  const composer = {
    answer: (view) => speakOf({ reply: view }, t("answer_to"), view),
    change(view) {
      speakOf({ edit: view }, t("edit"), view);
      text.value = view.text ?? "";
      grow();
    },
    add(more) {
      files = [...files, ...more];
      drawDrafts();
      text.focus();
    },
    quiet: () => speakOf(null),
  };

  function speakOf(what, title, view) {
    if (about?.edit && !what) text.value = "";
    about = what;
    $("about").hidden = !what;
    $("about-title").textContent = title ?? "";
    $("about-text").textContent = view ? summary(view) : "";
    grow();
    text.focus();
  }

  async function submit(event) {
    event.preventDefault();
    const words = text.value.trim();
    if (!words && !files.length) return;
    const draft = { words: text.value, about, files };
    const going = messages(words);
    reset("", null, []);
    if (!(await sendAll(going)) && !text.value) reset(draft.words, draft.about, draft.files.slice(-going.length));
  }

  async function sendAll(going) {
    while (going.length) {
      if (!(await send(going[0]))) return false;
      going.shift();
    }
    return true;
  }

  function messages(words) {
    if (about?.edit) return [{ edit: { message: about.edit.id, text: words } }];
    const reply = about?.reply ? { reply_to: about.reply.id } : {};
    if (!files.length) return [{ text: words, ...reply }];
    const captioned = words && can.includes("caption");
    const sent = files.map((file, place) => form(file, place ? {} : { ...reply, ...(captioned && { caption: words }) }));
    return words && !captioned ? [...sent, { text: words }] : sent;
  }

  function reset(words, aboutWhat, nowFiles) {
    text.value = words;
    files = nowFiles;
    drawDrafts();
    if (aboutWhat) speakOf(aboutWhat, aboutWhat.edit ? t("edit") : t("answer_to"), aboutWhat.edit ?? aboutWhat.reply);
    else {
      about = null;
      $("about").hidden = true;
    }
    grow();
  }

  function drawDrafts() {
    $("drafts").hidden = !files.length;
    $("drafts").replaceChildren(...files.map((file) => draft(file, () => {
      files = files.filter((one) => one !== file);
      drawDrafts();
      text.focus();
    })));
  }

  function attach() {
    openSheet(t("attach"), (close) => [
      can.includes("media") && choice(close, { picture: "image", words: t("attach_media"), act: () => pick("image/*,video/*,audio/*") }),
      can.includes("media") && choice(close, { picture: "file", words: t("attach_file"), act: () => pick("") }),
      can.includes("location") && choice(close, { picture: "pin", words: t("attach_location"), act: () => sendPlace(send) }),
      can.includes("contact") && choice(close, { picture: "person", words: t("attach_contact"), act: () => sendCard(send) }),
    ].filter(Boolean));
  }

  function pick(accept) {
    $("file").accept = accept;
    $("file").click();
  }

  $("attach").hidden = !["media", "location", "contact"].some((one) => can.includes(one));
  $("composer").addEventListener("submit", submit);
  $("attach").addEventListener("click", attach);
  $("about-cancel").addEventListener("click", composer.quiet);
  $("file").addEventListener("change", () => {
    composer.add($("file").files);
    $("file").value = "";
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
    if (event.key === "Escape" && about) composer.quiet();
  });
  text.addEventListener("paste", (event) => event.clipboardData.files.length && (event.preventDefault(), composer.add(event.clipboardData.files)));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    composer.add(event.dataTransfer.files);
  });
  return composer;
}

function form(file, about) {
  const made = new FormData();
  for (const [name, value] of Object.entries(about)) made.append(name, value);
  made.append("file", file, file.name);
  return made;
}

function sendPlace(send) {
  openForm(t("attach_location"), {
    fields: {
      name: { label: t("place_name"), maxlength: 100, dir: "auto", autocomplete: "off" },
      latitude: { label: t("latitude"), type: "number", step: "any", min: -90, max: 90, value: HERE.latitude, required: true },
      longitude: { label: t("longitude"), type: "number", step: "any", min: -180, max: 180, value: HERE.longitude, required: true },
    },
    send: t("send"),
    act: ({ name, latitude, longitude }) => send({ location: { latitude: Number(latitude), longitude: Number(longitude), ...(name && { name }) } }),
  });
}

function sendCard(send) {
  openForm(t("attach_contact"), {
    fields: {
      name: { label: t("name"), maxlength: 64, required: true, dir: "auto", autocomplete: "off" },
      phone: { label: t("phone_number"), type: "tel", maxlength: 32, required: true, value: "+855 ", autocomplete: "off" },
    },
    send: t("send"),
    act: ({ name, phone }) => send({ contact: { name, phone: phone.trim() } }),
  });
}
