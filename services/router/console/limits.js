// How long a text is, in the unit in which its channel counts.

const encoder = new TextEncoder();
const segmenter = Intl.Segmenter ? new Intl.Segmenter(undefined, { granularity: "grapheme" }) : null;

const MEASURES = {
  code_points: (text) => [...text].length,
  utf16: (text) => text.length,
  bytes: (text) => encoder.encode(text).length,
  graphemes: (text) => (segmenter ? [...segmenter.segment(text)].length : [...text].length),
};

export function measure(text, unit) {
  return (MEASURES[unit] ?? MEASURES.code_points)(text);
}
