// A text as nodes: web addresses become links, all else stays text.
import { el } from "./dom.js";

const ADDRESS = /\bhttps?:\/\/[^\s<>"'`“”‘’«»\u200b]+/giu;
const AFTER = /[.,;:!?…។៕)\]}]+$/u; // punctuation that ends the sentence, not the address

export function words(text) {
  const nodes = [];
  let end = 0;
  for (const found of text.matchAll(ADDRESS)) {
    const address = trimmed(found[0]);
    const link = linkTo(address, address);
    if (!link) continue;
    nodes.push(text.slice(end, found.index), link);
    end = found.index + address.length;
  }
  nodes.push(text.slice(end));
  return nodes.filter((node) => node !== "");
}

// A link that leaves without a trace of this page; nothing for any other scheme than http and https.
export function linkTo(address, ...children) {
  if (!URL.canParse(address)) return undefined;
  const url = new URL(address);
  if (url.protocol !== "http:" && url.protocol !== "https:") return undefined;
  return el("a", { href: url.href, target: "_blank", rel: "noopener noreferrer nofollow" }, ...children);
}

function trimmed(address) {
  const open = (address.match(/\(/g) ?? []).length;
  const closed = (address.match(/\)/g) ?? []).length;
  return open && open === closed ? address.replace(/[.,;:!?…។៕]+$/u, "") : address.replace(AFTER, "");
}
