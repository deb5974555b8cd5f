// The questions that planners ask most, by their numbers: each fills a form and runs it, or opens a
// request.

const dayBefore = (days) => new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10);
const last = (days) => `${dayBefore(days)}/${dayBefore(0)}`;
const summary = (query) => `/summary/citizen_reports?${query}&f=html`;
const items = (layer, query = "") => `/ogc/collections/${layer}/items?f=html${query && "&"}${query}`;
const filtered = (layer, filter) => items(layer, `filter=${encodeURIComponent(filter)}`);
const POINT = { type: "Point", coordinates: [103.97, 22.34] };

// An area that somebody may draw, about the city of Lào Cai.
const DRAWN = {
  type: "Polygon",
  coordinates: [[[103.9, 22.4], [104.05, 22.4], [104.05, 22.52], [103.9, 22.52], [103.9, 22.4]]],
};

export const questions = () => [
  { n: 1, vi: "Phản ánh trong 30 ngày qua theo xã", en: "Reports of the last 30 days by commune",
    process: "summarise", inputs: { records: { layer: "citizen_reports", datetime: last(30) } } },
  { n: 2, vi: "Cũng thế, theo huyện cũ", en: "The same by old district",
    href: summary(`by=old_district&datetime=${last(30)}`) },
  { n: 3, vi: "Phản ánh trên 1.000 dân, theo xã", en: "Reports per 1,000 inhabitants by commune",
    href: summary("by=commune&statistics=count,per_1000") },
  { n: 4, vi: "Cũng thế, huyện cũ bên cạnh xã mới", en: "The same, old districts beside new communes",
    href: summary("by=old_district,commune&statistics=count,per_1000") },
  { n: 5, vi: "Mười xã có nhiều phản ánh chưa xử lý nhất", en: "Ten communes with most reports not dealt with",
    href: summary(`by=commune&filter=${encodeURIComponent("status <> 'closed'")}&sortby=-count&limit=10`) },
  { n: 6, vi: "Thời gian tiếp nhận trung bình và trung vị, theo lĩnh vực", en: "Mean and median hours until received, by category",
    href: summary("by=category&measure=valid_at/received_at&statistics=values,mean,median") },
  { n: 7, vi: "Có gì trong vùng tôi vẽ", en: "What lies in an area that I draw",
    process: "select", inputs: { layer: "citizen_reports", relation: "within", area: DRAWN } },
  { n: 8, vi: "Có gì trong vòng 2 km quanh một điểm", en: "What lies within 2 km of a point",
    process: "select", inputs: { layer: "citizen_reports", relation: "near", distance_m: 2000, area: POINT } },
  { n: 9, vi: "Trường học cách một vụ sạt lở không quá 5 km", en: "Schools within 5 km of a recorded landslide",
    process: "select",
    inputs: { layer: { layer: "places", filter: "kind = 'school'" }, relation: "near", of: "landslides", distance_m: 5000 } },
  { n: 10, vi: "Số dân cách một cảnh báo đang mở không quá 2 km", en: "People within 2 km of an open alert",
    process: "people", inputs: { layer: { layer: "alerts", filter: "status = 'open'" }, distance_m: 2000 } },
  { n: 11, vi: "Số dân trong vùng cảnh báo", en: "People inside an alert's area",
    process: "people", inputs: { layer: "alerts" } },
  { n: 12, vi: "Nơi dốc trên 25°, mưa trên 100 mm trong 24 giờ, có nhà hoặc đường", en: "Where slope > 25°, rain > 100 mm in 24 h and there are houses or roads",
    process: "suitability",
    inputs: {
      criteria: [
        { layer: "inhabitants_grid", measure: "raster", worst: 0, best: 10 },
        { layer: "roads", measure: "distance", worst: 500, best: 0 },
      ],
      constraints: [
        { layer: "elevation", measure: "slope", must: "above", value: 25 },
        { layer: "rain_daily", must: "above", value: 100 },
      ],
      least_score: 0.01,
    } },
  { n: 13, vi: "Trạm y tế gần nhất của mỗi xã, và cách bao xa", en: "The nearest health post of each commune, and how far",
    process: "select",
    inputs: { layer: "communes", relation: "nearest", of: { layer: "places", filter: "kind = 'health_post'" } } },
  { n: 14, vi: "30 ngày qua so với 30 ngày trước: có hơn ngẫu nhiên?", en: "The last 30 days against the 30 before: more than chance?",
    process: "change",
    inputs: { records: "citizen_reports", before: `${dayBefore(61)}/${dayBefore(31)}`, after: last(30) } },
  { n: 15, vi: "Diễn biến theo tháng, theo xã và lĩnh vực", en: "Monthly trend by commune and category",
    href: summary("by=month,commune,category") },
  { n: 16, vi: "Nơi nào bất thường hiện nay, và qua các tuần", en: "Where it is unusual now, and over weeks",
    process: "hotspots", inputs: { layer: "citizen_reports", method: "gi_star" } },
  { n: 17, vi: "Ô lục giác có hơn 50 phản ánh", en: "Hexes with more than 50 reports",
    href: summary("by=hex&resolution=8&having=count>50") },
  { n: 18, vi: "Phản ánh nhắc đến «mất điện», gõ không dấu", en: "Reports whose text names “mất điện”, without accents",
    href: filtered("citizen_reports", "ACCENTI(CASEI(description)) LIKE ACCENTI(CASEI('%mat dien%'))") },
  { n: 19, vi: "Theo giờ và thứ trong tuần", en: "By hour and weekday", href: summary("by=weekday,hour") },
  { n: 20, vi: "Dọc đường QL4D, trong vòng 200 m", en: "Along road QL4D, within 200 m",
    process: "select",
    inputs: { layer: "citizen_reports", relation: "near", distance_m: 200, of: { layer: "roads", filter: "name = 'QL4D'" } } },
  { n: 21, vi: "Xã không có phản ánh nào trong 30 ngày", en: "Communes without a report in 30 days",
    href: summary(`by=commune&datetime=${last(30)}&empty=only`) },
  { n: 22, vi: "Xã của một điểm, hôm nay và trước khi sắp xếp", en: "The commune of a point, today and before the reform",
    href: "/places?lon=103.97&lat=22.34&day=2024-09-10" },
  { n: 23, vi: "Một xã, phường cũ nay ra sao, với tỷ lệ", en: "What became of an old ward, with shares",
    href: items("admin_changes", "old_level=commune&old_code=02635") },
  { n: 24, vi: "Mật độ theo xã", en: "Density by commune",
    process: "summarise", inputs: { records: "citizen_reports", per_km2: true } },
  { n: 25, vi: "Dữ liệu của mọi ngành ở một nơi", en: "All departments' data at one place", href: "/ogc/collections?f=html" },
  { n: 26, vi: "Số liệu phường cũ chuyển sang phường mới", en: "Figures of old wards as figures of communes",
    process: "crosswalk", inputs: { values: { "02635": 120, "02644": 80, "02668": 60 } } },
  { n: 27, vi: "Đặt 3 điểm trực để gần nhiều phản ánh nhất", en: "Where 3 posts are near most reports",
    process: "locate",
    inputs: { demand: "citizen_reports", k: 3, distance_m: 5000, sites: { layer: "citizen_reports", filter: "category = 'disaster'" } } },
  { n: 28, vi: "Ô cần xem trước: nhiều phản ánh, gần cảnh báo", en: "Hexes to look at first: many reports, near an alert",
    process: "suitability",
    inputs: { criteria: [
      { layer: "citizen_reports", measure: "count", worst: 0, best: 5, weight: 2 },
      { layer: "alerts", measure: "distance", worst: 20000, best: 0, weight: 1 },
    ] } },
  { n: 29, vi: "Tới được trong 1, 3 và 5 km", en: "What is within 1, 3 and 5 km",
    process: "reach", inputs: { place: POINT.coordinates, limits: [1000, 3000, 5000] } },
  { n: 30, vi: "Rủi ro sạt lở, lũ quét theo mưa, gặp dân, đường, phản ánh", en: "Risk of landslides by rain where it meets people, roads, reports",
    process: "risk", inputs: { records: "citizen_reports", roads: "roads" } },
  { n: 31, vi: "Mưa 72 giờ theo xã, vượt 100, 200, 300 mm", en: "Rain of 72 hours by commune, above 100, 200, 300 mm",
    process: "rain", inputs: { hours: 72, thresholds: [100, 200, 300] } },
  { n: 32, vi: "Độ dốc và đường nước tới sông theo xã", en: "Slope, and the way of water to a river, by commune",
    process: "terrain", inputs: { measures: ["slope", "relief", "river"] } },
  { n: 33, vi: "Cụm phản ánh mới trong 7 ngày qua mà ngẫu nhiên khó giải thích", en: "New clusters of reports in the last 7 days that chance hardly explains",
    process: "scan", inputs: { records: "citizen_reports", max_days: 7 } },
];
