// What the browser remembers, by project; where it may not remember anything, the page itself does until it is closed.

const memory = new Map();
let prefix = "earmark.";

export const ofProject = (id) => { prefix = `earmark.${id}.`; };

export function keep(name, value) {
  memory.set(prefix + name, value);
  try { localStorage.setItem(prefix + name, JSON.stringify(value)); return true; } catch { return false; }
}

export function kept(name) {
  if (memory.has(prefix + name)) return memory.get(prefix + name);
  try { return JSON.parse(localStorage.getItem(prefix + name)); } catch { return null; }
}

export function drop(name) {
  memory.delete(prefix + name);
  try { localStorage.removeItem(prefix + name); } catch { /* then there is nothing */ }
}

/** Names that begin so, in the order of the alphabet. */
export function names(beginning) {
  const found = new Set([...memory.keys()]);
  try { for (let i = 0; i < localStorage.length; i++) found.add(localStorage.key(i)); } catch { /* memory alone */ }
  return [...found].filter((one) => one.startsWith(prefix + beginning)).map((one) => one.slice(prefix.length)).sort();
}
