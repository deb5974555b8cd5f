// What an operator does with an alert; each act asks for what it needs, and for a key where there is
// none or it was refused. A dialog stays open until the service has taken what it holds.

import { Refused, forgetKey, get, hasKey, keepKey, post } from "./service.js";
import { stepWords } from "./story.js";
import { showProblem, showProblemForAWhile } from "./view.js";
import { inLanguage, refusal, word } from "./words.js";

const HOUR_MS = 3_600_000;
// Steps of a history that leave the alert as it was.
const BESIDES = new Set(["comment", "update", "notify", "corrected", "escalate", "renewed"]);
let done = async () => {};

// No submit button, or Enter in a field would press it, being the first.
for (const cancel of document.querySelectorAll("dialog menu .plain")) {
  cancel.addEventListener("click", () => cancel.closest("dialog").close());
}

// A false alarm needs a reason.
const resolving = document.querySelector("#resolve-dialog form");
for (const when of ["change", "reset"]) {
  resolving.addEventListener(when, () => {
    resolving.elements.note.required = when === "change" && resolving.elements.outcome.value === "false";
  });
}

// `handler` is called after each act with the alert, and after a key was given or taken back.
export const onActed = (handler) => { done = handler; };

export async function acknowledge(alert) {
  try {
    if (!(await send(`/alerts/${alert.id}/acknowledge`, { note: "" }))) return;
  } catch (error) {
    showProblemForAWhile(await whyRefused(error, alert));
  }
  await done(alert);
}

export const comment = (alert) => ask("comment-dialog", alert, (form) =>
  send(`/alerts/${alert.id}/comment`, { note: form.get("note") }));

export const resolve = (alert) => ask("resolve-dialog", alert, (form) =>
  send(`/alerts/${alert.id}/resolve`, Object.fromEntries(form)));

// The alert's like: of its layer and rule, in its communes.
export function silence(alert) {
  document.getElementById("silence-place").textContent = placeOf(alert);
  return ask("silence-dialog", alert, (form) => {
    const until = new Date(Date.now() + Number(form.get("hours")) * HOUR_MS).toISOString();
    const communes = alert.communes.map((commune) => commune.code);
    const of = { layer_id: alert.layer_id, rule: alert.rule, communes };
    return send("/alerts/silences", { ...of, until, why: form.get("why") });
  });
}

export function approve(alert) {
  showPublic(alert);
  return ask("approve-dialog", alert, (form) =>
    send(`/alerts/${alert.id}/approve`, { note: form.get("note"), confirmed: form.has("confirmed") }));
}

export const withdraw = (alert) => ask("withdraw-dialog", alert, (form) =>
  send(`/alerts/${alert.id}/withdraw`, { note: form.get("note") }));

// What the public will read, in the language of the page; the documents have both.
function showPublic(alert) {
  const headline = inLanguage({ vi: alert.headline_vi, en: alert.headline_en });
  const detail = inLanguage({ vi: alert.detail_vi, en: alert.detail_en });
  const texts = {
    headline: `${word(`severity_${alert.severity}`)}: ${headline}`,
    detail: detail === headline ? "" : detail,
    place: placeOf(alert),
    simulated: alert.simulated ? word("public_exercise") : "",
  };
  for (const [name, text] of Object.entries(texts)) {
    const line = document.getElementById(`public-${name}`);
    line.textContent = text;
    line.hidden = !text;
  }
}

export const placeOf = (alert) =>
  alert.communes.map((commune) => commune.name).join(", ") || word("whole_province");

const MOST_NAMED = 4;
export function shortPlaceOf(alert) {
  const more = alert.communes.length - MOST_NAMED;
  if (more < 2) return placeOf(alert);
  // A situation names first those that need somebody first.
  const ranked = alert.situation?.communes ?? alert.communes;
  const named = ranked.slice(0, MOST_NAMED).map((commune) => commune.name).join(", ");
  return `${named} ${word("more_communes").replace("{n}", more)}`;
}

async function ask(id, alert, take) {
  if (await filled(id, alert, take)) await done(alert);
}

// Whether what was filled in was taken, or the dialog left; it says of which alert it is, and what was
// refused.
async function filled(id, alert, take, refused = "") {
  const dialog = document.getElementById(id);
  const form = dialog.querySelector("form");
  const ok = form.querySelector("[value=ok]");
  form.reset();
  const about = dialog.querySelector(".about");
  if (about) about.textContent = inLanguage({ vi: alert.headline_vi, en: alert.headline_en });
  dialog.showModal();
  refuse(dialog, refused);
  while (dialog.open && await isSubmitted(dialog)) {
    const given = new FormData(form);
    ok.disabled = true;
    try {
      if (await take(given)) {
        dialog.close();
        return true;
      }
    } catch (error) {
      refuse(dialog, await whyRefused(error, alert));
    } finally {
      ok.disabled = false;
    }
  }
  return false;
}

function refuse(dialog, words) {
  const place = dialog.querySelector(".refused");
  place.textContent = words;
  place.hidden = !words;
  if (words && !dialog.open) showProblemForAWhile(words);
}

// In the language of the page; where the alert has changed meanwhile, with who did what, and when.
async function whyRefused(error, alert) {
  if (!(error instanceof Refused)) throw error;
  if (error.status !== 409) return refusal(error.status);
  const { history } = await get(`/alerts/${alert.id}`);
  return `${refusal(409)} ${stepWords(history.findLast(({ act }) => !BESIDES.has(act)))}`;
}

// False where no key is given.
async function send(path, body) {
  let refused = "";
  for (;;) {
    if (!hasKey() && !(await askKey(refused))) return false;
    try {
      await post(path, body);
      showProblem("");
      return true;
    } catch (error) {
      if (error.status !== 401) throw error;
      forgetKey();
      refused = refusal(401);
    }
  }
}

// Beginning and ending one's duty in this window.
export async function changeDuty() {
  if (hasKey()) forgetKey();
  else if (!(await askKey())) return;
  await done();
}

async function askKey(refused) {
  let key = "";
  await filled("key-dialog", null, (form) => { key = form.get("key").trim(); return key !== ""; }, refused);
  document.getElementById("key").value = "";
  if (key) keepKey(key);
  return key !== "";
}

function isSubmitted(dialog) {
  return new Promise((resolve) => {
    const listening = new AbortController();
    const answer = (event) => {
      event.preventDefault();
      listening.abort();
      resolve(event.type === "submit");
    };
    for (const kind of ["submit", "close"]) {
      dialog.addEventListener(kind, answer, { signal: listening.signal });
    }
  });
}
