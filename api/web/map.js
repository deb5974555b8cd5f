// The map page: a client of the service like any other.

import * as maplibregl from "/web/maplibre/maplibre-gl.mjs";
import { tell } from "/web/acts.js";
import { drawAlerts, onShow, refreshAlerts } from "/web/alerts.js";
import { drawLayers, entriesOf, isOn, switchOffAtFirst } from "/web/layers.js";
import { popupOf } from "/web/popup.js";
import { followEvents, get, getIfNew, keyHeaders } from "/web/service.js";
import { applyWords, currentLanguage, inLanguage, setLanguage, word } from "/web/words.js";

const POLL_MS = 500;
const HEXES_UNTIL_ZOOM = 12;

const state = { layers: [], entries: [], versions: new Map(), status: null, offline: false };

async function start() {
  applyWords();
  const [status, { layers }, style] = await Promise.all([
    getIfNew("/status"), get("/layers"), get("/styles/map.json"),
  ]);
  state.layers = layers;
  state.entries = entriesOf(layers);
  switchOffAtFirst(state.entries);
  const map = makeMap(style, status.extent);
  takeStatus(status);
  onShow((alert) => map.fitBounds(alert.bbox, { padding: 120, maxZoom: 13 }));
  listen(map);
  await Promise.all([drawLayers(state.entries, () => applyVisibility(map)), refreshAlerts()]);
  followEvents("/events", refreshAlerts);
  watch(map);
}

function makeMap(style, [west, south, east, north]) {
  const background = { id: "background", type: "background", paint: { "background-color": "#e9edeb" } };
  const map = new maplibregl.Map({
    container: "map",
    style: { ...style, layers: [background, ...style.layers.map(fromAfar)] },
    bounds: [[west, south], [east, north]],
    fitBoundsOptions: { padding: roomForPanels() },
    attributionControl: { compact: true },
    dragRotate: false,
    transformRequest: (url) => ({ url, headers: keyHeaders() }),
  });
  map.touchZoomRotate.disableRotation();
  map.addControl(new maplibregl.NavigationControl({ showCompass: false }), "bottom-right");
  map.addControl(new maplibregl.ScaleControl(), "bottom-left");
  map.on("load", () => applyVisibility(map));
  map.on("zoomend", () => applyVisibility(map));
  map.on("idle", () => { document.body.dataset.drawn = "true"; });
  return map;
}

function roomForPanels() {
  const wide = window.innerWidth > 820;
  return { top: 24, bottom: 24, left: wide ? 350 : 16, right: wide ? 374 : 16 };
}

// Points seen from afar are dots.
function fromAfar(layer) {
  const radius = layer.paint?.["circle-radius"];
  if (layer.type !== "circle" || typeof radius !== "number" || layer.id.includes("-clusters")) return layer;
  const grown = ["interpolate", ["linear"], ["zoom"], 7, Math.max(1.2, radius * 0.3), 12, radius];
  const edge = ["interpolate", ["linear"], ["zoom"], 9, 0, 12, layer.paint["circle-stroke-width"] ?? 0];
  return { ...layer, paint: { ...layer.paint, "circle-radius": grown, "circle-stroke-width": edge } };
}

// From afar hexes say how many there are, so clusters stay away; near by, hexes give way to points.
function isShown(map, { id, source }) {
  if (!isOn(source)) return false;
  const near = map.getZoom() >= HEXES_UNTIL_ZOOM;
  if (source.endsWith("_hexes")) return !near;
  const counted = map.getSource(`${source}_hexes`) && isOn(`${source}_hexes`);
  return near || !counted || !id.includes("-clusters");
}

function applyVisibility(map) {
  for (const layer of map.getStyle().layers) {
    if (!layer.source) continue;
    const wanted = isShown(map, layer) ? "visible" : "none";
    if ((layer.layout?.visibility ?? "visible") !== wanted) {
      map.setLayoutProperty(layer.id, "visibility", wanted);
    }
  }
}

function takeStatus(status) {
  state.status = status;
  for (const layer of status.layers) state.versions.set(layer.id, layer.version);
  drawBadges();
}

function drawBadges() {
  const province = state.status.province;
  document.getElementById("province").textContent = province ? ` · ${inLanguage(province)}` : "";
  const badges = [];
  if (state.status.simulated) badges.push(word("simulated"));
  if (state.status.boundaries?.quality === "approximate") badges.push(word("approximate"));
  document.getElementById("badges").replaceChildren(...badges.map((text) => {
    const badge = document.createElement("span");
    badge.className = "badge";
    badge.textContent = text;
    return badge;
  }));
}

// Twice a second: what changed is drawn anew; a round that takes longer delays the next one. Of
// alerts the event stream tells.
function watch(map) {
  setTimeout(async () => {
    try {
      await refresh(map);
      if (state.offline) tell("");
      state.offline = false;
    } catch {
      state.offline = true;
      tell(word("offline"));
    }
    watch(map);
  }, POLL_MS);
}

async function refresh(map) {
  const status = await getIfNew("/status");
  if (status !== null) {
    const changed = status.layers.filter((layer) => state.versions.get(layer.id) !== layer.version);
    takeStatus(status);
    for (const layer of changed) reload(map, layer);
  }
}

function reload(map, { id, version }) {
  for (const name of [id, `${id}_hexes`]) {
    const source = map.getSource(name);
    const address = map.getStyle().sources[name]?.tiles?.[0].split("?")[0];
    if (source && address) source.setTiles([address]);
  }
}

function listen(map) {
  map.on("click", (event) => {
    const content = popupOf(map.queryRenderedFeatures(event.point), state.layers);
    if (!content) return;
    new maplibregl.Popup({ maxWidth: "340px" }).setLngLat(event.lngLat).setDOMContent(content).addTo(map);
  });
  document.getElementById("language").addEventListener("click", async () => {
    setLanguage(currentLanguage() === "vi" ? "en" : "vi");
    drawBadges();
    drawAlerts();
    await drawLayers(state.entries, () => applyVisibility(map));
  });
  const tabs = document.querySelectorAll("[role=tab]");
  for (const tab of tabs) {
    tab.addEventListener("click", () => {
      const panel = document.getElementById(tab.dataset.panel);
      const open = !panel.classList.contains("open");
      for (const other of tabs) {
        document.getElementById(other.dataset.panel).classList.toggle("open", other === tab && open);
        other.setAttribute("aria-selected", String(other === tab && open));
      }
    });
  }
}

start().catch((error) => tell(error.message));
