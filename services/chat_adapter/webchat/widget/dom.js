// Elements made by name, never by markup: nothing that anyone wrote can become a tag.

// `attributes`: strings are set, true stands alone, false and undefined are left out, functions listen to `on…` events.
export function el(name, attributes = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const node = document.createElement(tag);
  if (classes.length) node.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.flat().filter((child) => child !== undefined && child !== false));
  return node;
}

// Make the children of `parent` these nodes, moving only what must move, so that a screen reader hears only what is new.
export function arrange(parent, nodes) {
  const wanted = new Set(nodes);
  [...parent.childNodes].filter((node) => !wanted.has(node)).forEach((node) => node.remove());
  nodes.forEach((node, index) => {
    if (parent.childNodes[index] !== node) parent.insertBefore(node, parent.childNodes[index] ?? null);
  });
}
