// How the page stands with the router, in words.

import { isIll, meaningOfIllness } from "./system.js";

export function createConnection(app) {
  const pill = document.getElementById("connection");
  const banner = document.getElementById("trouble");

  return function render() {
    const { words } = app;
    pill.dataset.state = app.state;
    say(pill, words.t(app.state));
    const problem = saidOf(app);
    banner.hidden = !problem;
    say(banner, problem);
  };
}

/** What stands in the way, the nearest first: the router itself, then what it stands on, then a service. */
function saidOf(app) {
  const problem = problemOf(app);
  const ill = app.parts.filter(isIll);
  if (ill.length && problem !== "trouble_offline") return ill.map((part) => meaningOfIllness(app, part)).join(" ");
  return problem && app.words.t(problem, { code: app.trouble });
}

function problemOf({ offline, trouble, state }) {
  if (offline || trouble === "offline") return "trouble_offline";
  if (state === "down") return "trouble_stream";
  if (["unreachable", "throttled", "unknown"].includes(trouble)) return "trouble_unreachable";
  return trouble ? "trouble_refused" : "";
}

/** Written only when it changes, or a screen reader would say it again. */
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
