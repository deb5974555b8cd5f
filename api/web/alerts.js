// The list of alerts, with what the operator on duty can do.

import { acknowledge, approve, changeDuty, comment, onActed, resolve, shortPlaceOf, silence, withdraw } from "./acts.js";
import { announce } from "./bell.js";
import { Refused, forgetKey, get, getIfNew, hasKey } from "./service.js";
import { storyOf } from "./story.js";
import { showProblemForAWhile } from "./view.js";
import { ago, currentLanguage, element, inLanguage, refusal, word } from "./words.js";

const LIVE = "/alerts?geometry=true&status=open&status=acknowledged";
const ENDED = ["resolved", "expired", "false"];
const MOST_ENDED = 200;
const ACTIVE = new Set(["open", "acknowledged"]);
// `duty`: only shown to whoever has given a key.
const ACTS = [
  { name: "acknowledge", does: acknowledge, suits: (alert) => alert.status === "open" },
  { name: "resolve", does: resolve, kind: "plain", suits: isLive },
  { name: "comment", does: comment, kind: "plain", duty: true, suits: () => true },
  { name: "silence", does: silence, kind: "plain", duty: true, suits: (alert) => ACTIVE.has(alert.status) },
  {
    name: "approve", does: approve, kind: "plain", duty: true,
    suits: (alert) => ACTIVE.has(alert.status) && alert.official && !alert.approved,
  },
  { name: "withdraw", does: withdraw, kind: "plain", duty: true, suits: (alert) => alert.approved },
];
function isLive(alert) { return !ENDED.includes(alert.status); }
// Why an alert is suppressed, by kind.
const WHY = {
  silence: ({ who, why }) => `${word("silenced_by")} ${who}: ${why}`,
  within: ({ alert_id }) => `${word("within_alert")} ${alert_id}`,
};

const list = document.getElementById("alert-list");
const answers = new Map();  // by what was asked
const endedPart = document.getElementById("ended");
const endedList = document.getElementById("ended-list");
const filters = document.getElementById("ended-filters");
const unfolded = new Set();  // situations whose alerts are shown
let alerts = [];
let ended = [];  // those of the filters, and one whose link was opened
let linked = null;
let chosen = null;  // the number of the alert that is shown in full
let story = null;  // its details
let show = () => {};
let mark = () => {};
let draw = () => {};

// What waits for somebody comes first, the urgent before the rest, then the newest.
const STATES = ["open", "acknowledged", "suppressed"];
const TIERS = ["urgent", "alert", "watch"];
const byNeed = (one, other) =>
  STATES.indexOf(one.status) - STATES.indexOf(other.status)
  || TIERS.indexOf(one.severity) - TIERS.indexOf(other.severity)
  || (one.severity === "urgent" ? byRank(one, other) : 0)
  || new Date(other.opened_at) - new Date(one.opened_at);
const excess = (alert) => alert.observed - (alert.expected ?? 0);
const byRank = (one, other) =>
  excess(other) - excess(one)
  || (other.people ?? 0) - (one.people ?? 0)
  || other.communes.length - one.communes.length;
// `onShow`: an alert is to be shown; `onMark`: it is marked with its records, or none is (null);
// `onDraw`: these are on the map, and one of them was picked there.
export const onShow = (handler) => { show = handler; };
export const onMark = (handler) => { mark = handler; };
export const onDraw = (handler) => { draw = handler; };

onActed(async (alert) => {
  if (alert) choose(alert.id);
  await refreshAlerts();
  drawAlerts();
  if (alert && document.activeElement === document.body) focusOn(alert.id);
});
document.getElementById("duty").addEventListener("click", changeDuty);
for (const part of [endedPart, filters]) part.addEventListener(part === filters ? "change" : "toggle", showEnded);

// With a key also what is suppressed.
export async function refreshAlerts() {
  const asked = hasKey() ? `${LIVE}&status=suppressed` : LIVE;
  try {
    const answer = await getIfNew(asked);
    if (answer !== null) answers.set(asked, answer.alerts);
    if (alerts !== answers.get(asked)) {
      alerts = answers.get(asked);
      announce(alerts);
      drawAlerts();
      draw(alerts, pick);
    }
    if (endedPart.open) await readEnded();
    await readStory();
  } catch (error) {
    if (!(error instanceof Refused && error.status === 401)) throw error;
    forgetKey();
    showProblemForAWhile(refusal(401));
    await refreshAlerts();
  }
}

async function showEnded() {
  if (!endedPart.open) return;
  await readEnded();
  drawEnded();
}

async function readEnded() {
  const { severity, status } = filters.elements;
  const wanted = status.value ? [status.value] : ENDED;
  const asked = new URLSearchParams([
    ["limit", MOST_ENDED], ["geometry", true], ...wanted.map((one) => ["status", one]),
    ...(severity.value ? [["severity", severity.value]] : []),
  ]);
  const answer = await getIfNew(`/alerts?${asked}`);
  if (answer !== null) answers.set(`${asked}`, answer.alerts);
  ended = answers.get(`${asked}`);
  drawEnded();
}

const known = () => [...alerts, ...ended, ...(linked ? [linked] : [])];

async function pick(id) {
  const alert = known().find((one) => one.id === id);
  if (alert && alert.id !== chosen) await select(alert);
  focusOn(id);
}

function choose(id) {
  if (id !== chosen) story = null;
  chosen = id;
}

async function select(alert) {
  choose(alert.id === chosen ? null : alert.id);
  drawAlerts();
  if (chosen !== null) show(alert);
  await readStory();
}

// Whoever comes by the link of a mail sees the alert, or that it has ended.
export async function selectNamed(id) {
  if (id === null) return;
  const alert = alerts.find((one) => String(one.id) === id) ?? await ofLink(id);
  if (alert) await select(alert);
  else showProblemForAWhile(`${word("not_live")} ${id}`);
}

// An alert that has ended is shown with those that have.
async function ofLink(id) {
  if (!/^\d{1,15}$/.test(id)) return null;
  linked = (await get(`/alerts?geometry=true&id=${id}`)).alerts[0] ?? null;
  if (!linked) return null;
  endedPart.open = true;
  await readEnded();
  return linked;
}

// A history grows without the list of alerts changing: comments are in it alone.
async function readStory() {
  const alert = known().find((one) => one.id === chosen);
  if (!alert) {
    choose(null);
    mark(null);
    return;
  }
  const [{ history, records }, { features }] = await Promise.all([
    get(`/alerts/${alert.id}`), get(`/alerts/${alert.id}/records`),
  ]);
  if (alert.id !== chosen) return;
  const read = { history, records, features };
  if (JSON.stringify(read) === JSON.stringify(story)) return;
  story = read;
  drawAlerts();
  mark(alert, features);
}

export function drawAlerts() {
  const open = alerts.filter((alert) => alert.status === "open").length;
  for (const badge of document.querySelectorAll(".count")) {
    badge.hidden = open === 0;
    badge.textContent = open;
    badge.title = word("waiting");
  }
  document.title = open ? `(${open}) ${word("title")}` : word("title");
  document.getElementById("duty").textContent = word(hasKey() ? "duty_end" : "duty_begin");
  document.getElementById("calibration").href = `/alerts/calibration?f=html&lang=${currentLanguage()}`;
  const held = document.activeElement?.closest("#alerts li button");
  const [id, act] = [held?.closest("li").dataset.id, held?.dataset.act];
  const within = new Map(alerts.map((alert) => [alert.id, []]));
  const outer = [...alerts].sort(byNeed).filter((alert) => !within.get(alert.within)?.push(alert));
  list.replaceChildren(...(outer.length ? outer.map((alert) => card(alert, within.get(alert.id))) : [nothing()]));
  drawEnded();
  if (held) focusOn(id, act);
}

function drawEnded() {
  const others = linked && ![...alerts, ...ended].some(({ id }) => id === linked.id) ? [linked] : [];
  const shown = endedPart.open ? [...others, ...ended] : [];
  endedList.replaceChildren(...(shown.length || !endedPart.open ? shown.map((alert) => card(alert)) : [nothing()]));
}

// The same button of the same alert, else its headline, else the first alert's.
function focusOn(id, act) {
  const own = `li[data-id="${id}"]`;
  const panel = document.getElementById("alerts");
  const found = panel.querySelector(`${own} [data-act="${act}"]`) ?? panel.querySelector(`${own} .headline`);
  (found ?? list.querySelector(".headline"))?.focus();
}

function nothing() {
  const item = document.createElement("li");
  item.className = "nothing";
  item.textContent = word(hasKey() ? "no_alerts" : "no_public_alerts");
  return item;
}

// `within`: the alerts that lie within it.
function card(alert, within = []) {
  const item = document.createElement("li");
  item.className = `alert ${alert.severity} ${alert.status}`;
  item.classList.toggle("chosen", alert.id === chosen);
  item.dataset.id = alert.id;
  const headline = button(inLanguage({ vi: alert.headline_vi, en: alert.headline_en }), "headline");
  headline.addEventListener("click", () => select(alert));
  headline.setAttribute("aria-expanded", String(alert.id === chosen));
  item.append(chips(alert), headline, line("where", `${shortPlaceOf(alert)} · ${ago(alert.opened_at)}`));
  if (alert.status === "acknowledged" && alert.acknowledged_by) {
    item.append(line("taken", `${word("taken_by")} ${alert.acknowledged_by} · ${ago(alert.acknowledged_at)}`));
  }
  if (alert.suppressed_why) item.append(line("why", WHY[alert.suppressed_why.kind](alert.suppressed_why)));
  if (alert.id === chosen && story) {
    item.append(storyOf(alert, story, story.features.filter((one) => !one.geometry).length));
  }
  item.append(acts(alert));
  if (within.length) item.append(inner(alert, within));
  return item;
}

function inner(situation, alerts) {
  const part = element("details", "within");
  part.open = unfolded.has(situation.id) || alerts.some(({ id }) => id === chosen);
  part.addEventListener("toggle", () => unfolded[part.open ? "add" : "delete"](situation.id));
  const cards = element("ol");
  cards.append(...alerts.map((alert) => card(alert)));
  part.append(element("summary", "", `${word("alerts_within")}: ${alerts.length}`), cards);
  return part;
}

function chips(alert) {
  const row = line("facts", "");
  row.append(chip(word(`severity_${alert.severity}`), "severity"), chip(word(`status_${alert.status}`)));
  if (alert.approved) row.append(chip(word("public"), "public"));
  if (alert.simulated) row.append(chip(word("simulated_alert"), "simulated"));
  if (!alert.official) row.append(chip(word("unofficial"), "simulated"));
  return row;
}

function acts(alert) {
  const row = line("acts", "");
  for (const { name, does, kind = "", duty, suits } of ACTS) {
    if ((duty && !hasKey()) || !suits(alert)) continue;
    const made = button(word(name), `act ${kind}`);
    made.dataset.act = name;
    made.addEventListener("click", () => does(alert));
    row.append(made);
  }
  return row;
}

const line = (kind, text) => element("p", kind, text);
const chip = (text, kind = "") => element("span", `chip ${kind}`, text);

function button(text, kind) {
  const made = element("button", kind, text);
  made.type = "button";
  return made;
}
