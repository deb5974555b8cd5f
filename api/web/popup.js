// Popup of what is under the pointer, in words.

import { currentLanguage, day, days, element, inLanguage, moment, number, word } from "./words.js";

const MOST = 3;  // besides alerts, which come first
const EVIDENCE = /_evidence$/;

// What hexes and clusters have instead of fields.
const MEASURES = {
  count: {}, per_km2: { unit: "km⁻²" }, length_km: { unit: "km" }, covered_km2: { unit: "km2" }, share: {}, mean: {},
  per_1000: {},
};
// How people write what UCUM writes otherwise.
const UNITS = { 1: "", km2: "km²", "GW.h": "GWh" };

// `chartsOf` gives, later, the charts of a station by its layer and id.
export function popupOf(features, layers, chartsOf = async () => null) {
  const shown = distinct(features);
  const alerts = shown.filter(({ source }) => source === "alerts");
  const others = shown.filter(({ source }) => source !== "alerts");
  const parts = [...alerts, ...others].flatMap((feature) => {
    const layer = layers.find((one) => one.id === feature.source.replace(/_(hexes|evidence)$/, ""));
    return layer ? [describe(feature, layer, layers, chartsOf)] : [];
  }).slice(0, alerts.length + MOST);
  if (!parts.length) return null;
  const content = element("div", "facts-of");
  content.append(...parts);
  return content;
}

// One a thing, however often it is drawn.
function distinct(features) {
  const keyed = features.map((feature) => [`${feature.source.replace(EVIDENCE, "")}/${feature.id}`, feature]);
  return [...new Map(keyed.reverse()).values()].reverse();
}

function describe(feature, layer, layers, chartsOf) {
  const part = element("section");
  const table = element("dl");
  const { properties } = feature;
  for (const [name, value] of Object.entries(properties)) {
    const field = layer.fields[name];
    if (value === null || value === "" || (!field && !(name in MEASURES))) continue;
    if (isForOthers(name, layer.fields)) continue;
    const about = name === "per_1000" && properties.approximate ? "≈ " : "";
    const text = NAMES[name]?.(value, properties, layers) ?? valueOf(field ?? MEASURES[name], value);
    table.append(element("dt", "", field ? inLanguage(field.label) : word(name)), element("dd", "", about + text));
  }
  part.append(element("h3", "", inLanguage(layer.title)), table);
  if (layer.has_series && feature.source === layer.id) {
    chartsOf(layer, feature.id).then((charts) => charts && part.append(charts), () => {});
  }
  return part;
}

// Of what is written in both languages, the other one.
function isForOthers(name, fields) {
  const language = /_(vi|en)$/.exec(name)?.[1] ?? currentLanguage();
  return language !== currentLanguage() && name.replace(/_(vi|en)$/, `_${currentLanguage()}`) in fields;
}

// What speaks of another layer, by its name for people, if it has one: a stream is a category of it.
const NAMES = {
  of_layer: (id, _, layers) => nameOf(layerOf(id, layers)?.title),
  stream: (value, { of_layer }, layers) => {
    const fields = Object.values(layerOf(of_layer, layers)?.fields ?? {});
    return nameOf(fields.map((field) => field.values[value]).find(Boolean));
  },
};
const layerOf = (id, layers) => layers.find((layer) => layer.id === id);
const nameOf = (words) => words && inLanguage(words);

function valueOf({ type, unit, values }, value) {
  const named = values?.[value];
  if (named) return inLanguage(named);
  if (type === "datetime") return moment(value);
  if (type === "date") return day(value);
  if (typeof value === "boolean") return word(value ? "yes" : "no");
  if (typeof value !== "number") return String(value);
  if (unit === "d") return days(value);
  return `${number(value)} ${UNITS[unit] ?? unit ?? ""}`.trim();
}
