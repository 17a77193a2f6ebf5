// How the address of a mail's header is read.

/** {address, name} of "Name <address>" or "address". */
export function named(header) {
  const [, name, address] = /^\s*"?([^"<]*?)"?\s*<([^>]+)>\s*$/.exec(header) ?? [null, "", header.trim()];
  return { address, name: name || local(address) };
}

const local = (address) => {
  const [name] = address.split("@");
  return name.charAt(0).toUpperCase() + name.slice(1);
};
