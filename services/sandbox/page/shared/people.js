// The persons who write here: a few are always there, others can be added; kept in this browser. Whoever is chosen has an id per channel.

import { given } from "./wire.js";

const KEPT = "parley.people";
const CHOSEN = "parley.person";
const FIRST = [
  { number: 1, name: "Sokha" },
  { number: 2, name: "Dara" },
  { number: 3, name: "Bopha" },
];
const IDS = {
  telegram: ({ number }) => String(855_100_000 + number),
  whatsapp: ({ number }) => `85510${String(number).padStart(6, "0")}`,
  facebook: ({ number }) => `7100000000${String(number).padStart(6, "0")}`,
  email: ({ number, name }) => `${/^[a-z]+$/i.test(name) ? name.toLowerCase() : "person"}${number > 3 ? number : ""}@people.example`,
};

/** People of this channel have ids that begin so, with so many digits behind. */
export function names(channel, prefix, width) {
  IDS[channel] = ({ number }) => `${prefix}${String(number).padStart(width, "0")}`;
}

/** Everyone, with the ids that they have at a channel; who stands in the address is the first. */
export function people(channel) {
  const known = kept().map((person) => ({ ...person, id: IDS[channel](person) }));
  const user = given.get("user");
  if (!user) return known;
  const named = { number: 0, id: user, name: given.get("name") ?? user };
  return [named, ...known.filter(({ id }) => id !== user)];
}

/** Who is writing: chosen in this window before, else the first. */
export function current(channel) {
  const all = people(channel);
  const id = given.get("user") ? null : read(sessionStorage, CHOSEN);
  return all.find((person) => person.number === id) ?? all[0];
}

export function choose(person) {
  write(sessionStorage, CHOSEN, person.number);
}

/** Someone new; returns them with their id at the channel. */
export function add(name, channel) {
  const number = 1000 + Math.floor(Math.random() * 899_000);
  const person = { number, name };
  write(localStorage, KEPT, [...kept(), person]);
  return { ...person, id: IDS[channel](person) };
}

/** The letter that stand for a name. */
export function initials(name) {
  const letters = new Intl.Segmenter().segment(name.trim());
  return [...letters].slice(0, 1).map(({ segment }) => segment.toUpperCase()).join("") || "?";
}

/** One of the eight colours of faces, always the same for the same name. */
export function colour(name) {
  return [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 8, 0);
}

const kept = () => read(localStorage, KEPT) ?? FIRST;

// A browser may refuse storage to a framed page; then nothing is kept, and everything else goes on.
export function read(storage, name) {
  try {
    return JSON.parse(storage.getItem(name));
  } catch {
    return null;
  }
}

export function write(storage, name, value) {
  try {
    storage.setItem(name, JSON.stringify(value));
  } catch {
    return;
  }
}
