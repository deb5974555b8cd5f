"""Coordinates of a source → WGS 84, after asking when the declared CRS is doubtful.

A wrong CRS shifts everything and says nothing: 223 m when VN-2000 is declared with the datum
WGS 84, 25–129 km in a wrong zone, to the sea when northing and easting are exchanged. So a batch
whose CRS cannot be believed stops with a question; it is never shifted silently.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError
from pyproj.transformer import AreaOfInterest

from gis.errors import BadInput, Question
from gis.values import BBox

type Floats = NDArray[np.float64]
type Inside = Callable[[Floats, Floats], NDArray[np.bool_]]

LOCAL = "EPSG:9208"  # VN-2000 / TM-3 104-45, in which Lào Cai keeps its data
AS_DECLARED = "declared"
_SWAPPED = ":yx"
_GEOGRAPHIC = ("EPSG:4326", "EPSG:4756")
_TM3 = tuple(f"EPSG:{code}" for code in (*range(9205, 9219), 5896, 5897, 5898, 5899))
_UTM = ("EPSG:3405", "EPSG:3406", "EPSG:32648", "EPSG:32649")
_VN_2000 = "Vietnam 2000"
_VN_2000_NAME = re.compile(r"VN.?2000", re.IGNORECASE)
_SAMPLE = 2000
_SHOWN = 4
# A batch is asked about when at least this share of its records lies outside the province, and
# another CRS would place at least `_INSIDE` of them inside.
_OUTSIDE, _INSIDE = 0.3, 0.8
_IMPOSSIBLE = 0.5  # or when this share cannot be coordinates of the declared CRS at all
# The next zone is 25 km off, which leaves most records inside: so of a CRS that is not the
# province's own, less is believed when the province's own places nearly all of them inside.
_SOME_OUTSIDE, _SOME_RECORDS, _NEARLY_ALL = 0.05, 5, 0.98


@dataclass(frozen=True, slots=True)
class SourceCrs:
    """The CRS of two columns; `swapped` when the column called x holds northing or latitude."""

    crs: CRS
    swapped: bool = False

    def __str__(self) -> str:
        text = self.code or self.crs.to_wkt()
        return text + _SWAPPED if self.swapped else text

    @property
    def code(self) -> str | None:
        """`EPSG:9208`, if it was given by its code; what only resembles a code has none."""
        named = self.crs.to_json_dict().get("id")
        return f"{named['authority']}:{named['code']}" if named else None

    @property
    def label(self) -> str:
        name = self.crs.name if self.code else f"{self.crs.name}, datum {_datum(self.crs)}"
        label = f"{self.code or 'WKT'} ({name})"
        return f"{label}, x ↔ y" if self.swapped else label


@dataclass(frozen=True, slots=True)
class Candidate:
    """A CRS and how many records of the batch it places inside the province."""

    source: SourceCrs
    inside: int


def parse_crs(text: str) -> SourceCrs:
    """`EPSG:9208`, WKT or PROJ text; `EPSG:9208:yx` when x and y are exchanged. BadInput."""
    definition = text.strip()
    swapped = definition.endswith(_SWAPPED)
    try:
        return SourceCrs(CRS.from_user_input(definition.removesuffix(_SWAPPED)), swapped)
    except CRSError:
        raise BadInput(
            f"không biết hệ tọa độ “{text[:80]}”; hãy ghi mã như EPSG:9208 / "
            f"unknown CRS “{text[:80]}”; write its code, such as EPSG:9208"
        ) from None


def to_wgs84(x: ArrayLike, y: ArrayLike, crs: SourceCrs | str) -> tuple[Floats, Floats]:
    """Longitude and latitude in degrees, WGS 84, of easting (or longitude) x and northing y.

    NaN where there is no x or y, or where they cannot be coordinates of that CRS. Raises BadInput
    for a CRS that is unknown or from which no exact way to WGS 84 is known.
    """
    source = parse_crs(crs) if isinstance(crs, str) else crs
    refuse_inexact(source)
    return _transformed(np.asarray(x, np.float64), np.asarray(y, np.float64), source)


def check_crs(
    x: ArrayLike,
    y: ArrayLike,
    crs: str | None,
    envelope: BBox,
    *,
    assume: str | None = None,
    local: str = LOCAL,
    inside: Inside | None = None,
) -> SourceCrs:
    """The CRS in which a batch can be believed to be, to be given to `to_wgs84`.

    `envelope` is the province's; `inside` (lon, lat → mask) tells it more exactly. `assume`
    answers an earlier question: a CRS, or `declared` to keep what is declared. `local` is the CRS
    that the province uses, the likely one where several fit.

    Raises Question when no CRS is declared, when it is VN-2000 with another datum, or when it
    places the batch outside the province and another would place it inside; BadInput for a CRS
    that cannot be transformed exactly, such as Hanoi 1972. A few records outside are no question.
    """
    declared = None if crs is None else parse_crs(crs)
    if assume is not None:
        return _assumed(assume, declared, envelope)
    batch = _Batch.of(x, y, inside or _envelope_test(envelope))
    if declared is None:
        raise _question(_NOT_DECLARED, batch, batch.candidates(local))
    true = vn2000_in_disguise(declared.crs)
    if true is not None:
        raise _question(_disguise(declared), batch, batch.instead_of(true, declared, local))
    refuse_inexact(declared, envelope)
    _ask_if_outside(declared, batch, local)
    return declared


@dataclass(frozen=True, slots=True)
class CheckedPoints:
    """n points in degrees, WGS 84, NaN where there is none; what is wrong with single ones, by
    row; and the CRS that they came in, None when the batch has no point."""

    lon: Floats
    lat: Floats
    faults: dict[int, str]
    crs: SourceCrs | None


def checked_points(
    x: ArrayLike,
    y: ArrayLike,
    crs: str | None,
    envelope: BBox,
    *,
    assume: str | None = None,
    local: str = LOCAL,
    inside: Inside | None = None,
) -> CheckedPoints:
    """The points of a batch after `check_crs`, with whose arguments; (0, 0) is a fault."""
    east, north = np.asarray(x, np.float64), np.asarray(y, np.float64)
    none = zero_points(east, north)
    if not np.any(np.isfinite(east) & np.isfinite(north) & ~none):
        nowhere = np.full(len(east), np.nan)
        return CheckedPoints(nowhere, nowhere.copy(), point_faults(east, north, nowhere), None)
    source = check_crs(east, north, crs, envelope, assume=assume, local=local, inside=inside)
    lon, lat = to_wgs84(east, north, source)
    lon[none], lat[none] = np.nan, np.nan
    return CheckedPoints(lon, lat, point_faults(east, north, lon), source)


def zero_points(x: ArrayLike, y: ArrayLike) -> NDArray[np.bool_]:
    """Records at (0, 0): where a form or a device had no position."""
    return np.asarray((np.asarray(x) == 0) & (np.asarray(y) == 0), np.bool_)


def point_faults(x: ArrayLike, y: ArrayLike, lon: Floats) -> dict[int, str]:
    """What is wrong with single points, by row; `lon` is what `to_wgs84` gave for them.

    A record without x and y has no fault: it may have an address.
    """
    east, north = np.asarray(x, np.float64), np.asarray(y, np.float64)
    half = np.isfinite(east) != np.isfinite(north)
    impossible = np.isfinite(east) & np.isfinite(north) & np.isnan(lon)
    faults = dict.fromkeys(np.flatnonzero(impossible).tolist(), _IMPOSSIBLE_POINT)
    faults |= dict.fromkeys(np.flatnonzero(half).tolist(), _HALF_POINT)
    return faults | dict.fromkeys(np.flatnonzero(zero_points(east, north)).tolist(), _ZERO_POINT)


def refuse_inexact(source: SourceCrs, area: BBox | None = None) -> None:
    """Raises BadInput for a CRS whose only way to WGS 84, in `area`, is a guess of hundreds of
    metres."""
    if "Hanoi" in _datum(source.crs):
        raise BadInput(_HANOI_72.format(source.label))
    if _transformer(source.crs, _area_of_interest(source.crs, area)) is not None:
        return
    raise BadInput(
        f"không có phép chuyển chính xác từ {source.label} sang WGS 84; hãy chuyển dữ liệu sang "
        "VN-2000 hoặc WGS 84 trước / "
        f"no exact transformation from {source.label} to WGS 84 is known; transform the data to "
        "VN-2000 or WGS 84 first"
    )


def vn2000_in_disguise(crs: CRS) -> SourceCrs | None:
    """The VN-2000 system that a CRS has the projection or the name of, without its datum."""
    if not crs.is_projected or _has_vn2000_datum(crs):
        return None
    shape = _shape(crs)
    named = _VN_2000_NAME.search(crs.name) is not None
    for text in (*_TM3, *_UTM[:2]):
        same = _shape(CRS.from_user_input(text)) == shape
        if same and (named or shape.scale == 0.9999):
            return parse_crs(text)
    return None


@dataclass(frozen=True, slots=True)
class _Shape:
    """A transverse Mercator projection: degrees, 1, metres."""

    meridian: float
    scale: float
    easting: float


@dataclass(frozen=True, slots=True)
class _Batch:
    """The points of a batch that have a position, and the test for the province."""

    x: Floats
    y: Floats
    inside: Inside

    @staticmethod
    def of(x: ArrayLike, y: ArrayLike, inside: Inside) -> "_Batch":
        east, north = np.asarray(x, np.float64), np.asarray(y, np.float64)
        used = np.isfinite(east) & np.isfinite(north) & ~zero_points(east, north)
        return _Batch(east[used], north[used], inside)

    def __len__(self) -> int:
        return len(self.x)

    def sample(self) -> "_Batch":
        step = len(self) // _SAMPLE + 1
        return _Batch(self.x[::step], self.y[::step], self.inside)

    def placed(self, source: SourceCrs) -> tuple[int, int]:
        """How many records lie inside the province, and how many have no place on earth."""
        lon, lat = _transformed(self.x, self.y, source)
        possible = ~np.isnan(lon)
        inside = self.inside(lon[possible], lat[possible])
        return int(np.count_nonzero(inside)), int(np.count_nonzero(~possible))

    def counted(self, sources: Iterable[SourceCrs]) -> list[Candidate]:
        return [Candidate(source, self.placed(source)[0]) for source in sources]

    def instead_of(self, true: SourceCrs, declared: SourceCrs, local: str) -> list[Candidate]:
        """The true system and the declared one, and others when neither fits."""
        both = self.counted([true, declared])
        if both[0].inside >= _INSIDE * len(self):
            return both
        others = [one for one in self.candidates(local) if one.source != true]
        return sorted([*both, *others], key=lambda one: -one.inside)

    def candidates(self, local: str) -> list[Candidate]:
        """The known systems that place records inside, the likely ones first, at most four."""
        texts = dict.fromkeys((local, *_GEOGRAPHIC, *_TM3, *_UTM))
        known = [parse_crs(text) for text in texts]
        known += [SourceCrs(one.crs, swapped=True) for one in known]
        sampled = self.sample().counted(known)
        best = max(one.inside for one in sampled)
        likely = [one.source for one in sampled if one.inside and one.inside >= 0.95 * best]
        return self.counted(likely[:_SHOWN])


def _transformed(x: Floats, y: Floats, source: SourceCrs) -> tuple[Floats, Floats]:
    transformer = _transformer(source.crs) or Transformer.from_crs(
        source.crs, "EPSG:4326", always_xy=True
    )
    east, north = (y, x) if source.swapped else (x, y)
    lon, lat = transformer.transform(east, north)
    lost = ~((np.abs(lon) <= 180) & (np.abs(lat) <= 90))
    return np.where(lost, np.nan, lon), np.where(lost, np.nan, lat)


@lru_cache(maxsize=128)
def _transformer(crs: CRS, area: AreaOfInterest | None = None) -> Transformer | None:
    """The exact way to WGS 84; None when there is only a ballpark one."""
    try:
        return Transformer.from_crs(
            crs, "EPSG:4326", always_xy=True, area_of_interest=area, allow_ballpark=False
        )
    except ProjError:
        return None


def _area_of_interest(crs: CRS, area: BBox | None) -> AreaOfInterest | None:
    """The area, unless the CRS is not made for it: data of elsewhere are transformed as there."""
    use = crs.area_of_use
    if area is None or use is None:
        return None
    apart = use.east < area.west or use.west > area.east
    if apart or use.north < area.south or use.south > area.north:
        return None
    return AreaOfInterest(*area.as_list())


def _envelope_test(envelope: BBox) -> Inside:
    def test(lon: Floats, lat: Floats) -> NDArray[np.bool_]:
        across = (lon >= envelope.west) & (lon <= envelope.east)
        return across & (lat >= envelope.south) & (lat <= envelope.north)

    return test


def _assumed(assume: str, declared: SourceCrs | None, envelope: BBox) -> SourceCrs:
    source = declared if assume == AS_DECLARED else parse_crs(assume)
    if source is None:
        raise BadInput(
            "--assume-crs declared: tệp không khai báo hệ tọa độ; hãy ghi mã như EPSG:9208 / "
            "the source declares no CRS to keep; write a code, such as EPSG:9208"
        )
    refuse_inexact(source, envelope)
    return source


def _ask_if_outside(declared: SourceCrs, batch: _Batch, local: str) -> None:
    n = len(batch)
    count, impossible = batch.placed(declared)
    if n - count < min(_SOME_OUTSIDE * n, _SOME_RECORDS) or n == count:
        return
    candidates = [one for one in batch.candidates(local) if one.inside > count]
    best = max((one.inside for one in candidates), default=0)
    clear = best >= _INSIDE * n and best - count >= _OUTSIDE * n
    if clear or impossible >= _IMPOSSIBLE * n or _local_is_better(candidates, n - count, n, local):
        raise _question(_outside(declared, count, n), batch, candidates)


def _local_is_better(candidates: list[Candidate], outside: int, n: int, local: str) -> bool:
    if outside < max(_SOME_OUTSIDE * n, _SOME_RECORDS):
        return False
    return any(str(one.source) == local and one.inside >= _NEARLY_ALL * n for one in candidates)


def _has_vn2000_datum(crs: CRS) -> bool:
    if crs.is_bound:
        operation = crs.coordinate_operation
        return operation is not None and any(operation.towgs84)
    return crs.geodetic_crs is not None and _VN_2000 in crs.geodetic_crs.to_wkt()


def _datum(crs: CRS) -> str:
    base = crs.geodetic_crs
    return base.datum.name if base is not None and base.datum is not None else "?"


def _shape(crs: CRS) -> _Shape:
    base = crs.source_crs if crs.is_bound else crs
    operation = base.coordinate_operation if base is not None else None
    values = {one.name: one.value for one in operation.params} if operation is not None else {}
    return _Shape(
        round(float(values.get("Longitude of natural origin", -1)), 6),
        round(float(values.get("Scale factor at natural origin", -1)), 9),
        round(float(values.get("False easting", -1)), 3),
    )


# What people read: Vietnamese first, English second.

_ZERO_POINT = (
    "Tọa độ (0, 0): chưa có vị trí; hãy nhập tọa độ hoặc để trống. / "
    "The coordinates are (0, 0), which means none; give them or leave them empty."
)
_HALF_POINT = (
    "Chỉ có một trong hai tọa độ x, y. / Only one of the coordinates x and y is there; give both."
)
_IMPOSSIBLE_POINT = (
    "Hai số này không thể là tọa độ trong hệ đã khai báo. / "
    "These two numbers cannot be coordinates in the declared CRS."
)
_HANOI_72 = (
    "không nhận {0}: từ Hà Nội-72 không có phép chuyển chính xác nào sang WGS 84 ở đây, chỉ có "
    "phép gần đúng lệch hàng trăm mét; hãy chuyển dữ liệu sang VN-2000 bằng tham số chính thức / "
    "{0} is not accepted: no exact transformation from Hanoi 1972 to WGS 84 is known here, only a "
    "ballpark one, hundreds of metres off; transform the data to VN-2000 with the official "
    "parameters"
)


@dataclass(frozen=True, slots=True)
class _Reason:
    vi: str
    en: str


_NOT_DECLARED = _Reason("Dữ liệu không khai báo hệ tọa độ.", "The data declare no CRS.")


def _disguise(declared: SourceCrs) -> _Reason:
    shape = _shape(declared.crs)
    return _Reason(
        f"Hệ tọa độ {declared.label} có kinh tuyến trục {shape.meridian:g}°, k = {shape.scale:g} "
        "của VN-2000 nhưng mốc (datum) lại không phải VN-2000; nếu sai, mọi điểm lệch 223 m.",
        f"The CRS {declared.label} has the central meridian {shape.meridian:g}° and k = "
        f"{shape.scale:g} of VN-2000, but not its datum; if that is wrong, every point is 223 m "
        "off.",
    )


def _outside(declared: SourceCrs, inside: int, n: int) -> _Reason:
    return _Reason(
        f"Hệ tọa độ khai báo {declared.label} chỉ đặt {inside}/{n} bản ghi trong tỉnh.",
        f"The declared CRS {declared.label} places only {inside} of {n} records in the province.",
    )


def _question(reason: _Reason, batch: _Batch, candidates: Sequence[Candidate]) -> Question:
    if not candidates:
        return Question(
            f"{reason.vi} Không hệ tọa độ quen thuộc nào đặt bản ghi trong tỉnh: hãy xem lại cột "
            "x, y; hoặc trả lời bằng --assume-crs.\n"
            f"{reason.en} No usual CRS places records in the province: check which columns hold "
            "x and y; or answer with --assume-crs."
        )
    answer = _answer(candidates[0].source)
    keep = reason is not _NOT_DECLARED and answer != AS_DECLARED
    keep_vi = f" (giữ hệ khai báo: --assume-crs {AS_DECLARED})" if keep else ""
    keep_en = f" (to keep what is declared: --assume-crs {AS_DECLARED})" if keep else ""
    return Question(
        f"{reason.vi} Có thể là:\n{_listed(candidates, len(batch), 'bản ghi trong tỉnh')}\n"
        f"Chưa lưu gì. Trả lời bằng: --assume-crs {answer}{keep_vi}\n"
        f"{reason.en} It may be:\n{_listed(candidates, len(batch), 'records in the province')}\n"
        f"Nothing was stored. Answer with: --assume-crs {answer}{keep_en}"
    )


def _listed(candidates: Sequence[Candidate], n: int, what: str) -> str:
    return "\n".join(f"  {one.source.label}: {one.inside}/{n} {what}" for one in candidates)


def _answer(source: SourceCrs) -> str:
    return str(source) if source.code else AS_DECLARED
