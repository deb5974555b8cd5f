// What is under the pointer, in words.

import { inLanguage, word } from "./words.js";

const MOST = 3;  // besides alerts, which come first
const BENEATH = /_beneath$/;

// What hexes and clusters have instead of fields.
const MEASURES = { count: {}, per_km2: { unit: "km⁻²" }, share: {}, mean: {}, per_1000: {} };

export function popupOf(features, layers) {
  const told = distinct(features);
  const alerts = told.filter(({ source }) => source === "alerts");
  const others = told.filter(({ source }) => source !== "alerts");
  const parts = [...alerts, ...others].flatMap((feature) => {
    const layer = layers.find((one) => one.id === feature.source.replace(/_(hexes|beneath)$/, ""));
    return layer ? [describe(feature, layer)] : [];
  }).slice(0, alerts.length + MOST);
  if (!parts.length) return null;
  const content = document.createElement("div");
  content.className = "facts-of";
  content.append(...parts);
  return content;
}

// One a thing, however often it is drawn.
function distinct(features) {
  const keyed = features.map((feature) => [`${feature.source.replace(BENEATH, "")}/${feature.id}`, feature]);
  return [...new Map(keyed.reverse()).values()].reverse();
}

function describe(feature, layer) {
  const part = document.createElement("section");
  const title = document.createElement("h3");
  title.textContent = inLanguage(layer.title);
  const table = document.createElement("dl");
  for (const [name, value] of Object.entries(feature.properties)) {
    const field = layer.fields[name];
    if (value === null || value === "" || (!field && !(name in MEASURES))) continue;
    const term = document.createElement("dt");
    term.textContent = field ? inLanguage(field.label) : word(name);
    const told = document.createElement("dd");
    const about = name === "per_1000" && feature.properties.approximate ? "≈ " : "";
    told.textContent = about + valueOf(field ?? MEASURES[name], value);
    table.append(term, told);
  }
  part.append(title, table);
  return part;
}

function valueOf(field, value) {
  const named = field?.values?.[value];
  if (named) return inLanguage(named);
  if (field?.type === "datetime") return new Date(value).toLocaleString(document.documentElement.lang);
  if (typeof value === "number") {
    const text = value.toLocaleString(document.documentElement.lang, { maximumSignificantDigits: 6 });
    return field?.unit ? `${text} ${field.unit}` : text;
  }
  return String(value);
}
