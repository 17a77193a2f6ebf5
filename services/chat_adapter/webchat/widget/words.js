// A text as nodes: web addresses become links, all else stays text.
import { el } from "./dom.js";
import { split } from "./shared/addresses.js";

export const words = (text) => split(text, (address) => linkTo(address, address));

// A link that leaves without a trace of this page; nothing for any other scheme than http and https.
export function linkTo(address, ...children) {
  if (!URL.canParse(address)) return undefined;
  const url = new URL(address);
  if (url.protocol !== "http:" && url.protocol !== "https:") return undefined;
  return el("a", { href: url.href, target: "_blank", rel: "noopener noreferrer nofollow" }, ...children);
}
