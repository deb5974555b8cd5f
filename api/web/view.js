// The map itself, as the page of the service and the offline one share it.

import * as maplibregl from "./maplibre/maplibre-gl.mjs";
import { isOn } from "./layers.js";
import { popupOf } from "./popup.js";
import { inLanguage, word } from "./words.js";

const HEXES_UNTIL_ZOOM = 12;
const PROBLEM_MS = 10_000;
const REPAINT_MS = 500;
const MANY_COMMUNES = 20;
const CODE_LENGTH = 6;  // with the space between two
const LIVE = ["in", ["get", "status"], ["literal", ["open", "acknowledged"]]];
const COMMUNES = ["coalesce", ["get", "communes"], ""];  // of an alert; none: the whole province

export const addProtocol = maplibregl.addProtocol;

export function makeMap(style, [west, south, east, north], options = {}) {
  const background = { id: "background", type: "background", paint: { "background-color": "#e9edeb" } };
  const map = new maplibregl.Map({
    container: "map",
    style: { ...style, layers: [background, ...style.layers.map(fromAfar).map(openToTheEye)] },
    bounds: [[west, south], [east, north]],
    attributionControl: { compact: true },
    dragRotate: false,
    ...options,
  });
  map.touchZoomRotate.disableRotation();
  map.addControl(new maplibregl.NavigationControl({ showCompass: false }), "bottom-right");
  map.addControl(new maplibregl.ScaleControl(), "bottom-right");
  map.on("load", () => applyVisibility(map));
  map.on("zoomend", () => applyVisibility(map));
  map.on("idle", () => {
    document.body.dataset.drawn = "true";
    document.body.dataset.evidence = evidenceDrawn(map);
  });
  untilFirstDrawn(map);
  return map;
}

// MapLibre does not draw for a tile that comes again with the same ETag. Where that was the last one
// awaited, it would never say that it has loaded.
function untilFirstDrawn(map) {
  const asking = setInterval(() => map.triggerRepaint(), REPAINT_MS);
  map.once("idle", () => clearInterval(asking));
}

// Beside panels as wide as these on a wide window.
export function roomFor(left, right) {
  const wide = window.innerWidth > 820;
  return { top: 24, bottom: 24, left: wide ? left : 16, right: wide ? right : 16 };
}

// Points seen from afar are dots.
function fromAfar(layer) {
  const radius = layer.paint?.["circle-radius"];
  if (layer.type !== "circle" || typeof radius !== "number" || layer.id.includes("-clusters")) return layer;
  const grown = ["interpolate", ["linear"], ["zoom"], 7, Math.max(1.2, radius * 0.3), 12, radius];
  const edge = ["interpolate", ["linear"], ["zoom"], 9, 0, 12, layer.paint["circle-stroke-width"] ?? 0];
  return { ...layer, paint: { ...layer.paint, "circle-radius": grown, "circle-stroke-width": edge } };
}

// Of alerts the live ones. One of the whole province, or of much of it, is an outline: its fill would
// cover all else.
function openToTheEye(layer) {
  if (layer.source !== "alerts") return layer;
  const few = ["<", ["length", COMMUNES], MANY_COMMUNES * CODE_LENGTH];
  const asked = layer.type === "fill" ? [LIVE, ["!=", COMMUNES, ""], few] : [LIVE];
  return { ...layer, filter: ["all", ...asked, ...(layer.filter ? [layer.filter] : [])] };
}

// Alerts are drawn from the list, not from tiles: on duty it holds those too that are not published.
export function alertsAsGeoJson(style) {
  if (!style.sources.alerts) return style;
  const sources = { ...style.sources, alerts: { type: "geojson", data: collection([]) } };
  const layers = style.layers.map((layer) => {
    if (layer.source !== "alerts") return layer;
    const { "source-layer": _, ...rest } = layer;
    return rest;
  });
  return { ...style, sources, layers };
}

const collection = (features) => ({ type: "FeatureCollection", features });
const markers = new Map();  // by the number of the alert

// Areas of alerts, and a mark for each that lies above all else at every zoom. `pick`: of one that is
// clicked.
export function showAlerts(map, alerts, pick) {
  const areas = alerts.filter(({ geometry }) => geometry);
  const data = collection(areas.map((alert) => ({
    type: "Feature", id: alert.id, geometry: alert.geometry, properties: propertiesOf(alert),
  })));
  const put = () => map.getSource("alerts")?.setData(data);
  if (map.isStyleLoaded() || map.getSource("alerts")) put();
  else map.once("load", put);
  const shown = alerts.filter(({ point, status }) => point && status !== "suppressed");
  for (const marker of markers.values()) marker.remove();
  markers.clear();
  // The gravest last, above the others.
  for (const alert of [...shown].sort((one, other) => weight(one) - weight(other))) {
    markers.set(alert.id, markerOf(alert, pick).addTo(map));
  }
  applyVisibility(map);
}

const TIERS = ["watch", "alert", "urgent"];
const weight = (alert) => (alert.within === null ? 10 : 0) + TIERS.indexOf(alert.severity) + (alert.situation ? 5 : 0);

function markerOf(alert, pick) {
  const element = document.createElement("button");
  element.type = "button";
  element.className = ["mark", alert.severity, alert.status, alert.situation ? "situation" : "",
    alert.within === null ? "" : "inner"].join(" ").trim();
  element.dataset.alert = alert.id;
  const words = inLanguage({ vi: alert.headline_vi, en: alert.headline_en });
  element.title = words;
  element.setAttribute("aria-label", `${word(`severity_${alert.severity}`)}: ${words}`);
  element.addEventListener("click", (event) => {
    event.stopPropagation();
    pick(alert.id);
  });
  return new maplibregl.Marker({ element }).setLngLat(alert.point);
}

function propertiesOf({ geometry, point, situation, communes, layer_id, opened_at, ...rest }) {
  return {
    ...rest, of_layer: layer_id, valid_at: opened_at, communes: communes.map(({ code }) => code).join(" "),
  };
}

// From afar hexes say how many there are, so clusters stay away; near by, hexes give way to points.
function isShown(map, { id, source }) {
  if (!isOn(source)) return false;
  const near = map.getZoom() >= HEXES_UNTIL_ZOOM;
  if (source.endsWith("_hexes")) return !near;
  const counted = map.getSource(`${source}_hexes`) && isOn(`${source}_hexes`);
  return near || !counted || !id.includes("-clusters");
}

export function applyVisibility(map) {
  for (const marker of markers.values()) marker.getElement().hidden = !isOn("alerts");
  for (const layer of map.getStyle().layers) {
    if (!layer.source) continue;
    const wanted = isShown(map, layer) ? "visible" : "none";
    if ((layer.layout?.visibility ?? "visible") !== wanted) {
      map.setLayoutProperty(layer.id, "visibility", wanted);
    }
  }
}

const MARK = "chosen";
const EVIDENCE = "_evidence";
const INK = "#16262b";

// The alert that is chosen: its outline, and its evidence as points of a source that is named after
// their layer; null: none is.
export function markAlert(map, alert, records = []) {
  for (const { id } of map.getStyle().layers) {
    if (id.startsWith(`${MARK}-`)) map.removeLayer(id);
  }
  for (const id of Object.keys(map.getStyle().sources)) {
    if (id.endsWith(EVIDENCE)) map.removeSource(id);
  }
  if (!alert) return;
  const source = `${alert.layer_id}${EVIDENCE}`;
  const placed = records.filter((record) => record.geometry);
  map.addSource(source, { type: "geojson", data: { type: "FeatureCollection", features: placed } });
  if (map.getSource("alerts")) {
    addOutline(map, alert.id, "casing", "#ffffff", 7);
    addOutline(map, alert.id, "outline", INK, 3);
  }
  const paint = {
    "circle-radius": 5, "circle-color": "#ffffff", "circle-stroke-color": INK, "circle-stroke-width": 2.5,
  };
  map.addLayer({ id: `${MARK}-records`, type: "circle", source, paint });
}

// Number of records of the chosen alert's evidence on the map.
function evidenceDrawn(map) {
  const layers = [`${MARK}-records`].filter((id) => map.getLayer(id));
  return layers.length ? new Set(map.queryRenderedFeatures({ layers }).map(({ id }) => id)).size : 0;
}

function addOutline(map, id, name, colour, width) {
  const ofTiles = map.getSource("alerts").type === "vector" ? { "source-layer": "alerts" } : {};
  map.addLayer({
    id: `${MARK}-${name}`, type: "line", source: "alerts", ...ofTiles,
    filter: ["==", ["id"], id], paint: { "line-color": colour, "line-width": width },
  });
}

// `valuesAt` gives, later, what is known of the place besides features; null: nothing. `chartsOf` the
// charts of a station.
export function openPopupOnClick(map, layers, valuesAt = async () => null, chartsOf = undefined) {
  map.on("click", async (event) => {
    const content = document.createElement("div");
    const popup = new maplibregl.Popup({ maxWidth: "340px" }).setLngLat(event.lngLat).setDOMContent(content);
    const features = popupOf(map.queryRenderedFeatures(event.point), layers, chartsOf);
    if (features) {
      content.append(features);
      popup.addTo(map);
    }
    const values = await valuesAt(event.lngLat);
    if (!values) return;
    if (features) {
      features.append(...values.children);
    } else {
      content.append(values);
      popup.addTo(map);
    }
  });
}

// The province, and what else must be known before the map is believed.
export function drawBadges({ province, simulated, boundaries }, others = []) {
  document.getElementById("province").textContent = province ? ` · ${inLanguage(province)}` : "";
  const badges = [...others];
  if (simulated) badges.push(word("simulated"));
  if (boundaries?.quality === "approximate") badges.push(word("approximate"));
  document.getElementById("badges").replaceChildren(...badges.map((text) => {
    const badge = document.createElement("span");
    badge.className = "badge";
    badge.textContent = text;
    return badge;
  }));
}

export function showProblem(problem) {
  const place = document.getElementById("problem");
  place.textContent = problem;
  place.hidden = !problem;
}

// A refusal is shown until the next act, at most for ten seconds.
export function showProblemForAWhile(problem) {
  showProblem(problem);
  const place = document.getElementById("problem");
  setTimeout(() => { if (place.textContent === problem) showProblem(""); }, PROBLEM_MS);
}
