// Why a file is not there, in the reader's language.

export function reasonOf(words, text) {
  if (!text) return words.t("no_reason");
  const key = [`gone_${text}`, `why_${text}`].find(words.has);
  return key ? words.t(key) : text;
}
