// What the page says, Vietnamese first.

const WORDS = {
  vi: {
    title: "Bản đồ điều hành",
    subtitle: "Trung tâm điều hành thông minh",
    layers: "Lớp dữ liệu",
    alerts: "Cảnh báo",
    simulated: "Có dữ liệu mô phỏng",
    approximate: "Ranh giới gần đúng",
    no_alerts: "Không có cảnh báo đang mở.",
    status_open: "mới",
    status_acknowledged: "đã tiếp nhận",
    status_resolved: "đã kết thúc",
    status_suppressed: "tạm ngưng báo",
    public: "đã công bố",
    silenced_by: "Tạm ngưng theo yêu cầu của",
    within_alert: "Nằm trong cảnh báo",
    duty_begin: "Vào ca",
    duty_end: "Rời ca",
    severity_watch: "Theo dõi",
    severity_alert: "Cảnh báo",
    severity_urgent: "Khẩn cấp",
    acknowledge: "Tiếp nhận",
    resolve: "Kết thúc",
    resolve_title: "Kết thúc cảnh báo",
    outcome: "Cảnh báo này",
    outcome_true: "đúng",
    outcome_false: "sai",
    outcome_unknown: "chưa rõ",
    note: "Ghi chú (bắt buộc khi sai)",
    comment: "Ghi chú",
    comment_title: "Thêm ghi chú",
    comment_label: "Ghi chú, lưu trong nhật ký của cảnh báo",
    silence: "Tạm ngưng báo",
    silence_title: "Tạm ngưng báo",
    silence_text: "Không ai được báo về các cảnh báo cùng loại, chỉ tại:",
    hours: "Trong",
    hours_1: "1 giờ",
    hours_8: "8 giờ",
    hours_24: "24 giờ",
    why: "Lý do",
    approve: "Công bố",
    approve_title: "Công bố cho người dân",
    approve_text: "Ai cũng đọc được nội dung này và thấy vùng trên bản đồ. Đã công bố thì không rút lại được.",
    public_exercise: "Ghi rõ là diễn tập: dữ liệu mô phỏng.",
    confirmed: "Đã có người tận mắt xác nhận là đúng",
    approve_note: "Ghi chú nội bộ, người dân không thấy",
    whole_province: "Toàn tỉnh",
    key_title: "Cần khóa của người trực",
    key_text: "Khóa chỉ giữ trong cửa sổ này. Quản trị viên tạo khóa bằng lệnh gis keys create.",
    key_label: "Khóa API",
    cancel: "Bỏ qua",
    ok: "Đồng ý",
    hexes: "Số lượng theo ô lục giác",
    count: "Số lượng",
    per_km2: "Mật độ",
    per_1000: "Trên 1.000 dân",
    share: "Tỷ lệ",
    mean: "Trung bình",
    expected: "bình thường",
    offline: "Mất kết nối với máy chủ; đang thử lại…",
    no_service: "Ngoại tuyến",
    as_of: "Dữ liệu lúc",
    map: "Bản đồ",
    simulated_alert: "mô phỏng",
    unofficial: "ranh giới gần đúng",
  },
  en: {
    title: "Operations map",
    subtitle: "Intelligent Operations Centre",
    layers: "Layers",
    alerts: "Alerts",
    simulated: "Holds simulated data",
    approximate: "Approximate boundaries",
    no_alerts: "No alert is open.",
    status_open: "new",
    status_acknowledged: "acknowledged",
    status_resolved: "resolved",
    status_suppressed: "suppressed",
    public: "public",
    silenced_by: "Silenced by",
    within_alert: "Within alert",
    duty_begin: "Go on duty",
    duty_end: "Go off duty",
    severity_watch: "Watch",
    severity_alert: "Alert",
    severity_urgent: "Urgent",
    acknowledge: "Acknowledge",
    resolve: "Resolve",
    resolve_title: "Resolve the alert",
    outcome: "This alert was",
    outcome_true: "true",
    outcome_false: "false",
    outcome_unknown: "unknown",
    note: "Note (needed when false)",
    comment: "Comment",
    comment_title: "Add a comment",
    comment_label: "Comment, kept in the alert's history",
    silence: "Silence",
    silence_title: "Silence",
    silence_text: "Nobody is told of alerts of this kind, in this place alone:",
    hours: "For",
    hours_1: "1 hour",
    hours_8: "8 hours",
    hours_24: "24 hours",
    why: "Reason",
    approve: "Make public",
    approve_title: "Make the alert public",
    approve_text: "Anybody can read this and see the area on a map. Once public, it cannot be taken back.",
    public_exercise: "Marked as an exercise: simulated data.",
    confirmed: "Somebody has seen that it is true",
    approve_note: "Note for the desk, not seen by the public",
    whole_province: "The whole province",
    key_title: "An operator's key is needed",
    key_text: "The key is kept in this window alone. An administrator makes one with gis keys create.",
    key_label: "API key",
    cancel: "Cancel",
    ok: "OK",
    hexes: "Count by hexagon",
    count: "Count",
    per_km2: "Density",
    per_1000: "Per 1,000 inhabitants",
    share: "Share",
    mean: "Mean",
    expected: "normally",
    offline: "The server does not answer; trying again…",
    no_service: "Offline",
    as_of: "Data as of",
    map: "Map",
    simulated_alert: "simulated",
    unofficial: "approximate boundaries",
  },
};

let language = localStorage.getItem("language") === "en" ? "en" : "vi";

export const currentLanguage = () => language;
export const word = (name) => WORDS[language][name] ?? name;
export const inLanguage = (words) => words[language];

export function setLanguage(next) {
  language = next;
  localStorage.setItem("language", next);
  applyWords();
}

export function applyWords() {
  document.documentElement.lang = language;
  document.title = word("title");
  for (const element of document.querySelectorAll("[data-words]")) {
    element.textContent = word(element.dataset.words);
  }
  const other = language === "vi" ? "en" : "vi";
  const button = document.getElementById("language");
  button.textContent = other.toUpperCase();
  button.lang = other;
  button.setAttribute("aria-label", other === "en" ? "Switch to English" : "Chuyển sang tiếng Việt");
}

export function ago(instant) {
  const seconds = (new Date(instant) - Date.now()) / 1000;
  const steps = [["day", 86400], ["hour", 3600], ["minute", 60]];
  const [unit, size] = steps.find(([, size]) => Math.abs(seconds) >= size) ?? ["second", 1];
  const format = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  return format.format(Math.round(seconds / size), unit);
}
