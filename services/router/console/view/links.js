// A text as nodes: web addresses become links, all else stays text.

import { h } from "../dom.js";

const ADDRESS = /\bhttps?:\/\/[^\s<>"'`“”‘’«»\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069]+/giu;
const AFTER = /[.,;:!?…។៕)\]}]+$/u; // punctuation that ends the sentence, not the address
const SAFE = new Set(["http:", "https:", "mailto:", "tel:"]);

export function linked(text) {
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

/** A link that leaves without a trace of this page, and says where it really leads; null for a scheme that might do more. */
export function linkTo(address, ...children) {
  if (!URL.canParse(address)) return null;
  const { protocol, href } = new URL(address);
  if (!SAFE.has(protocol)) return null;
  return h("a", { href, title: href, target: "_blank", rel: "noopener noreferrer nofollow" }, ...children);
}

/** Where a place is on a map that anyone may look at. */
export function mapAddress({ latitude, longitude }) {
  return `https://www.openstreetmap.org/?${new URLSearchParams({ mlat: latitude, mlon: longitude })}#map=16/${latitude}/${longitude}`;
}

function trimmed(address) {
  const open = (address.match(/\(/g) ?? []).length;
  const closed = (address.match(/\)/g) ?? []).length;
  return open && open === closed ? address.replace(/[.,;:!?…។៕]+$/u, "") : address.replace(AFTER, "");
}
