"""What delivery says of itself, in Vietnamese and English."""

from gis.delivery.told import Language

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
