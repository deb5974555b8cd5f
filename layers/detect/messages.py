"""Sentences made from the numbers of a run, in Vietnamese and English."""

from collections.abc import Mapping, Sequence

from gis.text import number_en, number_vi
from layers.definition.model import Layer, LocalizedText
from layers.detect.methods.series import PROVINCE, SeriesResult
from layers.detect.methods.stp_scan import LONGEST_DAYS, ScanCluster

_YEAR = 365.25
_OFTEN = 2.0  # days: what is met more often somewhere in the province is not worth a word

# As in layers/emerging.yaml.
_CLASSES = {
    "new": ("mới ở bước cuối", "new in the last step"),
    "consecutive": ("liên tiếp đến nay", "consecutive up to now"),
    "intensifying": ("tăng dần", "intensifying"),
    "persistent": ("kéo dài", "persistent"),
    "diminishing": ("giảm dần", "diminishing"),
    "sporadic": ("lúc có lúc không", "on and off"),
    "oscillating": ("nóng lạnh xen kẽ", "now hot, now cold"),
    "historical": ("trước đây, nay không còn", "formerly, no longer now"),
}


# As in layers/local_moran.yaml.
_SURROUNDED = {
    "high_high": ("Nhiều giữa nơi nhiều", "Many among many"),
    "low_low": ("Ít giữa nơi ít", "Few among few"),
    "high_low": ("Nhiều giữa nơi ít", "Many among few"),
    "low_high": ("Ít giữa nơi nhiều", "Few among many"),
}


def cluster_headline(layer: Layer, one: ScanCluster) -> tuple[str, str]:
    """What an officer reads first: how many, in how long, and how many are usual."""
    subject = subject_of(layer, one.stream)
    vi, en = _how_many(one)
    return f"{subject.vi}: {vi}", f"{subject.en}: {en}"


def cluster_message(one: ScanCluster, names: Mapping[str, str]) -> tuple[str, str]:
    """How many, where, and how rarely chance does so; `names` of communes by code."""
    vi, en = _how_many(one)
    where_vi, where_en = _where(one, [names.get(code, code) for code in one.communes])
    rare_vi, rare_en = _how_rarely(one.recurrence_days)
    return (
        f"{vi}; {where_vi}. Nếu chỉ là ngẫu nhiên, cụm như vậy gặp khoảng một lần trong {rare_vi}.",
        f"{en}; {where_en}. By chance alone, such a cluster is met about once in {rare_en}.",
    )


def series_headline(layer: Layer, one: SeriesResult, names: Mapping[str, str]) -> tuple[str, str]:
    """What an officer reads first: what, where, how many, and how many are usual."""
    subject = subject_of(layer, one.stream)
    (vi, en), (where_vi, where_en) = _how_many(one), _whose(one, names)
    return f"{subject.vi}, {where_vi}: {vi}", f"{subject.en}, {where_en}: {en}"


def series_message(one: SeriesResult, bound: int, names: Mapping[str, str]) -> tuple[str, str]:
    """How many, where, from how many on it is an alert, and how rarely chance does so."""
    (vi, en), (where_vi, where_en) = _how_many(one), _whose(one, names)
    vi, en = (
        f"{vi}; {where_vi}. Cảnh báo từ {number_vi(bound)}.",
        f"{en}; {where_en}. Alert from {number_en(bound)}.",
    )
    if one.apart is not None:
        apart = names.get(one.apart, one.apart)
        rest = one.observed - one.elsewhere
        vi = (
            f"{vi} Trong đó {number_vi(one.elsewhere)} báo cáo là phần tăng ở {apart}, được báo "
            f"riêng; ở đây chỉ xét {number_vi(rest)} báo cáo còn lại."
        )
        en = (
            f"{en} Of these, {number_en(one.elsewhere)} are the rise in {apart}, which is told of "
            f"by itself; what is judged here is the other {number_en(rest)}."
        )
    if one.recurrence_days < _OFTEN:
        return f"{vi} Mức này là bình thường.", f"{en} That is usual."
    rare_vi, rare_en = _how_rarely(one.recurrence_days)
    return (
        f"{vi} Nếu chỉ là ngẫu nhiên, ở một nơi bất kỳ của tỉnh gặp mức như vậy khoảng một lần "
        f"trong {rare_vi}.",
        f"{en} By chance alone, the like is met anywhere in the province about once in {rare_en}.",
    )


def map_message(count: int, expected: float, days: int, q: float) -> tuple[str, str]:
    """Of a hot hex and its neighbours."""
    return (
        f"{number_vi(count)} báo cáo ở ô này và quanh nó trong {days} ngày, nếu rải đều "
        f"{number_vi(expected, 1)}; tỷ lệ phát hiện sai q {_comma(_share(q))}",
        f"{_reports(count)} in this hex and around it in {_days(days)}, if spread "
        f"evenly {number_en(expected, 1)}; false discovery rate q {_share(q)}",
    )


def local_moran_message(
    category: str, here: tuple[int, float], around: tuple[int, float], days: int, q: float
) -> tuple[str, str]:
    """Of a hex and those around it: how many records each has, and how many are expected."""
    vi_category, en_category = _SURROUNDED[category]
    return (
        f"{vi_category}: {number_vi(here[0])} báo cáo ở ô này trong {days} ngày, nếu rải đều "
        f"{number_vi(here[1], 1)}; quanh nó {number_vi(around[0])}, nếu rải đều "
        f"{number_vi(around[1], 1)}; tỷ lệ phát hiện sai q {_comma(_share(q))}",
        f"{en_category}: {_reports(here[0])} in this hex in {_days(days)}, if spread evenly "
        f"{number_en(here[1], 1)}; around it {number_en(around[0])}, if spread evenly "
        f"{number_en(around[1], 1)}; false discovery rate q {_share(q)}",
    )


def emerging_message(
    category: str, told: int, steps: int, step_days: int, trend: int, p: float
) -> tuple[str, str]:
    """Of a hex's history: `told` of its `steps` were hot (or cold)."""
    kind, _, name = category.partition("_")
    vi_class, en_class = _CLASSES[name]
    vi_kind = "Nóng" if kind == "hot" else "Lạnh"
    vi_step, en_step = ("tuần", "weeks") if step_days == 7 else (f"kỳ {step_days} ngày", "steps")
    vi_trend, en_trend = {1: ("tăng", "up"), 0: ("không rõ", "none"), -1: ("giảm", "down")}[trend]
    return (
        f"{vi_kind} {vi_class}: {told}/{steps} {vi_step}; xu thế {vi_trend} "
        f"(p {_comma(_share(p))})",
        f"{kind.capitalize()}, {en_class}: {told} of {steps} {en_step}; trend {en_trend} "
        f"(p {_share(p)})",
    )


def subject_of(layer: Layer, stream: str) -> LocalizedText:
    """The name of a stream: that of its category, or else of its layer."""
    category = layer.hotspots.category if layer.hotspots else None
    field = layer.fields.get(category) if category else None
    label = (field.values or {}).get(stream) if field else None
    if label is not None:
        return label
    vi, en = layer.title.vi, layer.title.en
    return LocalizedText(vi=f"{vi}, {stream}", en=f"{en}, {stream}") if stream else layer.title


def _whose(one: SeriesResult, names: Mapping[str, str]) -> tuple[str, str]:
    if one.commune == PROVINCE:
        return "toàn tỉnh", "the whole province"
    name = names.get(one.commune, one.commune)
    return name, name


def _how_many(one: ScanCluster | SeriesResult) -> tuple[str, str]:
    usual = max(one.expected, 0.01) if one.expected > 0 else 0.0
    digits = 1 if usual >= 0.1 else 2 if usual > 0 else 0
    return (
        f"{number_vi(one.observed)} báo cáo trong {one.days} ngày, bình thường "
        f"{number_vi(usual, digits)}",
        f"{_reports(one.observed)} in {_days(one.days)}, normally {number_en(usual, digits)}",
    )


def _where(one: ScanCluster, names: Sequence[str]) -> tuple[str, str]:
    km = one.radius_m / 1000
    vi = "trong một ô" if km == 0 else f"trong bán kính {number_vi(km, 1)} km"
    en = "in one hex" if km == 0 else f"within {number_en(km, 1)} km"
    told = ", ".join(names)
    return (f"{vi}, {told}", f"{en}, {told}") if told else (vi, en)


def _how_rarely(days: float) -> tuple[str, str]:
    if days >= 0.999 * LONGEST_DAYS:
        return "hơn 100 năm", "more than 100 years"
    if days >= 2 * _YEAR:
        years = days / _YEAR
        return f"{number_vi(years, 0)} năm", f"{years:.0f} years"
    return f"{days:.0f} ngày", f"{days:.0f} days"


def _reports(count: int) -> str:
    return f"{number_en(count)} report{'s' if count != 1 else ''}"


def _days(days: int) -> str:
    return f"{days} day{'s' if days != 1 else ''}"


def _share(value: float) -> str:
    return "< 0.001" if value < 0.0005 else f"= {value:.3f}"


def _comma(number: str) -> str:
    """The decimal sign of Vietnam."""
    return number.replace(".", ",")
