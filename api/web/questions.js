// The questions that planners ask most: each fills a form and runs it, or opens a request.

const day = (ago) => new Date(Date.now() - ago * 86_400_000).toISOString().slice(0, 10);
const since = (days) => `${day(days)}/${day(0)}`;
const reports = (datetime) => ({ layer: "citizen_reports", datetime });
const items = (query) => `/ogc/collections/citizen_reports/items?f=html&${query}`;
const REFORM_CENTRE = [103.97, 22.34];

// An area that somebody may draw, about the city of Lào Cai.
const DRAWN = {
  type: "Polygon",
  coordinates: [[[103.9, 22.4], [104.05, 22.4], [104.05, 22.52], [103.9, 22.52], [103.9, 22.4]]],
};

export const questions = () => [
  { vi: "Phản ánh trong 30 ngày qua theo xã, phường", en: "Reports of the last 30 days by commune",
    process: "summarise", inputs: { records: reports(since(30)) } },
  { vi: "Phản ánh theo huyện cũ", en: "Reports by old district", href: "/counts/citizen_reports?by=district" },
  { vi: "Mật độ phản ánh trên km² theo xã, phường", en: "Density of reports by commune",
    process: "summarise", inputs: { records: "citizen_reports", per_km2: true } },
  { vi: "Những gì nằm trong một vùng tôi vẽ", en: "What lies in an area that I draw",
    process: "select", inputs: { layer: "citizen_reports", relation: "within", area: DRAWN } },
  { vi: "Những gì cách một điểm không quá 2 km", en: "What lies within 2 km of a point",
    process: "select",
    inputs: { layer: "citizen_reports", relation: "near", distance_m: 2000, area: { type: "Point", coordinates: REFORM_CENTRE } } },
  { vi: "Địa điểm cách một vụ sạt lở không quá 5 km", en: "Places within 5 km of a recorded landslide",
    process: "select", inputs: { layer: "places", relation: "near", of: "landslides", distance_m: 5000 } },
  { vi: "Phản ánh cách vụ sạt lở không quá 5 km", en: "Reports within 5 km of a landslide",
    process: "select", inputs: { layer: "citizen_reports", relation: "near", of: "landslides", distance_m: 5000 } },
  { vi: "Phản ánh trong vùng của cảnh báo", en: "Reports inside an alert's area",
    process: "select", inputs: { layer: "citizen_reports", relation: "intersects", of: "alerts" } },
  { vi: "Nhà máy điện gần nhất của mỗi xã, và cách bao xa", en: "The nearest power plant of each commune, and how far",
    process: "select", inputs: { layer: "communes", relation: "nearest", of: "power_plants" } },
  { vi: "30 ngày qua so với 30 ngày trước, có hơn ngẫu nhiên không", en: "The last 30 days against the 30 before: more than chance?",
    process: "change", inputs: { records: "citizen_reports", before: `${day(61)}/${day(31)}`, after: `${day(30)}/${day(0)}` } },
  { vi: "Nơi đang bất thường", en: "Where it is unusual now", process: "hotspots", inputs: { layer: "citizen_reports", method: "gi_star" } },
  { vi: "Nơi bất thường kéo dài nhiều tuần", en: "Where it is unusual over weeks",
    process: "hotspots", inputs: { layer: "citizen_reports", method: "emerging" } },
  { vi: "Phản ánh nói về «mất điện», gõ không dấu", en: "Reports that name “mất điện”, typed without accents",
    href: items(`filter=${encodeURIComponent("ACCENTI(CASEI(description)) LIKE ACCENTI(CASEI('%mat dien%'))")}`) },
  { vi: "Dọc quốc lộ 4D, trong vòng 200 m", en: "Along road QL4D, within 200 m",
    process: "select",
    inputs: { layer: "citizen_reports", relation: "near", distance_m: 200, of: { layer: "roads", filter: "name LIKE '%4D%' OR aliases LIKE '%4D%'" } } },
  { vi: "Số liệu phường cũ chuyển sang phường mới", en: "Figures of old wards as figures of communes",
    process: "crosswalk", inputs: { values: { "02635": 120, "02644": 80, "02668": 60 } } },
  { vi: "Đặt 3 điểm trực để gần nhiều phản ánh nhất", en: "Where 3 posts are near most reports",
    process: "locate", inputs: { demand: "citizen_reports", k: 3, distance_m: 5000,
      sites: { layer: "citizen_reports", filter: "category = 'disaster'" } } },
  { vi: "Ô cần xem trước: nhiều phản ánh, gần cảnh báo", en: "Hexes to look at first: many reports, near an alert",
    process: "suitability",
    inputs: { criteria: [
      { layer: "citizen_reports", measure: "count", worst: 0, best: 5, weight: 2 },
      { layer: "alerts", measure: "distance", worst: 20000, best: 0, weight: 1 },
    ] } },
  { vi: "Tới được trong 1, 3 và 5 km", en: "What is within 1, 3 and 5 km",
    process: "reach", inputs: { place: REFORM_CENTRE, limits: [1000, 3000, 5000] } },
];
