// How fresh the layers are that the service reads from other systems, beside their names.

import { get } from "./service.js";
import { currentLanguage, word } from "./words.js";

const SOURCES = "sources"; // the layer that tells it
let sources = [];

// Asked again when the layer of sources has changed; a service without it shows none.
export async function refreshFreshness() {
  const page = await get(`/ogc/collections/${SOURCES}/items?limit=1000&f=json`).catch(() => null);
  sources = page ? page.features.map((feature) => feature.properties) : [];
  drawFreshness();
}

export const tellsFreshness = ({ id }) => id === SOURCES;

export function drawFreshness() {
  for (const old of document.querySelectorAll("#layer-list .freshness")) old.remove();
  for (const source of sources) {
    const rows = document.querySelectorAll(`#layer-list [data-layer="${source.of_layer}"] summary`);
    for (const row of rows) row.append(badgeOf(source));
  }
}

function badgeOf({ state, last_success: last }) {
  const badge = document.createElement("small");
  badge.className = `freshness ${state}`;
  const time = last ? new Date(last).toLocaleString(currentLanguage() === "vi" ? "vi-VN" : "en-GB", {
    timeZone: "Asia/Ho_Chi_Minh", dateStyle: "short", timeStyle: "short",
  }) : word("source_never");
  badge.textContent = `${word(`source_${state}`)} · ${time}`;
  return badge;
}
