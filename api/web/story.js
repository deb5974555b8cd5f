// Details of the chosen alert on its card: words, numbers and history.

import { days, element, inLanguage, moment, number, word } from "./words.js";

const SERVICE = "service";

export function storyOf(alert, { history, records }, unplaced) {
  const part = element("div", "story");
  const detail = inLanguage({ vi: alert.detail_vi, en: alert.detail_en });
  if (detail) part.append(element("p", "detail", detail));
  if (alert.situation) part.append(...situationOf(alert.situation));
  part.append(numbers(alert, records.length, unplaced));
  if (isCount(alert) && alert.observed < records.length) part.append(element("p", "counted", countedOf(alert, records)));
  part.append(element("h3", "", word("history")));
  const steps = element("ol", "history");
  steps.append(...[...history].reverse().map(step));
  part.append(steps);
  return part;
}

const COUNTING = new Set(["scan", "series", "situation", "joint"]);
const isCount = ({ rule }) => COUNTING.has(rule);

const countedOf = (alert, records) => word("counted_of")
  .replace("{counted}", number(alert.observed)).replace("{records}", number(records.length));

// Communes in the order in which they need somebody, and voices by the hour.
function situationOf({ communes, timeline }) {
  const ranked = element("ol", "ranked");
  ranked.append(...communes.map(({ name, observed, expected }) => {
    const item = element("li", "", name);
    // Of several subjects, the usual is known by subject and not by commune.
    item.append(element("b", "", expected === null ? number(observed) : `${number(observed)} / ${number(expected)}`));
    return item;
  }));
  const first = [element("h3", "", word("communes_first")), ranked];
  if (!timeline.length) return first;
  const most = Math.max(...timeline, 1);
  const bars = element("div", "timeline");
  bars.setAttribute("role", "img");
  bars.setAttribute("aria-label", `${word("by_hour")}: ${timeline.join(", ")}`);
  bars.append(...timeline.map((count) => {
    const bar = element("span");
    bar.style.height = `${Math.round((100 * count) / most)}%`;
    bar.title = number(count);
    return bar;
  }));
  return [...first, element("h3", "", word("by_hour")), bars];
}

function numbers(alert, records, unplaced) {
  const rows = [
    ["observed", number(alert.observed)],
    ["expected", alert.expected === null ? null : number(alert.expected)],
    ["recurrence", alert.recurrence_days === null ? null : days(alert.recurrence_days)],
    ["since", moment(alert.since)],
    ["until", moment(alert.until)],
    ["records", unplaced ? `${number(records)} (${number(unplaced)} ${word("unplaced")})` : number(records)],
  ];
  const table = element("dl", "numbers");
  for (const [name, value] of rows) {
    if (value !== null) table.append(element("dt", "", word(name)), element("dd", "", value));
  }
  return table;
}

// Who did it, and the words, are shown to holders of a key alone.
export function stepWords({ at, act, who }) {
  return [moment(at), word(`act_${act}`), who === SERVICE ? word("service") : who].filter(Boolean).join(" · ");
}

function step({ at, act, who, note }) {
  const item = element("li", act);
  item.append(element("p", "", stepWords({ at, act, who })));
  const said = who === SERVICE ? whyQuiet(note) : note;
  if (said) item.append(element("p", "note", said));
  return item;
}

// Of the notes of the service only why nobody is notified is for people.
function whyQuiet(note) {
  const [, silence] = /^silence \d+ of (.*)$/s.exec(note) ?? [];
  const [, outer] = /^within alert (\d+)$/.exec(note) ?? [];
  if (silence) return `${word("silenced_by")} ${silence}`;
  return outer ? `${word("within_alert")} ${outer}` : "";
}
