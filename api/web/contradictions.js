// Records whose clues contradict each other, as flags on the map, for keys that may decide on them:
// without a key nothing is asked, and with another the service names none.

import * as maplibregl from "./maplibre/maplibre-gl.mjs";
import { isOn } from "./layers.js";
import { getIfNew, hasKey } from "./service.js";
import { roomFor } from "./view.js";
import { element, inLanguage, number, word } from "./words.js";

export const SOURCE = "contradicting";
const MOST = 1000;
const ASKED = `/quarantine/features?state=contradicting&limit=${MOST}`;
const COLOUR = "#c2185b";
const CLUES = ["coordinates", "address", "commune", "district"];
const FLAG = '<path d="M3 1h14l-4 4.500 4 4.500H5v9H3z"/>';

let answer = [];  // of the last time; what has not changed is not sent again
let shown = [];
let flags = [];
let popup = null;

// True where what is shown has changed.
export async function refreshContradictions() {
  const found = hasKey() ? await asked() : [];
  const now = hasKey() ? found : [];  // the key may have been let go of meanwhile
  const changed = now !== shown && now.length + shown.length > 0;
  shown = now;
  return changed;
}

// A key that is refused is let go of where alerts are asked for.
async function asked() {
  try {
    answer = (await getIfNew(ASKED))?.features ?? answer;
    return answer;
  } catch {
    return [];
  }
}

// Its entry in the list of layers, as long as there is such a record.
export function contradictionEntries() {
  if (!shown.length) return [];
  const title = `${word("contradictions")} (${number(shown.length)}${shown.length === MOST ? "+" : ""})`;
  return [{ source: SOURCE, layer: { id: SOURCE, title: { vi: title, en: title } }, kind: "features" }];
}

export function contradictionLegend() {
  const unplaced = shown.filter(({ geometry }) => !geometry).length;
  const label = word("contradictions_legend") + (unplaced ? ` · ${number(unplaced)} ${word("unplaced")}` : "");
  return { features: [{ shape: "flag", label, colour: COLOUR, outline: COLOUR, opacity: 1, size_px: 5 }] };
}

// A flag for each that has coordinates, where they put it; an outline has it where it begins.
export function drawContradictions(map, layers) {
  for (const flag of flags) flag.remove();
  popup?.remove();
  flags = shown.filter(({ geometry }) => geometry).map((record) => flagOf(map, record, layers).addTo(map));
  applyContradictions();
}

export function applyContradictions() {
  for (const flag of flags) flag.getElement().hidden = !isOn(SOURCE);
}

function flagOf(map, { geometry, properties }, layers) {
  const button = element("button", "flag");
  button.type = "button";
  button.title = `${word("contradicting")}: ${properties.source_key}`;
  button.setAttribute("aria-label", button.title);
  const drawing = new DOMParser().parseFromString(
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="1 0 18 20" fill="${COLOUR}" aria-hidden="true">${FLAG}</svg>`,
    "image/svg+xml",
  ).documentElement;
  button.append(document.importNode(drawing, true));
  const at = firstOf(geometry.coordinates);
  button.addEventListener("click", (event) => {
    event.stopPropagation();  // what lies beneath is not asked for
    popup?.remove();
    popup = new maplibregl.Popup({ maxWidth: "340px", offset: 8, closeOnClick: false });
    popup.setLngLat(at).setDOMContent(factsOf(properties, layers)).addTo(map);
    clearOfPanels(map, at);
  });
  return new maplibregl.Marker({ element: button, anchor: "bottom-left" }).setLngLat(at);
}

// The map is moved where a panel, or the edge, would cover the popup.
function clearOfPanels(map, at) {
  const { left, right } = roomFor(350, 374);
  const [half, above] = [180, 260];
  const { x, y } = map.project(at);
  const { clientWidth: width, clientHeight: height } = map.getContainer();
  if (x > left + half && x < width - right - half && y > above && y < height) return;
  map.easeTo({ center: at, offset: [(left - right) / 2, above / 2] });
}

const firstOf = (coordinates) => (Array.isArray(coordinates[0]) ? firstOf(coordinates[0]) : coordinates);

// What each clue of a record says, and why they do not agree.
function factsOf({ layer_id, source_key, why, clues }, layers) {
  const facts = element("div", "facts-of");
  const part = element("section", "contradicting");
  const layer = layers.find(({ id }) => id === layer_id);
  const table = element("dl");
  table.append(...CLUES.filter((name) => clues[name]).flatMap((name) => [
    element("dt", "", word(`clue_${name}`)), element("dd", "", clues[name]),
  ]));
  const [vi, en = vi] = why.split(" / ");
  part.append(
    element("h3", "", `${word("contradicting")} · ${layer ? inLanguage(layer.title) : layer_id}`),
    element("p", "", `${source_key}: ${inLanguage({ vi, en })}`),
    table,
    element("p", "undecided", word("undecided")),
  );
  facts.append(part);
  return facts;
}
