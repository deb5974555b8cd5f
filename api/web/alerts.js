// The list of alerts and the acts of the operator on duty.

import { Refused, forgetKey, getIfNew, hasKey, keepKey, post } from "./service.js";
import { tell } from "./view.js";
import { ago, inLanguage, word } from "./words.js";

const list = document.getElementById("alert-list");
let alerts = [];
let show = () => {};

export const onShow = (handler) => { show = handler; };

export async function refreshAlerts() {
  const answer = await getIfNew("/alerts?status=open&status=acknowledged");
  if (answer === null) return;
  alerts = answer.alerts;
  drawAlerts();
}

export function drawAlerts() {
  const open = alerts.filter((alert) => alert.status === "open").length;
  const badge = document.getElementById("alert-count");
  badge.hidden = open === 0;
  badge.textContent = open;
  list.replaceChildren(...(alerts.length ? alerts.map(card) : [nothing()]));
}

function nothing() {
  const item = document.createElement("li");
  item.className = "nothing";
  item.textContent = word("no_alerts");
  return item;
}

function card(alert) {
  const item = document.createElement("li");
  item.className = `alert ${alert.severity} ${alert.status}`;
  item.dataset.id = alert.id;
  const head = document.createElement("p");
  head.className = "facts";
  head.append(chip(word(`severity_${alert.severity}`), "severity"), chip(word(`status_${alert.status}`)));
  if (alert.simulated) head.append(chip(word("simulated_alert"), "simulated"));
  if (!alert.official) head.append(chip(word("unofficial"), "simulated"));
  const headline = button(inLanguage({ vi: alert.headline_vi, en: alert.headline_en }), "headline");
  headline.addEventListener("click", () => show(alert));
  const where = document.createElement("p");
  where.className = "where";
  where.textContent = [alert.communes.map((commune) => commune.name).join(", "), ago(alert.opened_at)]
    .filter(Boolean).join(" · ");
  item.append(head, headline, where, acts(alert));
  return item;
}

function acts(alert) {
  const row = document.createElement("p");
  row.className = "acts";
  if (alert.status === "open") {
    const acknowledge = button(word("acknowledge"), "act");
    acknowledge.addEventListener("click", () => act(`/alerts/${alert.id}/acknowledge`, { note: "" }));
    row.append(acknowledge);
  }
  const resolve = button(word("resolve"), "act plain");
  resolve.addEventListener("click", () => askOutcome(alert));
  row.append(resolve);
  return row;
}

async function askOutcome(alert) {
  const dialog = document.getElementById("resolve-dialog");
  if ((await answerOf(dialog)) !== "ok") return;
  const outcome = dialog.querySelector("input[name=outcome]:checked").value;
  const note = document.getElementById("note").value;
  await act(`/alerts/${alert.id}/resolve`, { outcome, note });
}

// Asks for a key where there is none, or where it was refused.
async function act(path, body) {
  if (!hasKey() && !(await askKey())) return;
  try {
    await post(path, body);
    tell("");
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    tell(error.message);
    if (error.status === 401) {
      forgetKey();
      await act(path, body);
    }
  }
  await refreshAlerts();
}

async function askKey() {
  const dialog = document.getElementById("key-dialog");
  const field = document.getElementById("key");
  field.value = "";
  if ((await answerOf(dialog)) !== "ok" || !field.value) return false;
  keepKey(field.value.trim());
  field.value = "";
  return true;
}

function answerOf(dialog) {
  return new Promise((resolve) => {
    dialog.returnValue = "";
    dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true });
    dialog.showModal();
  });
}

function chip(text, kind = "") {
  const element = document.createElement("span");
  element.className = `chip ${kind}`;
  element.textContent = text;
  return element;
}

function button(text, kind) {
  const element = document.createElement("button");
  element.type = "button";
  element.className = kind;
  element.textContent = text;
  return element;
}
