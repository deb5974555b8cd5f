// The map of a bundle (`gis tiles bundle`): its folder is all it asks.

import { drawLayers, entriesOf, switchOffAtFirst } from "./layers.js";
import { addProtocol, applyVisibility, drawBadges, makeMap, roomFor, showProblem, openPopupOnClick } from "./view.js";
import { applyWords, currentLanguage, setLanguage, word } from "./words.js";

const { PMTiles, Protocol } = globalThis.pmtiles;

// An archive, read whole at the first question: not every web server knows ranges.
class WholeFile {
  constructor(name) {
    this.name = name;
  }

  getKey() {
    return this.name;
  }

  async getBytes(offset, length) {
    this.content ??= read(this.name).then((response) => response.blob());
    return { data: await (await this.content).slice(offset, offset + length).arrayBuffer() };
  }
}

async function read(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status} ${response.statusText}`);
  return response;
}

const get = async (path) => (await read(path)).json();

async function start() {
  applyWords();
  const [about, style] = await Promise.all([get("bundle.json"), get("style.json")]);
  const archives = new Protocol();
  for (const { id } of about.layers) archives.add(new PMTiles(new WholeFile(`${id}.pmtiles`)));
  addProtocol("pmtiles", archives.tile);
  const entries = entriesOf(about.layers);
  switchOffAtFirst(entries);
  const map = makeMap(style, about.status.extent, { fitBoundsOptions: { padding: roomFor(350, 16) } });
  map.on("error", ({ error }) => showProblem(error.message));
  map.on("idle", () => { document.body.dataset.features = JSON.stringify(drawn(map)); });
  openPopupOnClick(map, about.layers);
  await redraw(map, entries, about);
  document.getElementById("language").addEventListener("click", () => {
    setLanguage(currentLanguage() === "vi" ? "en" : "vi");
    return redraw(map, entries, about);
  });
}

// How many features of each layer are drawn.
function drawn(map) {
  const counts = {};
  for (const { source } of map.queryRenderedFeatures()) counts[source] = (counts[source] ?? 0) + 1;
  return counts;
}

async function redraw(map, entries, { moment, classification, status }) {
  const time = new Date(moment).toLocaleString(currentLanguage(), { dateStyle: "medium", timeStyle: "short" });
  drawBadges(status, [word("no_service"), `${word("as_of")} ${time}`, word(`class_${classification}`)]);
  const legendOf = (id) => get(`legends/${id}.${currentLanguage()}.json`);
  await drawLayers(entries, legendOf, () => applyVisibility(map));
}

start().catch((error) => showProblem(error.message));
