// The map above a table of items: it draws the same page of GeoJSON that programs get.

const box = document.getElementById("map");

async function draw() {
  const maplibregl = await import(box.dataset.maplibre);
  const answer = await fetch(box.dataset.json, { headers: { accept: "application/geo+json" } });
  const data = await answer.json();
  const features = data.type === "Feature" ? [data] : data.features;
  const bounds = boundsOf(features);
  if (bounds === null) return;
  box.hidden = false;
  const map = new maplibregl.Map({
    container: box,
    style: styleOf({ type: "FeatureCollection", features }),
    bounds,
    fitBoundsOptions: { padding: 30, maxZoom: 14 },
    attributionControl: false,
  });
  map.addControl(new maplibregl.NavigationControl({ showCompass: false }));
  for (const layer of ["points", "areas", "lines"]) {
    map.on("click", layer, ({ lngLat, features: [first] }) => {
      new maplibregl.Popup().setLngLat(lngLat).setDOMContent(tableOf(first.properties)).addTo(map);
    });
  }
}

function styleOf(data) {
  const colour = "#1f6f8b";
  const kind = (name) => ["==", ["geometry-type"], name];
  return {
    version: 8,
    sources: { items: { type: "geojson", data } },
    layers: [
      { id: "background", type: "background", paint: { "background-color": "#e9edeb" } },
      { id: "areas", type: "fill", source: "items", filter: kind("Polygon"),
        paint: { "fill-color": colour, "fill-opacity": 0.3 } },
      { id: "lines", type: "line", source: "items", filter: ["!", kind("Point")],
        paint: { "line-color": colour, "line-width": 1.5 } },
      { id: "points", type: "circle", source: "items", filter: kind("Point"),
        paint: { "circle-color": colour, "circle-radius": 5,
                 "circle-stroke-color": "#fff", "circle-stroke-width": 1 } },
    ],
  };
}

function boundsOf(features) {
  const found = [Infinity, Infinity, -Infinity, -Infinity];
  const take = (part) => {
    if (typeof part[0] !== "number") return part.forEach(take);
    found[0] = Math.min(found[0], part[0]);
    found[1] = Math.min(found[1], part[1]);
    found[2] = Math.max(found[2], part[0]);
    found[3] = Math.max(found[3], part[1]);
  };
  features.filter((one) => one.geometry).forEach((one) => take(one.geometry.coordinates));
  return found[0] === Infinity ? null : found;
}

function tableOf(properties) {
  const table = document.createElement("table");
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === "null") continue;
    const row = table.insertRow();
    row.insertCell().textContent = name;
    row.insertCell().textContent = String(value);
  }
  return table;
}

// Where the map's packages are missing, the table stands alone.
if (box) draw().catch(() => { box.hidden = true; });
