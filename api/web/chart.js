// Chart of the measurements of a station, for its popup: the last days, with its alarm levels.

import { get } from "./service.js";
import { element, inLanguage, moment, number, word } from "./words.js";

const HOURS = 72;
const MOST = 10_000;  // measurements, as many as the page gives
const WIDTH = 300;
const HEIGHT = 110;
const MARGIN = { left: 40, right: 6, top: 8, bottom: 18 };
const SVG = "http://www.w3.org/2000/svg";

// A figure for each quantity that was measured lately; null where there is none.
export async function chartsOf(layer, id) {
  const path = `ogc/collections/${layer.id}`;
  const { properties } = await get(`${path}/items/${id}?f=json`);
  if (!properties.valid_at) return null;
  const end = new Date(properties.valid_at);
  const start = new Date(end - HOURS * 3_600_000);
  const span = `${start.toISOString()}/${end.toISOString()}`;
  const series = await get(`${path}/measurements?item=${id}&datetime=${span}&limit=${MOST}&f=json`);
  const charts = element("div", "charts");
  for (const [name, quantity] of Object.entries(series.quantities)) {
    // A sum is of the time before its stamp: at the start of the span it is of the hour before.
    const from = quantity.aggregate === "sum" ? +start + 1 : +start;
    const values = series.measurements
      .filter((one) => one.quantity === name && one.quality !== "implausible")
      .map((one) => ({ at: Date.parse(one.time), value: one.value }))
      .filter(({ at }) => at >= from);
    if (!values.length) continue;
    const levels = quantity.thresholds
      .map(({ title, at }) => ({ title: inLanguage(title), value: typeof at === "number" ? at : properties[at] }))
      .filter(({ value }) => typeof value === "number");
    charts.append(figureOf(quantity, values, levels, { start: +start, end: +end }));
  }
  return charts.childElementCount ? charts : null;
}

function figureOf(quantity, values, levels, span) {
  const figure = element("figure");
  const caption = element("figcaption", "", captionOf(quantity, values, levels));
  figure.append(drawing(quantity, values, levels, span, caption.textContent), caption);
  return figure;
}

// The chart in words, for whoever does not see it.
function captionOf({ label, unit, aggregate }, values, levels) {
  const all = values.map(({ value }) => value);
  const last = values.at(-1);
  const shown = (value) => `${number(value)} ${unit ?? ""}`.trim();
  const parts = [`${inLanguage(label)}, ${HOURS} ${word("chart_hours")}`];
  if (aggregate === "sum") parts.push(`${word("chart_total")} ${shown(all.reduce((sum, one) => sum + one, 0))}`);
  parts.push(`${word("chart_least")} ${shown(Math.min(...all))}`, `${word("chart_most")} ${shown(Math.max(...all))}`);
  parts.push(`${word("chart_newest")} ${shown(last.value)} (${moment(last.at)})`);
  parts.push(...levels.map(({ title, value }) => `${title} ${shown(value)}`));
  return parts.join(" · ");
}

function drawing({ aggregate }, values, levels, span, words) {
  const isSum = aggregate === "sum";
  // A level far above the water would press it flat: of those not reached only the next one counts.
  const most = Math.max(...values.map(({ value }) => value));
  const next = levels.find(({ value }) => value > most);
  const near = levels.filter((level) => level.value <= most || level === next);
  const heights = [...values, ...near].map(({ value }) => value);
  const [low, high] = [isSum ? Math.min(0, ...heights) : Math.min(...heights), Math.max(...heights)];
  const inner = { width: WIDTH - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom };
  const x = (at) => MARGIN.left + ((at - span.start) / (span.end - span.start)) * inner.width;
  const y = (value) => MARGIN.top + (1 - (value - low) / (high - low || 1)) * inner.height;
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": words });
  for (const value of new Set([low, high])) {
    svg.append(text(number(value), { x: MARGIN.left - 4, y: y(value) + 3, "text-anchor": "end" }));
  }
  svg.append(text(moment(span.start), { x: MARGIN.left, y: HEIGHT - 4 }));
  svg.append(text(moment(span.end), { x: WIDTH - MARGIN.right, y: HEIGHT - 4, "text-anchor": "end" }));
  for (const { title, value } of near) {
    const line = { x1: MARGIN.left, x2: WIDTH - MARGIN.right, y1: y(value), y2: y(value), class: "level" };
    svg.append(shape("line", line), text(title, { x: MARGIN.left + 3, y: y(value) - 2, class: "level" }));
  }
  if (isSum) {
    const width = Math.max(1, (inner.width / HOURS) * 0.8);
    for (const { at, value } of values) {
      const bar = { x: x(at) - width, y: y(value), width, height: Math.max(0, y(0) - y(value)), class: "bar" };
      svg.append(shape("rect", bar));
    }
  } else {
    const points = values.map(({ at, value }) => `${x(at)},${y(value)}`).join(" ");
    svg.append(shape("polyline", { points, class: "line" }));
    const last = values.at(-1);
    svg.append(shape("circle", { cx: x(last.at), cy: y(last.value), r: 2.5, class: "newest" }));
  }
  return svg;
}

function shape(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function text(words, attributes) {
  const made = shape("text", attributes);
  made.textContent = words;
  return made;
}
