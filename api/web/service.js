// Asking the service; the operator's key, once given, is kept in this window alone.

const KEY = "gis-key";
const etags = new Map();

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export const hasKey = () => sessionStorage.getItem(KEY) !== null;
export const keepKey = (key) => sessionStorage.setItem(KEY, key);
export const forgetKey = () => sessionStorage.removeItem(KEY);
export const keyHeaders = () => (hasKey() ? { "X-API-Key": sessionStorage.getItem(KEY) } : {});

async function refusal(response) {
  const problem = await response.json().catch(() => ({}));
  return new Refused(response.status, problem.detail ?? response.statusText);
}

export async function get(path) {
  const response = await fetch(path, { headers: keyHeaders() });
  if (!response.ok) throw await refusal(response);
  return response.json();
}

// What is new since the last time, or null.
export async function getIfNew(path) {
  const known = etags.get(path);
  const headers = { ...keyHeaders(), ...(known ? { "If-None-Match": known } : {}) };
  const response = await fetch(path, { headers, cache: "no-store" });
  if (response.status === 304) return null;
  if (!response.ok) throw await refusal(response);
  etags.set(path, response.headers.get("ETag"));
  return response.json();
}

export async function post(path, body) {
  const headers = { ...keyHeaders(), "Content-Type": "application/json" };
  const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw await refusal(response);
  return response.json();
}

export const forgetAnswers = () => etags.clear();
