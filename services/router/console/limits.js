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

const MEASURES = {
  segments,
  code_points: (text) => [...text].length,
  utf16: (text) => text.length,
  bytes: (text) => encoder.encode(text).length,
  graphemes: (text) => (segmenter ? [...segmenter.segment(text)].length : [...text].length),
};

export function measure(text, unit) {
  return (MEASURES[unit] ?? MEASURES.code_points)(text);
}
