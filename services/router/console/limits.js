// How long a text is, in the unit in which its channel counts.

const encoder = new TextEncoder();
const segmenter = Intl.Segmenter ? new Intl.Segmenter(undefined, { granularity: "grapheme" }) : null;

// An SMS: 3GPP TS 23.038, as shared/contract/segments.py counts it.
const BASIC = new Set("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà");
const EXTENDED = new Set("\f^{}\\[~]|€");

function segments(text) {
  const letters = [...text];
  const gsm = letters.every((letter) => BASIC.has(letter) || EXTENDED.has(letter));
  const widths = letters.map((letter) => (gsm ? (EXTENDED.has(letter) ? 2 : 1) : letter.length));
  const length = widths.reduce((sum, width) => sum + width, 0);
  if (length <= (gsm ? 160 : 70)) return Math.min(length, 1);
  const each = gsm ? 153 : 67;
  let [count, left] = [1, each];
  for (const width of widths) {
    if (width > left) [count, left] = [count + 1, each];
    left -= width;
  }
  return count;
}

// A post on X, as shared/contract/weighted.py counts it.
const ONE = "(?:[\\u203c\\u2049\\u2122\\u2139\\u2194-\\u21aa\\u231a-\\u23ff\\u24c2\\u25aa-\\u25fe\\u2600-\\u27bf\\u2934\\u2935\\u2b05-\\u2b55\\u3030\\u303d\\u3297\\u3299\\u{1f000}-\\u{1f1e5}\\u{1f200}-\\u{1faff}]|[\\u00a9\\u00ae](?=\\ufe0f))[\\ufe0f\\u{1f3fb}-\\u{1f3ff}]?";
const EMOJI = `[#*0-9]\\ufe0f?\\u20e3|[\\u{1f1e6}-\\u{1f1ff}]{2}|\\u{1f3f4}[\\u{e0030}-\\u{e007a}]+\\u{e007f}|${ONE}(?:\\u200d${ONE}){0,3}`;
const WHOLE = "(?<![A-Za-z0-9@$#])[Hh][Tt][Tt][Pp][Ss]?:\\/\\/[A-Za-z0-9.\\-]*[A-Za-z0-9]\\.[A-Za-z]{2,63}(?![A-Za-z0-9\\-])(?::[0-9]{1,5})?(?:\\/(?:[A-Za-z0-9!*';:=+,.$\\/%#_~@|&\\-]*[A-Za-z0-9=_#\\/\\-])?)?(?:\\?[A-Za-z0-9!*';:=+,.$\\/%#_~@|&?\\-]*[A-Za-z0-9_&=#\\/\\-])?";
const BARE = "(?<![A-Za-z0-9.\\-])[A-Za-z0-9.\\-]*[A-Za-z0-9]\\.[A-Za-z]{2}[A-Za-z0-9.\\-]*";
const HEAVY = new RegExp(`(?<whole>${WHOLE})|(?<bare>${BARE})|(?<emoji>${EMOJI})`, "gu");
const LIGHT = [[0, 0x10ff], [0x2000, 0x200d], [0x2010, 0x201f], [0x2032, 0x2037]];

function weighted(text) {
  const plain = text.normalize("NFC");
  const letters = (some) => [...some].reduce((sum, one) => sum + (LIGHT.some(([from, to]) => one.codePointAt(0) >= from && one.codePointAt(0) <= to) ? 1 : 2), 0);
  let weight = letters(plain);
  for (const { 0: found, groups } of plain.matchAll(HEAVY)) {
    const heavy = groups.emoji ? 2 : groups.whole ? 23 : Math.max(23, found.length);
    weight += heavy - letters(found);
  }
  return weight;
}

const MEASURES = {
  segments,
  weighted,
  code_points: (text) => [...text].length,
  utf16: (text) => text.length,
  bytes: (text) => encoder.encode(text).length,
  graphemes: (text) => (segmenter ? [...segmenter.segment(text)].length : [...text].length),
};

export function measure(text, unit) {
  return (MEASURES[unit] ?? MEASURES.code_points)(text);
}
