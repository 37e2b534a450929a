// The server: JSON there and back, and two kinds of failure: it said no (Refused), or another try may do (Away).

export class Refused extends Error {}
export class Away extends Error {}

const PATIENCE = 20000; // milliseconds

export const read = (name, about = {}) => ask(`/api/${name}?${new URLSearchParams(about)}`, {});

export const write = (name, body) =>
  ask(`/api/${name}`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

async function ask(address, options) {
  let response, found;
  try {
    response = await fetch(address, { ...options, signal: AbortSignal.timeout(PATIENCE) });
    found = response.headers.get("content-type")?.startsWith("application/json") ? await response.json() : null;
  } catch {
    throw new Away("the server does not answer");
  }
  if (response.ok && found) return found;
  const words = found?.error ? inWords(found.error) : `the server says ${response.status}`;
  throw response.status >= 500 ? new Away(words) : new Refused(words);
}

function inWords({ where, problem, remedy }) {
  return `${where}: ${problem}.${remedy ? " " + remedy : ""}`;
}
