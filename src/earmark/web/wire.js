// The server: JSON there and back, and two kinds of failure: it said no (Refused), or another try may do (Away).

export class Refused extends Error {}
export class Away extends Error {}

const NO = [400, 413, 422]; // what is sent cannot be taken; everything else may pass (a link that is needed again, a full disk)
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
  const link = response.status === 403 ? ": the link to this page is needed again" : "";
  const words = found?.error ? inWords(found.error) : `the server says ${response.status}${link}`;
  throw NO.includes(response.status) ? new Refused(words) : new Away(words);
}

function inWords({ where, problem, remedy }) {
  return `${where}: ${problem}.${remedy ? " " + remedy : ""}`;
}
