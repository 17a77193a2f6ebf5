// What someone is about to send: kept per conversation until it is sent.

/**
 * `key`: the request's id; the same draft keeps it however often it is tried, so that it becomes one message. `doubts`: keys
 * whose answer never came, until their events say what became of them.
 */
export function emptyDraft() {
  return {
    text: "", options: null, files: [], uploading: [], template: null, answers: null, private: false, trouble: null, fitted: null,
    key: crypto.randomUUID(), doubts: new Set(), refused: null, sending: false, typed_at: 0,
  };
}

/** Another content is another message. */
export function alter(draft, change) {
  Object.assign(draft, change, { key: crypto.randomUUID() });
}

/** No answer came to the request with this key; perhaps its event did. */
export function doubt(draft, key) {
  if (draft.refused) return Object.assign(draft, refusal(draft.refused));
  draft.doubts.add(key);
  draft.trouble = { doubt: true };
}

const refusal = (failure) => ({ trouble: failure, key: crypto.randomUUID() });

/** What the event of a request says of its draft; whether it was this draft's. What was not sent is another request next time. */
export function settle(draft, { type, data }) {
  const id = data.request_id;
  const underWay = draft.sending && draft.key === id;
  if (!draft.doubts.delete(id) && !underWay) return false;
  if (type === "request.refused") Object.assign(draft, underWay ? { refused: data.failure } : refusal(data.failure));
  else if (draft.key === id) Object.assign(draft, emptyDraft());
  else if (draft.trouble?.doubt) draft.trouble = null;
  return true;
}

export function partsOf({ text, options, files, template }) {
  if (template) return template.name.trim() && template.language.trim() ? [templatePart(template)] : [];
  const offered = titles(options);
  if (offered.length && text.trim()) return [choicesPart(text.trimEnd(), offered), ...files];
  return [...(text.trim() ? [{ kind: "text", text: text.trimEnd() }] : []), ...files];
}

/** Answers to press, one a line. */
const titles = (options) => [...new Set((options ?? "").split("\n").map((one) => one.trim()).filter(Boolean))];

function choicesPart(text, offered) {
  return { kind: "choices", text, style: "buttons", options: offered.map((title, at) => ({ id: String(at + 1), title })) };
}

function templatePart({ name, language, parameters }) {
  return { kind: "template", name: name.trim(), language: language.trim(), parameters: parameters.split("\n").filter(Boolean) };
}

/** What was sent once, to be sent again. */
export function draftOf({ parts, way }) {
  const text = parts.find((part) => part.kind === "text")?.text ?? "";
  const template = parts.find((part) => part.kind === "template");
  return {
    ...emptyDraft(), text, files: parts.filter((part) => part.kind === "media"), private: way === "private",
    template: template ? { name: template.name, language: template.language, parameters: template.parameters.join("\n") } : null,
  };
}

/** The body of the request. `author`: by what name; it is a person who writes here, whether they give one or not. */
export function requestOf(draft, { tenant, author }) {
  return {
    tenant, parts: partsOf(draft), automatic: false,
    ...(author && { author }),
    ...(draft.answers && { in_reply_to: draft.answers.id }),
    ...(draft.private && { private: true }),
  };
}
