// The page of planners: a form for each process, made from its description; its result on the map
// and as a table. A client of the service like any other.

import { questions } from "./questions.js";
import { credentials, get, forgetKey, keepKey, keyHeaders, Refused } from "./service.js";
import { currentLanguage, element, inLanguage, number, setLanguage } from "./words.js";
import { makeMap, roomFor } from "./view.js";

const WORDS = {
  vi: {
    title: "Hỏi bản đồ", subtitle: "Câu hỏi không gian cho người làm quy hoạch", map: "Bản đồ điều hành",
    key: "Khóa", choose: "Chọn phép phân tích", gallery: "Câu hỏi mẫu", run: "Chạy", running: "Đang tính…",
    waiting: "Đang chờ…", none: "(không)", filter: "Chỉ những đối tượng…", condition: "Điều kiện (CQL2)",
    time: "Thời gian (ngày, hoặc từ/đến)", area: "Vẽ vùng trên bản đồ", drawing: "Bấm các đỉnh, bấm đúp để xong",
    curl: "Chép lệnh curl", python: "Chép Python", command: "Chép lệnh gis", copied: "Đã chép", table: "Bảng (CSV)",
    qgis: "Mở trong QGIS", data: "Dữ liệu", nothing: "Không có đối tượng nào.", shown: "dòng đầu của",
    items: "Số đối tượng", simulated: "Dữ liệu mô phỏng", yes: "có", no: "không", stop: "Dừng",
    stopped: "Đã dừng.", failed: "Không tính được:", key_title: "Khóa API", ok: "Đồng ý", done: "Xong sau",
    key_text: "Chỉ cần cho lớp không công khai và để giữ kết quả. Khóa chỉ giữ trong cửa sổ này.",
    result_of: "kết quả vừa tính", values: "Mỗi dòng: mã đơn vị và số liệu", several: "cách nhau bằng dấu phẩy",
    outside: "Ngoài mọi vùng", in_several: "Trong nhiều vùng", records: "Số bản ghi", areas: "Số vùng",
    of_items: "Trong tổng số", without_place: "Không có vị trí", method: "Cách tính", reached: "Phục vụ được",
    people: "Số dân", of_people: "Trong tổng số dân", population_quality: "Dân số", population_source: "Nguồn dân số",
    resolution: "Độ phân giải", demand: "Nhu cầu", share: "Tỷ lệ", at_most: "Tối đa có thể", gap: "Còn có thể hơn", proven: "Đã chứng minh tối ưu",
    total_before: "Tổng trước", total_after: "Tổng sau", difference: "Chênh lệch", hexes: "Số ô",
    excluded: "Ô bị loại", changed: "Vùng thay đổi rõ", days_before: "Ngày kỳ trước", days_after: "Ngày kỳ sau",
    all_areas: "Tất cả", before: "kỳ trước", after: "kỳ sau", ratio: "tỷ số", weights: "Trọng số",
    origins: "Điểm xuất phát", consistent: "Nhất quán", measure: "Loại số liệu", weight: "Chia theo",
    left_out: "Không tính", options: "Tùy chọn", by: "Theo", roads: "Đường",
    cases: "Số ca", outside_the_days: "Ngoài các ngày", first_day: "Từ ngày", last_day: "Đến ngày", replicates: "Số hoán vị",
    seed: "Hạt giống", by_weekday: "Hoán vị theo thứ trong tuần", p: "Giá trị p",
    raster: "Lớp ảnh", from: "Từ", to: "Đến", without_value: "Không có giá trị", steps: "Số bước",
    gauges: "Số trạm", reach_km: "Trạm tính đến (km)", mean_error_mm: "Sai số trung bình (mm)", bias_mm: "Độ lệch (mm)",
    rivers: "Sông", decision: "Quyết định, điều", unknown: "Không xác định", at_risk: "Ô có cấp rủi ro",
    highest: "Cấp cao nhất", people_at_risk: "Dân trong ô rủi ro", roads_km_at_risk: "Đường trong ô rủi ro (km)",
    records_at_risk: "Bản ghi trong ô rủi ro", second_opinions: "Ý kiến thứ hai", below_least_score: "Ô dưới điểm",
  },
  en: {
    title: "Ask the map", subtitle: "Spatial questions, for planners", map: "Operations map",
    key: "Key", choose: "Choose an analysis", gallery: "Questions to begin with", run: "Run", running: "Computing…",
    waiting: "Waiting…", none: "(none)", filter: "Only items that…", condition: "Filter (CQL2)",
    time: "Time (a day, or start/end)", area: "Draw an area on the map", drawing: "Click corners, double-click to end",
    curl: "Copy curl", python: "Copy Python", command: "Copy gis command", copied: "Copied", table: "Table (CSV)",
    qgis: "Open in QGIS", data: "Data", nothing: "There are no items.", shown: "first rows of",
    items: "Items", simulated: "Simulated data", yes: "yes", no: "no", stop: "Stop",
    stopped: "Stopped.", failed: "It could not be computed:", key_title: "API key", ok: "OK", done: "Done in",
    key_text: "Only needed for layers that are not public, and to keep results. It stays in this window.",
    result_of: "the latest result", values: "A line each: code of unit and figure", several: "separated by commas",
    outside: "In no area", in_several: "In several areas", records: "Records", areas: "Areas",
    of_items: "Of", without_place: "Without a place", method: "Method", reached: "Reached",
    demand: "Demand", share: "Share", at_most: "At most possible", gap: "Could be better by", proven: "Proven optimal",
    total_before: "Total before", total_after: "Total after", difference: "Difference", hexes: "Hexes",
    excluded: "Left out", changed: "Areas that changed", days_before: "Days before", days_after: "Days after",
    all_areas: "Everywhere", before: "before", after: "after", ratio: "ratio", weights: "Weights",
    origins: "Starting points", consistent: "Consistent", measure: "Kind of figure", weight: "Divided by",
    left_out: "Not counted", options: "Options", by: "By", roads: "Roads",
    cases: "Cases", outside_the_days: "Outside the days", first_day: "First day", last_day: "Last day", replicates: "Random orders",
    seed: "Seed", by_weekday: "Within weekdays", p: "p value",
    raster: "Raster", from: "From", to: "To", without_value: "Without a value", steps: "Steps",
    gauges: "Gauges", reach_km: "Reach of a gauge (km)", mean_error_mm: "Mean error (mm)", bias_mm: "Bias (mm)",
    rivers: "Rivers", decision: "Decision, article", unknown: "Unknown", at_risk: "Hexes at risk",
    highest: "Highest level", people_at_risk: "People at risk", roads_km_at_risk: "Roads at risk (km)",
    records_at_risk: "Records at risk", second_opinions: "Second opinions", below_least_score: "Below the score",
    people: "People", of_people: "Of people in all", population_quality: "Population",
    population_source: "Source of the population", resolution: "Resolution",
  },
};
const SHOWN_ROWS = 200;
const LOOK_MS = 400;
const STATE_MS = 1500;

const word = (key) => WORDS[currentLanguage()][key] ?? key;
const byId = (id) => document.getElementById(id);
const state = { layers: [], rasters: [], processes: [], described: null, map: null, latest: null, drawn: null, job: null, shown: null };

async function start() {
  applyWords();
  const [status] = await Promise.all([get("/status"), loadLayers(), loadProcesses()]);
  const style = await get("/styles/communes.json");
  state.map = makeMap(style, status.extent, {
    fitBoundsOptions: { padding: roomFor(40, 40) },
    transformRequest: (url) => ({ url, headers: keyHeaders(), credentials }),
  });
  byId("process").addEventListener("change", (event) => choose(event.target.value));
  byId("form").addEventListener("submit", (event) => { event.preventDefault(); run(); });
  byId("language").addEventListener("click", changeLanguage);
  byId("key-button").addEventListener("click", () => byId("key-dialog").showModal());
  byId("key-dialog").addEventListener("close", takeKey);
  window.addEventListener("hashchange", () => choose(location.hash.slice(1)));
  drawQuestions();
  await choose(location.hash.slice(1) || "select");
  document.body.dataset.ready = "true";
}

function applyWords() {
  document.documentElement.lang = currentLanguage();
  document.title = word("title");
  for (const each of document.querySelectorAll("[data-ask]")) each.textContent = word(each.dataset.ask);
  byId("language").textContent = currentLanguage() === "vi" ? "EN" : "VI";
}

async function loadProcesses() {
  const { processes } = await get(`/ogc/processes?limit=100&lang=${currentLanguage()}`);
  state.processes = processes.filter((each) => each.id !== "echo");
  byId("process").replaceChildren(...state.processes.map((each) => new Option(each.title, each.id)));
}

async function loadLayers() {
  const [{ layers }, { rasters }] = await Promise.all([get("/layers"), get("/rasters")]);
  Object.assign(state, { layers, rasters });
}

async function changeLanguage() {
  const inputs = state.described ? collect() : {};
  setLanguage(currentLanguage() === "vi" ? "en" : "vi");
  applyWords();
  await loadProcesses();
  drawQuestions();
  await choose(state.described.id, inputs);
  if (state.shown) await show(state.shown);
}

function takeKey() {
  const key = byId("key").value.trim();
  if (key) keepKey(key);
  else forgetKey();
  loadLayers().then(() => choose(state.described.id, collect())).catch(complain);
}

// --- the form ---------------------------------------------------------------------------------

async function choose(id, inputs) {
  const known = state.processes.some((each) => each.id === id) ? id : state.processes[0].id;
  state.described = await get(`/ogc/processes/${known}?lang=${currentLanguage()}`);
  byId("process").value = known;
  byId("about").textContent = state.described.description;
  const values = inputs ?? state.described.examples[0] ?? {};
  const fields = Object.entries(state.described.inputs).map(([name, input]) => field(name, input, values[name]));
  const go = element("button", "go", word("run"));
  go.type = "submit";
  const acts = element("div", "acts");
  acts.append(go);
  byId("form").replaceChildren(...fields, acts);
}

// One control an input; `read` of each gives its value, undefined where it is left empty.
function field(name, input, value) {
  const box = element("div", "field");
  const label = element("label");
  label.append(element("span", "", input.title + (input.minOccurs ? " *" : "")));
  box.append(label);
  const { control, read } = controlOf(name, input.schema, value ?? input.schema.default, input.minOccurs > 0, box);
  control.id = `input-${name}`;
  label.append(control);
  box.dataset.name = name;
  box.read = read;
  return box;
}

function controlOf(name, schema, value, required, box) {
  const plain = schema.anyOf?.find((each) => each.type !== "null") ?? schema;
  const whole = { ...plain, labels: schema.labels ?? plain.labels, format: schema.format ?? plain.format };
  if (plain.oneOf) return layerControl(value, required, box, plain.oneOf[0].format === "raster");
  if (plain.format === "geojson-geometry") return areaControl(value, box);
  if (whole.format === "values") return valuesControl(value, box);
  if (whole.format === "layer") return selectControl(layerOptions(), value, required);
  if (plain.enum) return selectControl(plain.enum.map((each) => [each, whole.labels?.[each] ?? each.replaceAll("_", " ")]), value, true);
  if (plain.type === "boolean") return boxControl(value);
  if (plain.type === "integer" || plain.type === "number") return numberControl(plain, value, required);
  if (plain.type === "array" && plain.items?.type === "number") return listControl(value, box);
  if (plain.type === "array" && plain.items?.enum) return choicesControl(plain.items.enum, whole.labels, value);
  if (plain.type === "array" || plain.type === "object") return jsonControl(value, required);
  if (whole.format === "raster") return selectControl(rasterOptions(), value, required);
  const control = input("text", value ?? "", required);
  if (whole.format === "datetime") control.placeholder = "2026-01-01/2026-03-31";
  return { control, read: () => control.value.trim() || undefined };
}

function input(type, value, required) {
  const control = document.createElement("input");
  control.type = type;
  control.value = value;
  control.required = required;
  return control;
}

const layerOptions = () => [
  ...(state.latest ? [[state.latest, word("result_of")]] : []),
  ...state.layers.filter((each) => each.geometry !== "none").map((each) => [each.id, inLanguage(each.title)]),
];

const rasterOptions = () => state.rasters.filter((each) => each.rasters).map((each) => [each.id, inLanguage(each.title)]);

function selectControl(options, value, required) {
  const control = document.createElement("select");
  if (!required) control.append(new Option(word("none"), ""));
  for (const [id, title] of options) control.append(new Option(title, id));
  if (value !== undefined && value !== null) control.value = value;
  return { control, read: () => control.value || undefined };
}

function choicesControl(names, labels, value) {
  const control = document.createElement("select");
  control.multiple = true;
  control.size = Math.min(names.length, 6);
  for (const name of names) {
    const chosen = (value ?? []).includes(name);
    control.append(new Option(labels?.[name] ?? name.replaceAll("_", " "), name, chosen, chosen));
  }
  return { control, read: () => [...control.selectedOptions].map((each) => each.value) };
}

// Of rasters there is a time alone: they have no records to filter.
function layerControl(value, required, box, isRaster) {
  const given = typeof value === "string" ? { layer: value } : value ?? {};
  const options = isRaster ? rasterOptions() : layerOptions();
  if (given.layer && !options.some(([id]) => id === given.layer)) options.push([given.layer, given.layer]);
  const { control, read } = selectControl(options, given.layer, required);
  const more = document.createElement("details");
  more.open = Boolean(given.filter || given.datetime);
  more.append(element("summary", "", word(isRaster ? "time" : "filter")));
  const inner = element("div", "more");
  const filter = input("text", given.filter ?? "", false);
  filter.placeholder = "category = 'traffic'";
  const time = input("text", given.datetime ?? "", false);
  time.placeholder = isRaster ? "2024-09-10" : "2026-01-01/2026-03-31";
  for (const [title, each] of isRaster ? [["time", time]] : [["condition", filter], ["time", time]]) {
    const label = element("label");
    label.append(element("span", "", word(title)), each);
    inner.append(label);
  }
  more.append(inner);
  box.append(more);
  return {
    control,
    read: () => {
      const layer = read();
      if (!layer) return undefined;
      const parts = { layer, filter: filter.value.trim(), datetime: time.value.trim() };
      if (!parts.filter && !parts.datetime) return layer;
      return Object.fromEntries(Object.entries(parts).filter(([, each]) => each));
    },
  };
}

function numberControl(schema, value, required) {
  const control = input("number", value ?? "", required);
  control.step = schema.type === "integer" ? "1" : "any";
  const least = schema.minimum ?? schema.exclusiveMinimum;
  if (least !== undefined) control.min = least;
  if (schema.maximum !== undefined) control.max = schema.maximum;
  return { control, read: () => (control.value === "" ? undefined : Number(control.value)) };
}

function boxControl(value) {
  const control = input("checkbox", "", false);
  control.checked = Boolean(value);
  return { control, read: () => control.checked };
}

function listControl(value, box) {
  const control = input("text", (value ?? []).join(", "), false);
  box.append(element("small", "", word("several")));
  return {
    control,
    read: () => (control.value.trim() ? control.value.split(",").map((each) => Number(each.trim())) : undefined),
  };
}

function valuesControl(value, box) {
  const control = document.createElement("textarea");
  control.value = Object.entries(value ?? {}).map(([code, figure]) => `${code} ${figure}`).join("\n");
  box.append(element("small", "", word("values")));
  return {
    control,
    read: () => Object.fromEntries(control.value.split("\n").map((line) => line.trim().split(/[\s;,\t]+/))
      .filter((parts) => parts.length > 1).map(([code, figure]) => [code, Number(figure)])),
  };
}

function jsonControl(value, required) {
  const control = document.createElement("textarea");
  control.value = value === undefined || value === null || (Array.isArray(value) && !value.length) ? "" : JSON.stringify(value, null, 1);
  control.required = required;
  return { control, read: () => (control.value.trim() ? JSON.parse(control.value) : undefined) };
}

function areaControl(value, box) {
  const control = document.createElement("textarea");
  control.value = value ? JSON.stringify(value) : "";
  control.placeholder = '{"type": "Polygon", "coordinates": …}';
  const draw = element("button", "plain-act", word("area"));
  draw.type = "button";
  draw.addEventListener("click", () => drawArea(draw, (shape) => { control.value = JSON.stringify(shape); }));
  box.append(draw);
  return { control, read: () => (control.value.trim() ? JSON.parse(control.value) : undefined) };
}

// Corners by clicks, the end by a double click.
function drawArea(button, taken) {
  const corners = [];
  button.textContent = word("drawing");
  state.map.doubleClickZoom.disable();
  const click = (event) => {
    corners.push([event.lngLat.lng, event.lngLat.lat].map((each) => Math.round(each * 1e6) / 1e6));
    showDrawn({ type: "LineString", coordinates: corners });
  };
  state.map.on("click", click);
  state.map.once("dblclick", () => {
    state.map.off("click", click);
    setTimeout(() => state.map.doubleClickZoom.enable(), 0);
    button.textContent = word("area");
    const ring = corners.filter((each, at) => at === 0 || `${each}` !== `${corners[at - 1]}`);
    if (ring.length < 3) return;
    const shape = { type: "Polygon", coordinates: [[...ring, ring[0]]] };
    showDrawn(shape);
    taken(shape);
  });
}

function showDrawn(shape) {
  const source = state.map.getSource("drawn");
  if (source) { source.setData(shape); return; }
  state.map.addSource("drawn", { type: "geojson", data: shape });
  state.map.addLayer({ id: "drawn", type: "line", source: "drawn", paint: { "line-color": "#d55e00", "line-width": 2.5 } });
}

function collect() {
  const inputs = {};
  for (const box of byId("form").querySelectorAll(".field")) {
    const value = box.read();
    if (value !== undefined) inputs[box.dataset.name] = value;
  }
  return inputs;
}

// --- running ----------------------------------------------------------------------------------

async function run() {
  const started = Date.now();
  forget();
  const go = byId("form").querySelector(".go");
  go.disabled = true;
  const ticking = setInterval(() => say(`${word("running")} ${Math.round((Date.now() - started) / 1000)} s`), STATE_MS / 3);
  say(word("running"));
  try {
    const answer = await ask(`/ogc/processes/${state.described.id}/execution`, { inputs: collect() });
    const done = answer.jobID ? await ended(answer, started, ticking) : null;
    if (done?.status === "dismissed") { say(word("stopped")); return; }
    const made = done ? await get(`/ogc/jobs/${done.jobID}/results`) : answer;
    clearInterval(ticking);
    say(`${word("done")} ${((Date.now() - started) / 1000).toFixed(1)} s`);
    await show(made.result.value);
  } catch (error) {
    say("");
    complain(error);
  } finally {
    clearInterval(ticking);
    go.disabled = false;
    byId("stop")?.remove();
  }
}

// What PostgreSQL answers by itself is waited for; all else is a job.
async function ask(path, body) {
  const headers = { ...keyHeaders(), "Content-Type": "application/json" };
  if (!state.described.light) headers.Prefer = "respond-async";
  const answer = await fetch(path, { method: "POST", headers, credentials, body: JSON.stringify({ ...body, response: "document" }) })
    .catch((error) => { throw new Refused(0, error.message); });
  const document_ = await answer.json();
  if (!answer.ok) throw new Refused(answer.status, document_.detail);
  return document_;
}

// Watches a job until it has ended; it may be stopped meanwhile.
async function ended(job, started, ticking) {
  const stop = element("button", "plain-act", word("stop"));
  stop.type = "button";
  stop.id = "stop";
  stop.addEventListener("click", () => fetch(`/ogc/jobs/${job.jobID}`, { method: "DELETE", headers: keyHeaders(), credentials }));
  byId("form").querySelector(".acts").append(stop);
  for (;;) {
    const now = await get(`/ogc/jobs/${job.jobID}`);
    if (now.status === "failed") throw new Refused(400, now.message);
    if (["successful", "dismissed"].includes(now.status)) return now;
    clearInterval(ticking);
    const part = now.status === "accepted" ? word("waiting") : `${word("running")} ${now.message ?? ""}`;
    say(`${part} ${Math.round((Date.now() - started) / 1000)} s`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

// What was said of the question before is not said of this one, not even while its form loads.
function forget() {
  byId("problem").hidden = true;
  delete document.body.dataset.shown;
}

const say = (text) => { byId("state").textContent = text; };

function complain(error) {
  const box = byId("problem");
  box.textContent = `${word("failed")} ${error.message}`;
  box.hidden = false;
}

// --- the result -------------------------------------------------------------------------------

async function show(made) {
  state.shown = made;
  state.latest = made.collection;
  const [document_, schema] = await Promise.all([
    get(`/ogc/collections/${made.collection}?lang=${currentLanguage()}`),
    get(`/ogc/collections/${made.collection}/schema?lang=${currentLanguage()}`),
  ]);
  byId("result").hidden = false;
  byId("result-title").textContent = document_.title;
  drawLinks(made);
  drawSummary(made.summary);
  drawTable(made.features, schema.properties);
  await drawMap(made, document_);
  document.body.dataset.shown = made.collection;
}

function drawLinks(made) {
  const here = `/ogc/collections/${made.collection}`;
  const copies = ["curl", "python", "command"].map((name) => {
    const button = element("button", "plain-act", word(name));
    button.type = "button";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(made.request[name]);
      button.textContent = word("copied");
      setTimeout(() => { button.textContent = word(name); }, STATE_MS);
    });
    return button;
  });
  const links = [["data", `${here}?f=html`], ["table", `${here}/items?f=csv`], ["qgis", `/qgis/${made.collection}.qlr`]]
    .map(([name, href]) => {
      const link = element("a", "plain-act", word(name));
      link.href = href;
      return link;
    });
  byId("result-links").replaceChildren(...copies, ...links);
}

const textOf = (value) => {
  if (value === null || value === undefined) return "";
  if (typeof value === "boolean") return word(value ? "yes" : "no");
  if (typeof value === "number") return number(value);
  if (Array.isArray(value)) return value.map(textOf).join(", ");
  if (typeof value !== "object") return String(value);
  return Object.entries(value).map(([name, each]) => `${titleOf(name)}: ${textOf(each)}`).join(", ");
};

const titleOf = (name) => word(name).replaceAll("_", " ");

function drawSummary(summary) {
  const shown = Object.entries(summary).filter(([, value]) => value !== null);
  byId("summary").replaceChildren(...shown.map(([name, value]) => {
    const pair = element("div");
    pair.append(element("dt", "", titleOf(name)), element("dd", "", textOf(value)));
    return pair;
  }));
}

function drawTable(features, properties) {
  const names = Object.keys(features[0]?.properties ?? {}).filter((name) =>
    features.some((each) => each.properties[name] !== null));
  const isNumber = (name) => ["number", "integer"].includes(properties[name]?.type);
  const head = document.createElement("tr");
  for (const name of names) {
    const unit = properties[name]?.["x-ogc-unit"];
    head.append(element("th", isNumber(name) ? "number" : "", (properties[name]?.title ?? name) + (unit && unit !== "1" ? ` (${unit})` : "")));
  }
  const rows = features.slice(0, SHOWN_ROWS).map((feature) => {
    const row = document.createElement("tr");
    for (const name of names) {
      const value = feature.properties[name];
      const kind = isNumber(name) ? "number" : "";
      row.append(element("td", kind, kind ? textOf(value) : labelOf(properties[name], value)));
    }
    row.addEventListener("click", () => zoomTo([feature], 13));
    return row;
  });
  byId("table").replaceChildren(head, ...rows);
  if (!features.length) byId("table").replaceChildren(element("caption", "", word("nothing")));
}

function labelOf(property, value) {
  const known = property?.oneOf?.find((each) => each.const === value);
  return known?.title ?? textOf(value);
}

async function drawMap(made, document_) {
  const { map } = state;
  for (const layer of map.getStyle().layers) if (layer.id.startsWith("result_")) map.removeLayer(layer.id);
  for (const id of Object.keys(map.getStyle().sources)) if (id.startsWith("result_")) map.removeSource(id);
  if (!document_.extent?.spatial) return;
  const style = await get(`/styles/${made.collection}.json`);
  for (const [id, source] of Object.entries(style.sources)) map.addSource(id, source);
  for (const layer of style.layers) map.addLayer({ ...layer, id: `result_${layer.id}` });
  const [west, south, east, north] = document_.extent.spatial.bbox[0];
  map.fitBounds([[west, south], [east, north]], { padding: 40, maxZoom: 13, animate: false });
}

function zoomTo(features, maxZoom) {
  const box = [180, 90, -180, -90];
  const walk = (part) => {
    if (typeof part[0] !== "number") { part.forEach(walk); return; }
    box[0] = Math.min(box[0], part[0]); box[1] = Math.min(box[1], part[1]);
    box[2] = Math.max(box[2], part[0]); box[3] = Math.max(box[3], part[1]);
  };
  features.forEach((each) => each.geometry && walk(each.geometry.coordinates));
  if (box[0] <= box[2]) state.map.fitBounds([[box[0], box[1]], [box[2], box[3]]], { padding: 60, maxZoom });
}

// --- questions to begin with ------------------------------------------------------------------

function drawQuestions() {
  byId("questions").replaceChildren(...questions().map(({ n, vi, en, process, inputs, href }) => {
    const item = document.createElement("li");
    const button = element("button", href ? "opens" : "");
    button.append(element("b", "", `${n}. `), currentLanguage() === "vi" ? vi : en);
    button.type = "button";
    button.addEventListener("click", async () => {
      if (href) { window.open(href, "_blank", "noopener"); return; }
      forget();
      await choose(process, inputs);
      await run();
    });
    item.append(button);
    return item;
  }));
}

start().catch(complain);
