// What an operator does with an alert; each act asks for what it needs, and for a key where there is
// none or it was refused.

import { Refused, forgetKey, hasKey, keepKey, post } from "./service.js";
import { tell, tellForAWhile } from "./view.js";
import { inLanguage, word } from "./words.js";

const HOUR_MS = 3_600_000;
let done = async () => {};

// No submit button, or Enter in a field would press it, being the first.
for (const cancel of document.querySelectorAll("dialog menu .plain")) {
  cancel.addEventListener("click", () => cancel.closest("dialog").close());
}

// `handler` is called after each act with the alert, and after a key was given or taken back.
export const onActed = (handler) => { done = handler; };

export const acknowledge = (alert) => act(alert, `/alerts/${alert.id}/acknowledge`, { note: "" });

export async function comment(alert) {
  const form = await filled("comment-dialog", alert);
  if (form) await act(alert, `/alerts/${alert.id}/comment`, { note: form.get("note") });
}

export async function resolve(alert) {
  const form = await filled("resolve-dialog", alert);
  if (form) await act(alert, `/alerts/${alert.id}/resolve`, Object.fromEntries(form));
}

// The alert's like: of its layer and rule, in its communes.
export async function silence(alert) {
  document.getElementById("silence-place").textContent = placeOf(alert);
  const form = await filled("silence-dialog", alert);
  if (!form) return;
  const until = new Date(Date.now() + Number(form.get("hours")) * HOUR_MS).toISOString();
  const communes = alert.communes.map((commune) => commune.code);
  const of = { layer_id: alert.layer_id, rule: alert.rule, communes };
  await act(alert, "/alerts/silences", { ...of, until, why: form.get("why") });
}

export async function approve(alert) {
  showPublic(alert);
  const form = await filled("approve-dialog", alert);
  if (!form) return;
  const body = { note: form.get("note"), confirmed: form.has("confirmed") };
  await act(alert, `/alerts/${alert.id}/approve`, body);
}

// What the public will read, in the language of the page; the documents have both.
function showPublic(alert) {
  const headline = inLanguage({ vi: alert.headline_vi, en: alert.headline_en });
  const detail = inLanguage({ vi: alert.detail_vi, en: alert.detail_en });
  const told = {
    headline: `${word(`severity_${alert.severity}`)}: ${headline}`,
    detail: detail === headline ? "" : detail,
    place: placeOf(alert),
    simulated: alert.simulated ? word("public_exercise") : "",
  };
  for (const [name, text] of Object.entries(told)) {
    const line = document.getElementById(`public-${name}`);
    line.textContent = text;
    line.hidden = !text;
  }
}

export const placeOf = (alert) =>
  alert.communes.map((commune) => commune.name).join(", ") || word("whole_province");

// What was filled in, or null; the dialog says of which alert it is.
async function filled(id, alert) {
  const dialog = document.getElementById(id);
  const form = dialog.querySelector("form");
  form.reset();
  const about = dialog.querySelector(".about");
  if (about) about.textContent = inLanguage({ vi: alert.headline_vi, en: alert.headline_en });
  return (await answerOf(dialog)) === "ok" ? new FormData(form) : null;
}

async function act(alert, path, body) {
  if (!hasKey() && !(await askKey())) return;
  try {
    await post(path, body);
    tell("");
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    tellForAWhile(error.message);
    if (error.status === 401) {
      forgetKey();
      await act(alert, path, body);
      return;
    }
  }
  await done(alert);
}

// Beginning and ending one's duty in this window.
export async function changeDuty() {
  if (hasKey()) forgetKey();
  else if (!(await askKey())) return;
  await done();
}

async function askKey() {
  const form = await filled("key-dialog");
  const key = form?.get("key").trim();
  document.getElementById("key").value = "";
  if (!key) return false;
  keepKey(key);
  return true;
}

function answerOf(dialog) {
  return new Promise((resolve) => {
    dialog.returnValue = "";
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
    dialog.showModal();
  });
}
