// The list of layers with their legends, and what is switched on.

import { inLanguage, word } from "./words.js";

const HEXES_ON = new Set(["citizen_reports"]);
const FEATURES_OFF = new Set(["emerging", "local_moran", "series"]); // for planners; they would lie over what is now
const list = document.getElementById("layer-list");
const off = new Set();

// One entry a thing that can be switched: the features of a layer, or its hexes.
export function entriesOf(layers) {
  return layers.flatMap((layer) => [
    ...(layer.has_tiles ? [{ source: layer.id, layer, kind: "features" }] : []),
    ...(layer.has_hexes ? [{ source: `${layer.id}_hexes`, layer, kind: "hexes" }] : []),
  ]);
}

export const isOn = (source) => !off.has(source);

export function switchOffAtFirst(entries) {
  for (const { source, layer, kind } of entries) {
    const wanted = kind === "hexes" ? HEXES_ON.has(layer.id) : kind === "features" && !FEATURES_OFF.has(layer.id);
    if (!wanted) off.add(source);
  }
}

// `legendOf` gives the legend of a layer's id, in the language of now; `more`, what else stands there, or null.
export async function drawLayers(entries, legendOf, changed, more = () => null) {
  const legends = new Map(await Promise.all(
    [...new Set(entries.map((entry) => entry.layer.id))].map(async (id) => [id, await legendOf(id)]),
  ));
  list.replaceChildren(...entries.map((entry) => row(entry, legends.get(entry.layer.id), changed, more(entry))));
}

function row({ source, layer, kind }, legend, changed, more) {
  const details = document.createElement("details");
  details.dataset.layer = layer.id;
  details.open = ["citizen_reports", "citizen_reports_hexes"].includes(source);
  const summary = document.createElement("summary");
  const label = document.createElement("label");
  const box = document.createElement("input");
  box.type = "checkbox";
  box.checked = isOn(source);
  box.addEventListener("change", () => {
    if (box.checked) off.delete(source); else off.add(source);
    changed(source);
  });
  const name = document.createElement("span");
  name.textContent = inLanguage(layer.title);
  label.append(box, name);
  summary.append(label);
  const notes = [...(kind === "features" ? [] : [word(kind)]), ...(layer.simulated ? [word("simulated_here")] : [])];
  if (notes.length) {
    const note = document.createElement("small");
    note.textContent = notes.join(" · ");
    summary.append(note);
  }
  details.append(summary, linesOf(legend[kind] ?? []), ...(more ? [more] : []));
  return details;
}

function linesOf(entries) {
  const items = document.createElement("ul");
  items.className = "legend";
  items.append(...entries.map((entry) => {
    const item = document.createElement("li");
    item.append(swatch(entry), entry.label);
    return item;
  }));
  return items;
}

const SHAPES = {
  circle: (e) => `<circle cx="10" cy="10" r="${Math.min(e.size_px, 9)}"/>`,
  line: () => '<path d="M1 14 8 6l5 6 6-8" fill="none"/>',
  flag: () => '<path d="M3 1h14l-4 4.500 4 4.500H5v9H3z"/>',
  polygon: () => '<rect x="2" y="4" width="16" height="12" rx="2"/>',
  hex: () => '<path d="m10 1 8 4.500v9L10 19l-8-4.500v-9z"/>',
};

// Colours come from the layer file, which the catalogue checked; they are set, never parsed.
function swatch(entry) {
  const drawing = new DOMParser().parseFromString(
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 20">${SHAPES[entry.shape](entry)}</svg>`,
    "image/svg+xml",
  ).documentElement;
  const mark = drawing.firstElementChild;
  const isLine = entry.shape === "line";
  mark.setAttribute("fill", isLine ? "none" : entry.colour);
  mark.setAttribute("fill-opacity", entry.opacity);
  mark.setAttribute("stroke", entry.outline ?? entry.colour);
  mark.setAttribute("stroke-width", isLine ? entry.size_px : 1);
  drawing.setAttribute("aria-hidden", "true");
  return document.importNode(drawing, true);
}
