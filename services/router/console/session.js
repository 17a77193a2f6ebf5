// The token: it comes in the address's fragment, which no server sees, and lives as long as the tab.

const NAME = "parley.token";

/** The token of this tab, or "". One in the address is kept and taken out of the address bar and the history. */
export function readToken() {
  const given = new URLSearchParams(location.hash.slice(1));
  const token = given.get("token");
  if (token) {
    sessionStorage.setItem(NAME, token);
    given.delete("token");
    const rest = given.toString();
    history.replaceState(null, "", location.pathname + location.search + (rest ? `#${rest}` : ""));
  }
  return sessionStorage.getItem(NAME) ?? "";
}

export function keepToken(token) {
  sessionStorage.setItem(NAME, token);
}

export function forgetToken() {
  sessionStorage.removeItem(NAME);
}
