// Asking the service; the operator's key, once given, is kept in this window alone.

const KEY = "gis-key";
const RETRY_MS = 2000;
const etags = new Map();
let following = new AbortController();
let keyed = () => {};

// `status` 0: the service does not answer.
export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export const hasKey = () => sessionStorage.getItem(KEY) !== null;
export function keepKey(key) {
  sessionStorage.setItem(KEY, key);
  following.abort();
  keyed();
}
export function forgetKey() {
  sessionStorage.removeItem(KEY);
  following.abort();
  keyed();
}
// `handler` is called when a key is given or let go of.
export const onKey = (handler) => { keyed = handler; };
export const keyHeaders = () => (hasKey() ? { "X-API-Key": sessionStorage.getItem(KEY) } : {});

// Else the browser itself asks for a name and password where a key is refused.
export const credentials = "omit";

async function refusal(response) {
  const problem = await response.json().catch(() => ({}));
  return new Refused(response.status, problem.detail ?? response.statusText);
}

export async function get(path) {
  const response = await fetch(path, { headers: keyHeaders(), credentials });
  if (!response.ok) throw await refusal(response);
  return response.json();
}

// What is new since the last time, or null.
export async function getIfNew(path) {
  const known = etags.get(path);
  const headers = { ...keyHeaders(), ...(known ? { "If-None-Match": known } : {}) };
  const response = await fetch(path, { headers, credentials, cache: "no-store" });
  if (response.status === 304) return null;
  if (!response.ok) throw await refusal(response);
  etags.set(path, response.headers.get("ETag"));
  return response.json();
}

export async function post(path, body) {
  const headers = { ...keyHeaders(), "Content-Type": "application/json" };
  const asked = fetch(path, { method: "POST", headers, credentials, body: JSON.stringify(body) });
  const response = await asked.catch((error) => { throw new Refused(0, error.message); });
  if (!response.ok) throw await refusal(response);
  return response.json();
}

// Server-sent events for as long as the page is open: `onEvent` is called at each, and whenever
// listening begins, since something may have been missed. Another key means listening anew.
export async function followEvents(path, onEvent) {
  for (;;) {
    await readEvents(path, onEvent).catch(() => {});
    await new Promise((done) => setTimeout(done, following.signal.aborted ? 0 : RETRY_MS));
  }
}

async function readEvents(path, onEvent) {
  following = new AbortController();
  const response = await fetch(path, { headers: keyHeaders(), credentials, signal: following.signal });
  if (!response.ok) throw await refusal(response);
  await onEvent();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    if (value.includes("data:")) await onEvent();
  }
}

export const forgetAnswers = () => etags.clear();
