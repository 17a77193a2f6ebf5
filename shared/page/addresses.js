// The web addresses within a text: each becomes what `link` makes of it, all else stays text.

const ADDRESS = /\bhttps?:\/\/[^\s<>"'`“”‘’«»\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069]+/giu;
const AFTER = /[.,;:!?…។៕)\]}]+$/u; // punctuation that ends the sentence, not the address

export function split(text, link) {
  const parts = [];
  let end = 0;
  for (const found of text.matchAll(ADDRESS)) {
    const address = trimmed(found[0]);
    if (!URL.canParse(address)) continue;
    parts.push(text.slice(end, found.index), link(address));
    end = found.index + address.length;
  }
  parts.push(text.slice(end));
  return parts.filter((part) => part !== "");
}

function trimmed(address) {
  const open = (address.match(/\(/g) ?? []).length;
  const closed = (address.match(/\)/g) ?? []).length;
  return open && open === closed ? address.replace(/[.,;:!?…។៕]+$/u, "") : address.replace(AFTER, "");
}
