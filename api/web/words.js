// What the page says, Vietnamese first.

const WORDS = {
  vi: {
    title: "Bản đồ điều hành",
    chart_hours: "giờ qua",
    chart_total: "tổng",
    chart_least: "thấp nhất",
    chart_most: "cao nhất",
    chart_newest: "mới nhất",
    subtitle: "Trung tâm điều hành thông minh",
    layers: "Lớp dữ liệu",
    alerts: "Cảnh báo",
    simulated: "Có dữ liệu mô phỏng",
    source_new: "Chưa đọc",
    source_fresh: "Cập nhật",
    source_late: "Trễ hẹn",
    source_failing: "Lỗi nguồn",
    source_asking: "Chờ quyết định",
    source_paused: "Tạm dừng",
    source_never: "chưa lần nào",
    approximate: "Ranh giới gần đúng",
    no_alerts: "Không có cảnh báo.",
    no_public_alerts: "Không có cảnh báo đã công bố. Người trực vào ca để thấy tất cả.",
    alerts_within: "Cảnh báo bên trong",
    ended: "Đã kết thúc",
    every_tier: "Mọi mức độ",
    every_end: "Mọi kết thúc",
    counted_of: "Đếm {counted} trong {records} bản ghi: bản ghi lặp lại (cùng nơi, cùng ngày hoặc cùng người báo) chỉ đếm một lần.",
    communes_first: "Các xã, theo thứ tự (báo cáo / bình thường)",
    by_hour: "Từng giờ",
    bell: "Chuông",
    bell_is_on: "Chuông: bật",
    bell_is_off: "Chuông: tắt",
    more_communes: "và {n} xã khác",
    bell_on: "Chuông đang bật: cảnh báo mới sẽ kêu",
    bell_off: "Chuông đang tắt",
    withdraw: "Rút lại",
    withdraw_title: "Rút lại công bố",
    withdraw_text: "Người dân không còn thấy cảnh báo này, và nhận bản tin hủy. Ai đã đọc thì đã đọc.",
    act_withdrawn: "rút lại công bố",
    status_expired: "đã hết hiệu lực",
    status_false: "báo động giả",
    how_often_true: "Cảnh báo có đúng không?",
    not_live: "Không thấy (không có hoặc cần khóa): cảnh báo",
    status_open: "mới",
    status_acknowledged: "đã tiếp nhận",
    taken_by: "Đang xử lý:",
    status_resolved: "đã kết thúc",
    status_suppressed: "tạm ngưng báo",
    century: "hơn 100 năm",
    yes: "có",
    waiting: "Cảnh báo chưa ai tiếp nhận",
    no: "không",
    public: "đã công bố",
    silenced_by: "Tạm ngưng báo theo yêu cầu của",
    within_alert: "Nằm trong cảnh báo",
    history: "Nhật ký",
    observed: "Quan sát được",
    recurrence: "Chu kỳ lặp lại",
    since: "Dữ liệu từ",
    until: "Dữ liệu đến",
    records: "Bản ghi bên dưới",
    unplaced: "không có vị trí",
    service: "hệ thống",
    act_pending: "chờ xác nhận",
    act_open: "mở",
    act_acknowledged: "tiếp nhận",
    act_suppressed: "tạm ngưng báo",
    act_resolved: "kết thúc",
    act_expired: "đã hết hiệu lực",
    act_false: "báo động giả",
    act_update: "cập nhật",
    act_corrected: "đính chính",
    act_notify: "báo thêm",
    act_escalate: "nhắc lại vì chưa ai tiếp nhận",
    act_comment: "ghi chú",
    act_approved: "công bố",
    act_renewed: "gia hạn tin công bố",
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
    outcome_false: "báo động giả",
    outcome_unknown: "không rõ",
    note: "Ghi chú (bắt buộc khi là báo động giả)",
    refused: "Không thực hiện được; mã lỗi",
    refused_0: "Máy chủ không trả lời; hãy thử lại.",
    refused_400: "Nội dung chưa hợp lệ; hãy sửa rồi gửi lại.",
    refused_401: "Khóa không đúng hoặc đã bị thu hồi.",
    refused_403: "Khóa này không có quyền làm việc đó.",
    refused_404: "Không còn thấy cảnh báo này.",
    refused_409: "Không làm được nữa, vì cảnh báo đã đổi trạng thái:",
    refused_503: "Hệ thống tạm thời không phục vụ được; hãy thử lại sau ít phút.",
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
    approve_text: "Ai cũng đọc được nội dung này và thấy vùng trên bản đồ. Có thể rút lại, nhưng ai đã đọc thì đã đọc.",
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
    raster: "Dạng ô lưới",
    hillshade: "Bóng địa hình",
    value: "Giá trị",
    period: "Thời gian",
    source: "Nguồn",
    simulated_here: "mô phỏng",
    count: "Số lượng",
    per_km2: "Mật độ",
    length_km: "Chiều dài trong ô",
    covered_km2: "Diện tích trong ô",
    per_1000: "Trên 1.000 dân",
    share: "Tỷ lệ",
    mean: "Trung bình",
    expected: "Bình thường",
    offline: "Mất kết nối với máy chủ; đang thử lại…",
    no_service: "Ngoại tuyến",
    as_of: "Dữ liệu lúc",
    class_open: "Dữ liệu công khai tại thời điểm đó",
    class_internal: "Dữ liệu nội bộ",
    class_restricted: "Dữ liệu hạn chế",
    map: "Bản đồ",
    simulated_alert: "mô phỏng",
    unofficial: "ranh giới gần đúng",
  },
  en: {
    chart_hours: "last hours",
    chart_total: "total",
    chart_least: "least",
    chart_most: "most",
    chart_newest: "newest",
    title: "Operations map",
    subtitle: "Intelligent Operations Centre",
    layers: "Layers",
    alerts: "Alerts",
    simulated: "Holds simulated data",
    source_new: "Not read yet",
    source_fresh: "Fresh",
    source_late: "Late",
    source_failing: "Source fails",
    source_asking: "Waits for a decision",
    source_paused: "Paused",
    source_never: "never",
    approximate: "Approximate boundaries",
    no_alerts: "There is no alert.",
    no_public_alerts: "No alert is published. Officers go on duty to see all.",
    alerts_within: "Alerts within",
    ended: "Ended",
    every_tier: "Every tier",
    every_end: "However it ended",
    counted_of: "{counted} counted of {records} records: repeats (same place, same day or same reporter) count once.",
    communes_first: "Communes in order (reports / usual)",
    by_hour: "By the hour",
    bell: "Bell",
    bell_is_on: "Bell: on",
    bell_is_off: "Bell: off",
    more_communes: "and {n} more",
    bell_on: "The bell is on: new alerts are heard",
    bell_off: "The bell is off",
    withdraw: "Take back",
    withdraw_title: "Take the publication back",
    withdraw_text: "The public no longer sees this alert and is sent a cancellation. Who has read it has read it.",
    act_withdrawn: "taken back from the public",
    status_expired: "expired",
    status_false: "false alarm",
    how_often_true: "How often are alerts true?",
    not_live: "Not to be seen (there is none, or it needs a key): alert",
    status_open: "new",
    status_acknowledged: "acknowledged",
    taken_by: "Taken by",
    status_resolved: "resolved",
    status_suppressed: "suppressed",
    century: "more than 100 years",
    yes: "yes",
    waiting: "Alerts that nobody has acknowledged",
    no: "no",
    public: "public",
    silenced_by: "Silenced by",
    within_alert: "Within alert",
    history: "History",
    observed: "Observed",
    recurrence: "Recurrence interval",
    since: "Records from",
    until: "Records until",
    records: "Records (evidence)",
    unplaced: "without a point",
    service: "the service",
    act_pending: "pending",
    act_open: "opened",
    act_acknowledged: "acknowledged",
    act_suppressed: "suppressed",
    act_resolved: "resolved",
    act_expired: "expired",
    act_false: "false alarm",
    act_update: "updated",
    act_corrected: "corrected",
    act_notify: "notified again",
    act_escalate: "escalated, since nobody acknowledged it",
    act_comment: "comment",
    act_approved: "made public",
    act_renewed: "public notice renewed",
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
    outcome_false: "a false alarm",
    outcome_unknown: "unknown",
    note: "Note (needed for a false alarm)",
    refused: "It could not be done; error",
    refused_0: "The server does not answer; try again.",
    refused_400: "This is not acceptable yet; correct it and send it again.",
    refused_401: "The key is wrong or was withdrawn.",
    refused_403: "This key does not allow that.",
    refused_404: "This alert is no longer to be seen.",
    refused_409: "It cannot be done any more, since the alert has changed:",
    refused_503: "The service is not available for the moment; try again in some minutes.",
    comment: "Comment",
    comment_title: "Add a comment",
    comment_label: "Comment, kept in the alert's history",
    silence: "Silence",
    silence_title: "Silence",
    silence_text: "Nobody is notified of alerts of this kind, in this place alone:",
    hours: "For",
    hours_1: "1 hour",
    hours_8: "8 hours",
    hours_24: "24 hours",
    why: "Reason",
    approve: "Make public",
    approve_title: "Make the alert public",
    approve_text: "Anybody can read this and see the area on a map. It can be taken back, but who has read it has read it.",
    public_exercise: "Marked as an exercise: simulated data.",
    confirmed: "Somebody has seen that it is true",
    approve_note: "Note for the desk, not seen by the public",
    whole_province: "Whole province",
    key_title: "An operator's key is needed",
    key_text: "The key is kept in this window alone. An administrator makes one with gis keys create.",
    key_label: "API key",
    cancel: "Cancel",
    ok: "OK",
    hexes: "Count by hexagon",
    raster: "Raster",
    hillshade: "Shaded relief",
    value: "Value",
    period: "Period",
    source: "Source",
    simulated_here: "simulated",
    count: "Count",
    per_km2: "Density",
    length_km: "Length in the hexagon",
    covered_km2: "Area in the hexagon",
    per_1000: "Per 1,000 inhabitants",
    share: "Share",
    mean: "Mean",
    expected: "Normally",
    offline: "The server does not answer; trying again…",
    no_service: "Offline",
    as_of: "Data as of",
    class_open: "Open data at that time",
    class_internal: "Internal data",
    class_restricted: "Restricted data",
    map: "Map",
    simulated_alert: "simulated",
    unofficial: "approximate boundaries",
  },
};

let language = localStorage.getItem("language") === "en" ? "en" : "vi";

export const currentLanguage = () => language;
export const word = (name) => WORDS[language][name] ?? name;
// Why the service did not do what was asked, by the status of its answer.
export const refusal = (status) =>
  WORDS[language][`refused_${status}`] ?? `${word("refused")} ${status}`;
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

const YEAR_DAYS = 365.25;
const LEAST = 0.001;
const LOCALES = { vi: "vi-VN", en: "en-GB" };

// Statistics with three significant digits, measurements to the hundredth, whole numbers whole.
export function number(value) {
  if (value > 0 && value < LEAST) return `< ${LEAST.toLocaleString(LOCALES[language])}`;
  const digits = Math.abs(value) < 1 ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: 2 };
  return value.toLocaleString(LOCALES[language], digits);
}

// An interval in the unit that people would use; the service gives none longer than a century.
export function days(value) {
  if (value >= 99.9 * YEAR_DAYS) return word("century");
  const [unit, size] = value >= 2 * YEAR_DAYS ? ["year", YEAR_DAYS] : ["day", 1];
  const format = { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: value < 10 ? 1 : 0 };
  return (value / size).toLocaleString(LOCALES[language], format);
}

// Of the province's clock, as in the service's own texts.
export const moment = (instant) => new Date(instant).toLocaleString(
  LOCALES[language], { dateStyle: "short", timeStyle: "short", timeZone: "Asia/Ho_Chi_Minh" },
);

export const day = (date) => new Date(date).toLocaleDateString(LOCALES[language], { timeZone: "UTC" });

export function element(tag, kind, text = "") {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  made.textContent = text;
  return made;
}
