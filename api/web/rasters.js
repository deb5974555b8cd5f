// Rasters: pictures below all else, values at a point, steps of time.

import { isOn } from "./layers.js";
import { element, inLanguage, moment, number, word } from "./words.js";

const chosen = new Map(); // the step of a layer that is shown, by its beginning; absent: the newest

// One entry a picture that can be switched; those that have nothing to show have none.
export function rasterEntries(rasters) {
  return rasters.filter((layer) => layer.has_tiles).flatMap((layer) => [
    { source: `${layer.id}_raster`, layer, kind: "raster" },
    ...(layer.has_hillshade ? [{ source: `${layer.id}_hillshade`, layer, kind: "hillshade" }] : []),
  ]);
}

// The style with the pictures of rasters beneath all that it had.
export function withRasters(style, rasters) {
  const sources = {};
  const layers = [];
  for (const { source, layer, kind } of rasterEntries(rasters)) {
    sources[source] = { type: "raster", tileSize: layer.tile_size, ...addressOf(layer, kind) };
    layers.push({
      id: source, type: "raster", source,
      paint: { "raster-opacity": kind === "raster" ? layer.opacity : 1, "raster-fade-duration": 0 },
      layout: { visibility: "none" },
    });
  }
  return { ...style, sources: { ...style.sources, ...sources }, layers: [...layers, ...style.layers] };
}

function addressOf(layer, kind) {
  const path = kind === "hillshade" ? `${layer.id}/hillshade` : layer.id;
  return {
    tiles: [`${location.origin}/rasters/${path}/{z}/{x}/{y}.png${timeOf(layer, "?")}`],
    bounds: layer.bbox, minzoom: layer.min_zoom, maxzoom: layer.max_zoom,
    ...(layer.attribution ? { attribution: layer.attribution } : {}),
  };
}

const timeOf = (layer, before) => (chosen.has(layer.id) ? `${before}datetime=${chosen.get(layer.id)}` : "");

// A slider over the steps of a stack, with the time of the one that is shown; null: there is one step at most.
export function stepSlider(map, layer) {
  const steps = layer.steps ?? [];
  if (steps.length < 2) return null;
  const slider = document.createElement("input");
  slider.type = "range";
  slider.min = 0;
  slider.max = steps.length - 1;
  const at = steps.findIndex(([from]) => from === chosen.get(layer.id));
  slider.value = at < 0 ? steps.length - 1 : at;
  slider.setAttribute("aria-label", word("step"));
  const shown = element("output");
  const tell = () => {
    const [from, to] = steps[slider.value];
    shown.textContent = `${moment(from)} – ${moment(to)}`;
    slider.setAttribute("aria-valuetext", shown.textContent);
  };
  slider.addEventListener("input", tell);
  slider.addEventListener("change", () => {
    const isNewest = Number(slider.value) === steps.length - 1;
    if (isNewest) chosen.delete(layer.id);
    else chosen.set(layer.id, steps[slider.value][0]);
    for (const { source, kind } of rasterEntries([layer])) map.getSource(source)?.setTiles(addressOf(layer, kind).tiles);
  });
  tell();
  const part = element("div", "steps");
  part.append(slider, shown);
  return part;
}

// Draws anew what has another version than before.
export function reloadRasters(map, before, now) {
  for (const { source, layer } of rasterEntries(now)) {
    const known = before.find((one) => one.id === layer.id);
    const shown = map.getSource(source);
    if (shown && known?.version !== layer.version) shown.setTiles(shown.tiles);
  }
}

// What the rasters that are switched on have at a point, as a part of a popup; null: nothing.
export async function rasterValues(rasters, { lng, lat }, get) {
  const shown = new Set(rasterEntries(rasters).filter(({ source }) => isOn(source)).map(({ layer }) => layer));
  const parts = await Promise.all([...shown].map(async (layer) => {
    const at = await get(`/rasters/${layer.id}/point?lon=${lng}&lat=${lat}${timeOf(layer, "&")}`).catch(() => null);
    return at && at.value !== null ? describe(layer, at) : null;
  }));
  const known = parts.filter(Boolean);
  if (!known.length) return null;
  const content = element("div", "facts-of");
  content.append(...known);
  return content;
}

function describe(layer, { value, label, unit, simulated, from, to }) {
  const part = element("section");
  const table = element("dl");
  const text = label ?? `${number(value)} ${unit === "{person}" ? "" : unit ?? ""}`.trim();
  table.append(element("dt", "", word("value")), element("dd", "", text));
  if (from) table.append(element("dt", "", word("period")), element("dd", "", `${moment(from)} – ${moment(to)}`));
  if (simulated) table.append(element("dt", "", word("source")), element("dd", "", word("simulated_here")));
  part.append(element("h3", "", inLanguage(layer.title)), table);
  return part;
}
