// A text as nodes: web addresses become links, all else stays text.

import { h } from "../dom.js";
import { split } from "../shared/addresses.js";

const SAFE = new Set(["http:", "https:", "mailto:", "tel:"]);

export const linked = (text) => split(text, (address) => linkTo(address, address));

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
