// Icons as paths on a 24 × 24 grid, drawn with the colour of the text around them.

const SVG = "http://www.w3.org/2000/svg";

const PATHS = {
  bubble: "M4 5h16v11H11l-5 4v-4H4z",
  plane: "M21 4 3 11l6 2.5L11.5 20 15 15.5l4 2.5z M9 13.5 21 4",
  envelope: "M3 6h18v12H3z M3 7l9 6.5L21 7",
  hook: "M12 4a4 4 0 0 1 2 7.5l3 5 M10 11.5l-4 6 M8 19h9 M12 8v.1",
  phone: "M6 3.5 9.5 4l1 4.5-2.3 1.6a12 12 0 0 0 5.7 5.7l1.6-2.3 4.5 1-.5 3.5c-.1 1-1 1.6-2 1.5A16 16 0 0 1 4.500 5.500c-.1-1 .5-1.900 1.500-2z",
  camera: "M4 8h4l1.500-2.500h5L16 8h4v11H4z M12 10a3.300 3.300 0 1 0 .1 0",
  play: "M4 6h16v12H4z M10.500 9.500v5l4-2.500z",
  hash: "M5 9h15 M4 15h15 M10 4 8 20 M16 4l-2 16",
  people: "M9 11a3.500 3.500 0 1 0-.1 0z M3 19c.5-3.500 3-5 6-5s5.500 1.500 6 5 M16 4.500a3.500 3.500 0 0 1 0 6.500 M18 14.500c1.700.8 2.700 2.300 3 4.500",
  person: "M12 11.500a4 4 0 1 0-.1 0z M5 20c.6-4 3.500-6 7-6s6.400 2 7 6",
  microphone: "M12 3.500a2.500 2.500 0 0 1 2.500 2.500v5a2.500 2.500 0 0 1-5 0V6A2.500 2.500 0 0 1 12 3.500z M6 11a6 6 0 0 0 12 0 M12 17v3.500",
  at: "M12 8.500a3.500 3.500 0 1 0 .1 0z M15.500 9v4.500c0 3 4.500 2.500 4.500-1.500a8 8 0 1 0-3.500 6.500",
  inbox: "M4 5h16v14H4z M4 13.500h5l1 2.500h4l1-2.500h5",
  way: "M5 12a1.800 1.800 0 1 0 .1 0z M19 12a1.800 1.800 0 1 0 .1 0z M12 12a1.800 1.800 0 1 0 .1 0z M7 13.800h3 M14 13.800h3",
  file: "M6 3.500h8l4 4v13H6z M14 3.500v4h4",
  image: "M4 5h16v14H4z M4 16l4.500-4.500 4 4 3-2.500 4.500 4 M15 9.500v.1",
  clip: "M19 11.500 12 18.500a4.200 4.200 0 0 1-6-6l7.500-7.500a2.800 2.800 0 0 1 4 4L10 16.500a1.400 1.400 0 0 1-2-2l6.500-6.500",
  send: "M4 12h15 M13 6l6 6-6 6",
  pin: "M12 21s-6.500-6-6.500-11a6.500 6.500 0 0 1 13 0c0 5-6.500 11-6.500 11z M12 8a2 2 0 1 0 .1 0",
  card: "M3.500 5.500h17v13h-17z M9 11.500a2 2 0 1 0-.1 0z M6 16c.3-1.500 1.500-2 3-2s2.700.5 3 2 M14.500 10h3 M14.500 13.500h3",
  clock: "M12 4a8 8 0 1 0 .1 0z M12 8v4.500l3 1.500",
  check: "M5 12.500l4.500 4.500L19 7",
  checks: "M2.500 12.500 7 17l9-10 M11.500 16l1 1 9-10",
  question: "M12 4a8 8 0 1 0 .1 0z M9.800 10a2.200 2.200 0 1 1 3.300 2c-.8.500-1.100 1-1.100 1.800 M12 16.300v.1",
  answer: "M9 6 4 11l5 5 M4 11h9a7 7 0 0 1 7 7",
  again: "M5 12a7 7 0 1 0 2.200-5.100L5 9 M5 4.500V9h4.500",
  lock: "M6 11h12v9H6z M8.500 11V8a3.500 3.500 0 0 1 7 0v3",
  globe: "M12 4a8 8 0 1 0 .1 0z M4 12h16 M12 4c3 2.500 3 13.500 0 16 M12 4c-3 2.500-3 13.500 0 16",
  hidden: "M4 4l16 16 M9.500 6.300A9 9 0 0 1 12 6c4.500 0 7.500 3.500 8.500 6a12 12 0 0 1-2.700 3.800 M6.500 8A12 12 0 0 0 3.500 12c1 2.500 4 6 8.500 6a9 9 0 0 0 4-1 M10.500 10.500a2.200 2.200 0 0 0 3 3",
  link: "M10 14l4-4 M9 11l-3 3a3 3 0 0 0 4 4l3-3 M15 13l3-3a3 3 0 0 0-4-4l-3 3",
  download: "M12 4v11 M7.500 11 12 15.500 16.500 11 M5 20h14",
  megaphone: "M4 10v4h3l9 4.500V5.500L7 10z M8 14l1.500 5.500h2.500 M19 10v4",
  plug: "M9 4v4 M15 4v4 M6.500 8h11v3.500a5.500 5.500 0 0 1-11 0z M12 17v4",
  form: "M5 4h14v16H5z M8 8.500h8 M8 12h8 M8 15.500h4",
  keys: "M3 7h18v10H3z M7 10.500v.1 M11 10.500v.1 M15 10.500v.1 M8 14h8",
  shield: "M12 3.500l7 2.500v5c0 4.500-3 7.800-7 9.500-4-1.700-7-5-7-9.500V6z M9 11.800l2.200 2.200 4-4.200",
  pencil: "M5 19l1-4L16.500 4.500l3 3L9 18z M14 7l3 3",
  map: "M9 5 3.500 7v12.500L9 17.500l6 2 5.500-2V5L15 7z M9 5v12.500 M15 7v12.500",
  list: "M4 6h3v3H4z M10 7.500h10 M4 14h3v3H4z M10 15.500h10",
  down: "M6 9.500l6 6 6-6",
  forward: "M15 6l5 5-5 5 M20 11h-9a7 7 0 0 0-7 7",
  quote: "M6 8h5v5c0 2.500-1.500 4-4 4.500 M14 8h5v5c0 2.500-1.500 4-4 4.500",
  bin: "M5 7h14 M9.500 7V4.500h5V7 M7 7l1 12.500h8L17 7 M10.500 10.500v5.500 M13.500 10.500v5.500",
  smile: "M12 4a8 8 0 1 0 .1 0z M9 10v.1 M15 10v.1 M8.500 14c1.700 2.300 5.300 2.300 7 0",
  eye: "M3.500 12c1-2.500 4-6 8.500-6s7.500 3.500 8.500 6c-1 2.500-4 6-8.500 6s-7.500-3.500-8.500-6z M12 9.800a2.200 2.200 0 1 0 .1 0z",
  alert: "M12 4 2.500 20h19z M12 10v4.500 M12 17.300v.1",
};

const OF_CHANNEL = {
  webchat: "bubble", telegram: "plane", email: "envelope", webhook: "hook", whatsapp: "phone", phone: "phone", voicemail: "microphone",
  instagram: "camera", snapchat: "camera", youtube: "play", tiktok: "play", slack: "hash", discord: "people",
  teams: "people", googlechat: "people", facebook: "people", x: "at", bluesky: "at",
};

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name] ?? PATHS.bubble);
  svg.append(path);
  return svg;
}

export function channelIcon(channel) {
  return icon(OF_CHANNEL[channel] ?? "bubble");
}
