"""Sentences made from the numbers of a run, in Vietnamese and English."""

import math
from collections.abc import Mapping

import h3

from gis.text import number_en, number_vi
from layers.definition.model import Layer, LocalizedText
from layers.detect.commune_series import PROVINCE, SeriesResult
from layers.detect.scan import LONGEST_DAYS, ScanCluster, Stretch

_YEAR = 365.25
_CLEARLY_LESS = 0.6  # a core of so much of the reach is worth a word
_OFTEN = 2.0  # days: what is met more often somewhere in the province is not worth a word


def cluster_headline(layer: Layer, one: ScanCluster) -> tuple[str, str]:
    """Headline of a cluster, vi and en: records, days, and how many are usual."""
    subject = subject_of(layer, one.stream)
    vi, en = _how_many(one)
    if one.stretch is not None:
        where_vi, where_en = _on_road(one.stretch)
        return f"{subject.vi}, {where_vi}: {vi}", f"{subject.en}, {where_en}: {en}"
    if one.is_single:
        return f"{subject.vi}, tại một điểm: {vi}", f"{subject.en}, at one spot: {en}"
    return f"{subject.vi}: {vi}", f"{subject.en}: {en}"


def cluster_message(one: ScanCluster, names: Mapping[str, str]) -> tuple[str, str]:
    """Explanation of a cluster, vi and en: records, place and recurrence interval.

    `names` of communes by code.
    """
    vi, en = _how_many(one)
    where_vi, where_en = _where(one, names)
    rare_vi, rare_en = _how_rarely(one.recurrence_days)
    return (
        f"{vi}; {where_vi}. Nếu chỉ là ngẫu nhiên, cụm như vậy gặp khoảng một lần trong {rare_vi}.",
        f"{en}; {where_en}. By chance alone, such a cluster is met about once in {rare_en}.",
    )


def series_headline(layer: Layer, one: SeriesResult, names: Mapping[str, str]) -> tuple[str, str]:
    """Headline of a series, vi and en: stream, place, records, and how many are usual."""
    subject = subject_of(layer, one.stream)
    (vi, en), (where_vi, where_en) = _how_many(one), _whose(one, names)
    return f"{subject.vi}, {where_vi}: {vi}", f"{subject.en}, {where_en}: {en}"


def series_message(one: SeriesResult, bound: int, names: Mapping[str, str]) -> tuple[str, str]:
    """Explanation of a series, vi and en: records, place, bound and recurrence interval."""
    (vi, en), (where_vi, where_en) = _how_many(one), _whose(one, names)
    vi, en = (
        f"{vi}; {where_vi}. Cảnh báo từ {number_vi(bound)}.",
        f"{en}; {where_en}. Alert from {number_en(bound)}.",
    )
    if one.until_hour < 24:
        vi = f"{vi} Tính đến {one.until_hour} giờ, so với cùng giờ những ngày khác."
        en = f"{en} Up to {one.until_hour}:00, compared with the same hours of other days."
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
        f"{reports_en(one.observed)} in {days_en(one.days)}, normally {number_en(usual, digits)}",
    )


def _where(one: ScanCluster, names: Mapping[str, str]) -> tuple[str, str]:
    if one.stretch is not None:
        vi, en = _on_road(one.stretch)
    elif one.is_single:
        wide = _hex_width_m(one.centre)
        vi, en = f"trong một ô rộng {wide} m", f"in one hex of {wide} m"
    else:
        vi, en = _within(one.radius_m)
    if one.core is not None and one.core.radius_m <= _CLEARLY_LESS * one.radius_m:
        near_vi, near_en = _within(one.core.radius_m)
        of_vi, of_en = number_vi(one.core.cases), number_en(one.core.cases)
        vi = f"{vi}, trong đó {of_vi} {near_vi}"
        en = f"{en}, {of_en} of them {near_en}"
    places = ", ".join(_shares(one, names))
    return (f"{vi}, {places}", f"{en}, {places}") if places else (vi, en)


def _hex_width_m(cell: int) -> int:
    """From side to side, to ten metres."""
    edge: float = h3.average_hexagon_edge_length(h3.get_resolution(h3.int_to_str(cell)), "m")
    return 10 * round(math.sqrt(3) * edge / 10)


def _on_road(stretch: Stretch) -> tuple[str, str]:
    """`QL4D Km 98–101`; where nobody knows the kilometres, how long the stretch is."""
    if not stretch.is_known:
        km = max(stretch.to_m - stretch.from_m, 100.0) / 1000
        return (
            f"{stretch.road}, một đoạn {number_vi(km, 1)} km",
            f"{stretch.road}, a stretch of {number_en(km, 1)} km",
        )
    first, last = math.floor(stretch.from_m / 1000), math.ceil(stretch.to_m / 1000)
    span = f"{stretch.road} Km {first}" + (f"–{last}" if last > first else "")
    return span, span


def _within(radius_m: float) -> tuple[str, str]:
    km = radius_m / 1000
    vi = "trong một ô" if km == 0 else f"trong bán kính {number_vi(km, 1)} km"
    return vi, "in one hex" if km == 0 else f"within {number_en(km, 1)} km"


def _shares(one: ScanCluster, names: Mapping[str, str]) -> list[str]:
    """The communes, those with most records first; of several with how many."""
    if len(one.shares) < 2:
        return [names.get(code, code) for code in one.communes]
    return [f"{names.get(code, code)} ({number_vi(count)})" for code, count in one.shares]


def _how_rarely(days: float) -> tuple[str, str]:
    if days >= 0.999 * LONGEST_DAYS:
        return "hơn 100 năm", "more than 100 years"
    if days >= 2 * _YEAR:
        years = days / _YEAR
        return f"{number_vi(years, 0)} năm", f"{years:.0f} years"
    return f"{days:.0f} ngày", f"{days:.0f} days"


def reports_en(count: int) -> str:
    return f"{number_en(count)} report{'s' if count != 1 else ''}"


def days_en(days: int) -> str:
    return f"{days} day{'s' if days != 1 else ''}"


def p_text(value: float) -> str:
    return "< 0.001" if value < 0.0005 else f"= {value:.3f}"


def decimal_comma(number: str) -> str:
    """The decimal sign of Vietnam."""
    return number.replace(".", ",")
