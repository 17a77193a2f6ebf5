// Line drawings, 24 units square, in the colour of the text around them.

const PATHS = {
  chat: ["M4 12a8 8 0 1 1 3.6 6.7L4 20l1.2-3.4A8 8 0 0 1 4 12Z", "M8.5 12h.01M12 12h.01M15.5 12h.01"],
  close: ["M6 6l12 12M18 6L6 18"],
  down: ["M6 9l6 6 6-6"],
  send: ["M5 12h13", "M12 5l7 7-7 7"],
  clip: ["M20 11.5l-8 8a5 5 0 0 1-7.1-7.1l8.4-8.3a3.3 3.3 0 0 1 4.7 4.7l-8.3 8.3a1.7 1.7 0 0 1-2.4-2.4l7.6-7.5"],
  file: ["M14 3H7a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V8l-5-5Z", "M14 3v5h5"],
  clock: ["M12 7v5l3 2", "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Z"],
  tick: ["M5 12.5l4.5 4.5L19 7.5"],
  ticks: ["M2 12.5l4.5 4.5L16 7.5", "M11.5 16.5l.5.5L21.5 7.5"],
  alert: ["M12 8v5M12 16.5h.01", "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Z"],
  link: ["M7 17L17 7M9 7h8v8"],
};

const SVG = "http://www.w3.org/2000/svg";

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `icon icon-${name}`);
  for (const d of PATHS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}
