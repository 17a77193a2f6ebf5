// Pictures as paths on a 24 × 24 grid, drawn with the colour of the text around them.

const SVG = "http://www.w3.org/2000/svg";

const PATHS = {
  plus: "M12 5v14 M5 12h14",
  send: "M4 12 20 4l-5 16-3.500-6.500z M11.500 13.500 20 4",
  up: "M12 19V5 M6 11l6-6 6 6",
  down: "M6 9l6 6 6-6",
  close: "M6 6l12 12 M18 6 6 18",
  back: "M15 5l-7 7 7 7",
  reply: "M10 6 4 12l6 6 M4 12h9c4 0 7 2.500 7 7",
  edit: "M4 20l1-4.500L16.500 4l3.500 3.500L8.500 19z M14 6.500l3.500 3.500",
  trash: "M5 7h14 M9 7V4.500h6V7 M7 7l1 13h8l1-13 M10.500 10.500v6 M13.500 10.500v6",
  copy: "M8 8h11v12H8z M5 16V4h11",
  pin: "M12 21s-6.500-6-6.500-11a6.500 6.500 0 0 1 13 0c0 5-6.500 11-6.500 11z M12 8a2 2 0 1 0 .1 0",
  person: "M12 11.500a4 4 0 1 0-.1 0z M5 20c.6-4 3.500-6 7-6s6.400 2 7 6",
  people: "M9 11a3.500 3.500 0 1 0-.1 0z M3 19c.5-3.500 3-5 6-5s5.500 1.500 6 5 M16 4.500a3.500 3.500 0 0 1 0 6.500 M18 14.500c1.700.8 2.700 2.300 3 4.500",
  file: "M6 3.500h8l4 4v13H6z M14 3.500v4h4",
  image: "M4 5h16v14H4z M4 16l4.500-4.500 4 4 3-2.500 4.500 4 M15 9.500v.1",
  clip: "M19 11.500 12 18.500a4.200 4.200 0 0 1-6-6l7.500-7.500a2.800 2.800 0 0 1 4 4L10 16.500a1.400 1.400 0 0 1-2-2l6.500-6.500",
  smile: "M12 4a8 8 0 1 0 .1 0z M9 10v.1 M15 10v.1 M8.500 14c1.800 2.500 5.200 2.500 7 0",
  more: "M5 12v.1 M12 12v.1 M19 12v.1",
  list: "M9 7h11 M9 12h11 M9 17h11 M4.500 7v.1 M4.500 12v.1 M4.500 17v.1",
  ban: "M12 4a8 8 0 1 0 .1 0z M6.500 6.500l11 11",
  clock: "M12 4a8 8 0 1 0 .1 0z M12 8v4.500l3 1.500",
  circle: "M12 6a6 6 0 1 0 .1 0z",
  check: "M5 12.500l4.500 4.500L19 7",
  out: "M13 5h6v6 M19 5l-9 9 M10 6H5v13h13v-5",
  eye: "M2.500 12C5 7.500 8.500 6 12 6s7 1.500 9.500 6c-2.500 4.500-6 6-9.500 6s-7-1.500-9.500-6z M12 9.500a2.500 2.500 0 1 0 .1 0",
  hide: "M3 12c2.500-4.500 5.500-6 9-6s6.500 1.500 9 6 M5 5l14 14 M8 16.500c4 2 8.500 1 12-3",
  comment: "M4 5h16v11H11l-5 4v-4H4z",
  lock: "M6 11h12v9H6z M8.500 11V8a3.500 3.500 0 0 1 7 0v3",
  inbox: "M4 5h16v14H4z M4 13.500h5l1 2.500h4l1-2.500h5",
  code: "M9 7l-5 5 5 5 M15 7l5 5-5 5",
  alert: "M12 4 2.500 20h19z M12 10v4.500 M12 17.300v.1",
  globe: "M12 4a8 8 0 1 0 .1 0z M4 12h16 M12 4c-5 5-5 11 0 16 M12 4c5 5 5 11 0 16",
  phone: "M6 3.500 9.500 4l1 4.500-2.300 1.600a12 12 0 0 0 5.700 5.700l1.600-2.300 4.500 1-.5 3.500c-.1 1-1 1.600-2 1.500A16 16 0 0 1 4.500 5.500c-.1-1 .5-1.900 1.500-2z",
};

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  for (const part of PATHS[name].split(" M")) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", part.startsWith("M") ? part : `M${part}`);
    svg.append(path);
  }
  return svg;
}

/** Draw the picture that each element of the page asks for by data-icon. */
export function drawIcons(root = document) {
  for (const node of root.querySelectorAll("[data-icon]")) node.prepend(icon(node.dataset.icon));
}
