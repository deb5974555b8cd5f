// The map page: a client of the service like any other.

import { drawAlerts, onDraw, onMark, onShow, refreshAlerts, selectNamed } from "./alerts.js";
import { drawBell } from "./bell.js";
import { chartsOf } from "./chart.js";
import * as contradictions from "./contradictions.js";
import { drawFreshness, refreshFreshness, tellsFreshness } from "./freshness.js";
import { drawLayers, entriesOf, switchOffAtFirst } from "./layers.js";
import { rasterEntries, rasterValues, reloadRasters, stepSlider, withRasters } from "./rasters.js";
import { Refused, credentials, followEvents, get, getIfNew, keyHeaders, onKey } from "./service.js";
import { alertsAsGeoJson, applyVisibility, drawBadges, makeMap, markAlert, showAlerts, roomFor, showProblem, openPopupOnClick } from "./view.js";
import { applyWords, currentLanguage, refusal, setLanguage, word } from "./words.js";

const POLL_MS = 500;
const RASTERS_EVERY_MS = 15_000;
const CONTRADICTIONS_EVERY_MS = 15_000;

const state = { layers: [], rasters: [], entries: [], versions: new Map(), status: null, offline: false };

async function start() {
  applyWords();
  drawBell();
  const [status, { layers }, style, { rasters }] = await Promise.all([
    getIfNew("/status"), get("/layers"), get("/styles/map.json"), getIfNew("/rasters"),
  ]);
  state.layers = layers;
  state.rasters = rasters;
  state.entries = [...entriesOf(layers), ...rasterEntries(rasters)];
  switchOffAtFirst(state.entries);
  const map = makeMap(withRasters(alertsAsGeoJson(boundedByTileJson(style)), rasters), status.extent, {
    fitBoundsOptions: { padding: roomFor(350, 374) },
    transformRequest: (url) => ({ url, headers: keyHeaders(), credentials }),
  });
  takeStatus(status);
  onShow(({ bbox }) => bbox && map.fitBounds(bbox, { padding: roomFor(370, 394), maxZoom: 13 }));
  onMark((alert, records) => markAlert(map, alert, records));
  onDraw((alerts, pick) => showAlerts(map, alerts, pick));
  listen(map);
  await Promise.all([drawList(map), refreshAlerts()]);
  if (layers.some(tellsFreshness)) await refreshFreshness();
  await selectNamed(new URLSearchParams(location.search).get("alert"));
  followEvents("/events", refreshAlerts);
  watch(map);
  setInterval(() => watchRasters(map).catch(() => {}), RASTERS_EVERY_MS);
  const look = () => watchContradictions(map).catch(() => {});
  onKey(look);
  setInterval(look, CONTRADICTIONS_EVERY_MS);
  await look();
}

async function watchContradictions(map) {
  if (!await contradictions.refreshContradictions()) return;
  contradictions.drawContradictions(map, state.layers);
  await drawList(map);
}

async function watchRasters(map) {
  const answer = await getIfNew("/rasters");
  if (answer === null) return;
  reloadRasters(map, state.rasters, answer.rasters);
  state.rasters = answer.rasters;
  const now = new Map(answer.rasters.map((raster) => [raster.id, raster]));
  state.entries = state.entries.map((entry) => ({ ...entry, layer: now.get(entry.layer.id) ?? entry.layer }));
  await drawList(map);
}

// Beyond the bounds of its rows a layer has no tiles; they come anew with each change of it.
function boundedByTileJson(style) {
  for (const layer of state.layers) {
    const source = style.sources[layer.id];
    if (source) style.sources[layer.id] = { type: source.type, url: tileJsonOf(source.tiles[0]) };
  }
  return style;
}

const tileJsonOf = (address) => address.replace(/\/\{z\}.*$/, "/tilejson.json");

function drawList(map) {
  const legendOf = (id) => {
    if (id === contradictions.SOURCE) return contradictions.contradictionLegend();
    const isRaster = state.rasters.some((raster) => raster.id === id);
    return get(`${isRaster ? `/rasters/${id}/legend` : `/legends/${id}`}.json?lang=${currentLanguage()}`);
  };
  const entries = [...contradictions.contradictionEntries(), ...state.entries];
  const slider = ({ kind, layer }) => (kind === "raster" ? stepSlider(map, layer) : null);
  const applied = () => {
    applyVisibility(map);
    contradictions.applyContradictions();
  };
  return drawLayers(entries, legendOf, applied, slider);
}

function takeStatus(status) {
  state.status = status;
  for (const layer of status.layers) state.versions.set(layer.id, layer.version);
  drawBadges(status);
}

// Twice a second: what changed is drawn anew; a round that takes longer delays the next one. Of
// alerts the event stream gives notice.
function watch(map) {
  setTimeout(async () => {
    try {
      await refresh(map);
      if (state.offline) showProblem("");
      state.offline = false;
    } catch (error) {
      state.offline = !isKeyRefused(error);
      if (state.offline) showProblem(word("offline"));
    }
    watch(map);
  }, POLL_MS);
}

// Of which the list of alerts tells, and lets go of the key.
const isKeyRefused = (error) => error instanceof Refused && error.status === 401;

async function refresh(map) {
  const status = await getIfNew("/status");
  if (status !== null) {
    const changed = status.layers.filter((layer) => state.versions.get(layer.id) !== layer.version);
    takeStatus(status);
    for (const layer of changed) reload(map, layer);
    if (changed.some(tellsFreshness)) await refreshFreshness();
  }
}

function reload(map, { id }) {
  const features = map.getSource(id);
  if (features?.setUrl) features.setUrl(features.url);
  const hexes = map.getSource(`${id}_hexes`);
  if (hexes) hexes.setTiles(hexes.tiles);
}

function listen(map) {
  openPopupOnClick(map, state.layers, (place) => rasterValues(state.rasters, place, get), chartsOf);
  document.getElementById("language").addEventListener("click", async () => {
    setLanguage(currentLanguage() === "vi" ? "en" : "vi");
    drawBadges(state.status);
    drawBell();
    drawAlerts();
    await drawList(map);
    contradictions.drawContradictions(map, state.layers);
    drawFreshness();
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

start().catch((error) => showProblem(error instanceof Refused ? refusal(error.status) : error.message));
