"""Words of notifications, in Vietnamese and English."""

from gis.notify.notification import Language

CENTRE = {
    Language.VI: "Trung tâm điều hành thông minh",
    Language.EN: "Intelligent Operations Centre",
}
WHOLE_PROVINCE = {Language.VI: "Toàn tỉnh", Language.EN: "The whole province"}

# Notes of a CAP document, which has one text for all languages.
NOTES = {
    "restricted": (
        "Chỉ dùng trong nội bộ: chưa có người phê duyệt công bố. "
        "For internal use: nobody has approved it for the public yet."
    ),
    "simulated": ("Dữ liệu mô phỏng, không phải sự việc thật. Simulated data, not a real event."),
    "unofficial": (
        "Dựa trên ranh giới gần đúng, không chính thức. "
        "Raised on approximate boundaries; not official."
    ),
    "false": "Báo động giả. A false alarm.",
}

# Before a title, which is all that some people read.
SIMULATED = {Language.VI: "[MÔ PHỎNG] ", Language.EN: "[SIMULATED] "}

DIGEST = {Language.VI: "{n} tin về cảnh báo", Language.EN: "{n} notifications of alerts"}

SEVERITIES = {
    "watch": {Language.VI: "Theo dõi", Language.EN: "Watch"},
    "alert": {Language.VI: "Cảnh báo", Language.EN: "Alert"},
    "urgent": {Language.VI: "Khẩn cấp", Language.EN: "Urgent"},
}

# By the acts of gis.alerts.states.
ACTS = {
    "open": {Language.VI: "Cảnh báo mới", Language.EN: "New alert"},
    "acknowledged": {Language.VI: "Đã tiếp nhận", Language.EN: "Acknowledged"},
    "update": {Language.VI: "Cập nhật", Language.EN: "Updated"},
    "notify": {Language.VI: "Diễn biến mới", Language.EN: "New development"},
    "corrected": {Language.VI: "Đính chính", Language.EN: "Correction"},
    "escalate": {Language.VI: "Chưa ai tiếp nhận", Language.EN: "Nobody has acknowledged"},
    "approved": {Language.VI: "Đã phê duyệt công bố", Language.EN: "Approved for the public"},
    "renewed": {Language.VI: "Vẫn tiếp diễn", Language.EN: "It goes on"},
    "resolved": {Language.VI: "Đã kết thúc", Language.EN: "Resolved"},
    "expired": {Language.VI: "Đã hết hiệu lực", Language.EN: "Over"},
    "false": {Language.VI: "Báo động giả", Language.EN: "False alarm"},
}

FEED = {Language.VI: "Cảnh báo", Language.EN: "Alerts"}
CAP_TYPES = {
    "Alert": {Language.VI: "Cảnh báo", Language.EN: "Alert"},
    "Update": {Language.VI: "Cập nhật", Language.EN: "Update"},
    "Cancel": {Language.VI: "Kết thúc", Language.EN: "Ended"},
}
