// What the site says in its script tag: <script src=".../webchat/{app}/widget.js" async data-lang data-theme data-accent
// data-position data-open data-title data-user-id data-user-name data-user-email data-user-phone data-user-signature
// data-user-token>

export function readOptions(script) {
  const said = script.dataset;
  return Object.freeze({
    base: new URL(".", script.src),
    languages: [said.lang, document.documentElement.lang, ...navigator.languages].filter(Boolean),
    theme: ["light", "dark"].includes(said.theme) ? said.theme : "auto",
    side: sideOf(said.position),
    accent: said.accent && CSS.supports("color", said.accent) ? said.accent : "",
    title: said.title ?? "",
    open: "open" in said && said.open !== "false",
    user: readUser(said),
  });
}

// Where the site says; else where its lines end, which is where readers look last.
function sideOf(position) {
  if (["left", "right"].includes(position)) return position;
  return getComputedStyle(document.documentElement).direction === "rtl" ? "left" : "right";
}

function readUser(said) {
  const user = {
    id: said.userId,
    name: said.userName,
    email: said.userEmail,
    phone: said.userPhone,
    signature: said.userSignature,
    token: said.userToken,
  };
  return Object.freeze(Object.fromEntries(Object.entries(user).filter(([, value]) => value)));
}
