// What this browser keeps for its person: their name, how far they have read, whether single keys act.

const READ = "parley.read";
const AUTHOR = "parley.author";
const KEYS = "parley.keys";
const MOST = 500; // conversations whose reading mark is kept

export function keptAuthor() {
  return localStorage.getItem(AUTHOR) ?? "";
}

export function keepAuthor(name) {
  localStorage.setItem(AUTHOR, name);
}

export function keysAct() {
  return localStorage.getItem(KEYS) !== "off";
}

export function letKeysAct(on) {
  localStorage.setItem(KEYS, on ? "on" : "off");
}

/** {since: when somebody first read here (ms), marks: Map of conversation → {seen: the last sequence taken in, unread}}. */
export function keptMarks() {
  try {
    const { since, marks } = JSON.parse(localStorage.getItem(READ));
    return { since, marks: new Map(marks.map(([id, seen, unread]) => [id, { seen, unread }])) };
  } catch {
    return { since: Date.now(), marks: new Map() };
  }
}

/** Keeps the marks of the conversations that moved last; called often, it writes only what is new. */
export function createMarkKeeper() {
  const { since } = keptMarks();
  let written = "";
  return (conversations) => {
    const newest = [...conversations.values()].sort((one, other) => Date.parse(other.last_at) - Date.parse(one.last_at)).slice(0, MOST);
    const text = JSON.stringify({ since, marks: newest.map((row) => [row.id, row.last_sequence, row.unread]) });
    if (text !== written) localStorage.setItem(READ, text);
    written = text;
  };
}
