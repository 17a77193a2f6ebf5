// Elements without markup: what a stranger wrote only ever becomes text.

/** An element. `props`: class, data {name: value}, on {event: listener}, any property or attribute; null ones are left out. */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) set(node, name, value);
  node.append(...present(children.flat()));
  return node;
}

/** Without the places that hold nothing, so that `condition && element` can stand among children. */
export function present(children) {
  return children.filter((child) => child !== null && child !== undefined && child !== false && child !== "");
}

function set(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === "class") node.className = value;
  else if (name === "data") for (const [key, item] of Object.entries(value)) mark(node, key, item);
  else if (name === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
  else node.setAttribute(name, value === true ? "" : value);
}

/** A data attribute that is there only while its value says something. */
export function mark(node, name, value) {
  if (value === null || value === undefined || value === false) delete node.dataset[name];
  else node.dataset[name] = value === true ? "" : value;
}

/**
 * Make the children of `parent` be `entries`, in order: {key, version, tag, fill(node), touch(node)}. A child of the same
 * key stays the same node, so that focus and scrolling stay too; it is filled again only when its version has changed, and
 * touched every time, for what changes often and costs nothing.
 */
export function reconcile(parent, entries) {
  const old = new Map([...parent.children].map((node) => [node.entryKey, node]));
  let place = parent.firstChild;
  for (const entry of entries) {
    let node = old.get(entry.key);
    old.delete(entry.key);
    if (!node) {
      node = document.createElement(entry.tag);
      node.entryKey = entry.key;
    }
    if (node.entryVersion !== entry.version) {
      entry.fill(node);
      node.entryVersion = entry.version;
    }
    entry.touch?.(node);
    if (node === place) place = place.nextSibling;
    else parent.insertBefore(node, place);
  }
  for (const node of old.values()) node.remove();
}

/** Arrows, Home and End move the focus among the elements that `selector` finds in `box`. */
export function moveByArrows(box, selector, moved = () => {}) {
  box.addEventListener("keydown", (event) => {
    const all = [...box.querySelectorAll(selector)];
    const here = all.indexOf(document.activeElement);
    const there = { ArrowDown: here + 1, ArrowUp: here < 0 ? all.length - 1 : here - 1, Home: 0, End: all.length - 1 }[event.key];
    const inside = document.activeElement !== box && here < 0;
    if (there === undefined || inside || !all[there]) return;
    event.preventDefault();
    all[there].focus();
    moved(all[there]);
  });
}
