"""Check of a source's CRS, and its coordinates in WGS 84; a doubtful CRS is asked about.

A wrong CRS shifts everything without an error: 223 m when VN-2000 is declared with the datum
WGS 84, 25–129 km in a wrong zone, to the sea when northing and easting are exchanged. So a batch
whose CRS cannot be believed stops with a question; it is never shifted silently.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gis.errors import AmbiguousInput, BadInput
from gis.placing.source_crs import (
    GEOGRAPHIC,
    HANOI_72,
    TM3,
    UTM,
    Floats,
    SourceCrs,
    area_of_use,
    is_exact,
    mislabelled_vn2000,
    parse_crs,
    projection,
    refuse_inexact,
    siblings,
    to_wgs84,
    transform_points,
)
from gis.values import BBox

__all__ = [
    "AS_DECLARED",
    "LOCAL",
    "CheckedPoints",
    "CrsCandidate",
    "Inside",
    "SourceCrs",
    "check_crs",
    "check_points",
    "parse_crs",
    "point_faults",
    "to_wgs84",
    "zero_points",
]

type Inside = Callable[[Floats, Floats], NDArray[np.bool_]]

LOCAL = "EPSG:9208"  # VN-2000 / TM-3 104-45, in which Lào Cai keeps its data
AS_DECLARED = "declared"
_SAMPLE = 2000
_MAX_CANDIDATES = 4
# A batch is asked about when at least this share of its records lies outside the province, and
# another CRS would place at least `_INSIDE` of them inside.
_OUTSIDE, _INSIDE = 0.3, 0.8
_IMPOSSIBLE = 0.5  # or when this share cannot be coordinates of the declared CRS at all
# The next zone is 25 km off, which leaves most records inside. So a CRS that is not the province's
# own is asked about earlier, when the province's own places nearly all records inside.
_SOME_OUTSIDE, _SOME_RECORDS, _NEARLY_ALL = 0.05, 5, 0.98
_AREA_MARGIN_DEGREES = 0.5
# Where several systems fit alike, one of these is proposed; of others none.
_COMMON = (LOCAL, "EPSG:4326")


@dataclass(frozen=True, slots=True)
class CrsCandidate:
    """A CRS and the number of records of the batch that it places inside the province."""

    source: SourceCrs
    inside: int


def check_crs(
    x: ArrayLike,
    y: ArrayLike,
    crs: str | None,
    envelope: BBox,
    *,
    assume: str | None = None,
    local: str = LOCAL,
    inside: Inside | None = None,
    own_area: bool = False,
) -> SourceCrs:
    """The CRS of a batch, declared and plausible, to be given to `to_wgs84`.

    `envelope` is the province's box (degrees, WGS 84); `inside` (lon, lat → mask) is its exact
    test. `assume` answers an earlier question: a CRS, or `declared` to keep what is declared.
    `local` is the CRS that the province uses, the likely one where several fit. `own_area`: the
    batch may lie anywhere, so that the CRS is judged by its own area of use too.

    Raises AmbiguousInput when no CRS is declared, when it is VN-2000 with another datum, or when it
    places the batch outside the province and another would place it inside, or outside its own
    area; BadInput for a CRS that cannot be transformed exactly, such as Hanoi 1972. A few records
    outside are no question.
    """
    declared = None if crs is None else parse_crs(crs)
    if assume is not None:
        return _assumed(assume, declared, envelope)
    batch = _Batch.of(x, y, inside or _envelope_test(envelope))
    if declared is None:
        raise _question(_NOT_DECLARED, batch, batch.candidates(local))
    true = mislabelled_vn2000(declared.crs)
    if true is not None:
        candidates = batch.mislabelled_candidates(true, declared, local)
        keeps = is_exact(declared, envelope)
        raise _question(_mislabelled(declared), batch, candidates, keeps=keeps)
    refuse_inexact(declared, envelope)
    _ask_if_outside(declared, batch, local)
    if own_area:
        _ask_if_beyond_own_area(declared, batch)
    return declared


@dataclass(frozen=True, slots=True)
class CheckedPoints:
    """n points in degrees, WGS 84, NaN where there is none, with faults by row.

    `crs` is the CRS that they came in, None when the batch has no point.
    """

    lon: Floats
    lat: Floats
    faults: dict[int, str]
    crs: SourceCrs | None


def check_points(
    x: ArrayLike,
    y: ArrayLike,
    crs: str | None,
    envelope: BBox,
    *,
    assume: str | None = None,
    local: str = LOCAL,
    inside: Inside | None = None,
    own_area: bool = False,
) -> CheckedPoints:
    """The points of a batch after `check_crs`, whose arguments and errors it has.

    (0, 0) is a fault, see `zero_points`.
    """
    east, north = np.asarray(x, np.float64), np.asarray(y, np.float64)
    none = zero_points(east, north)
    if not np.any(np.isfinite(east) & np.isfinite(north) & ~none):
        nowhere = np.full(len(east), np.nan)
        return CheckedPoints(nowhere, nowhere.copy(), point_faults(east, north, nowhere), None)
    source = check_crs(
        east, north, crs, envelope, assume=assume, local=local, inside=inside, own_area=own_area
    )
    lon, lat = to_wgs84(east, north, source)
    lon[none], lat[none] = np.nan, np.nan
    return CheckedPoints(lon, lat, point_faults(east, north, lon), source)


def zero_points(x: ArrayLike, y: ArrayLike) -> NDArray[np.bool_]:
    """Mask of the records at (0, 0): a form or a device writes it when it has no position."""
    return np.asarray((np.asarray(x) == 0) & (np.asarray(y) == 0), np.bool_)


def point_faults(x: ArrayLike, y: ArrayLike, lon: Floats) -> dict[int, str]:
    """Faults of single points, by row; `lon` is the result of `to_wgs84` for them.

    A record without x and y has no fault: it may have an address.
    """
    east, north = np.asarray(x, np.float64), np.asarray(y, np.float64)
    half = np.isfinite(east) != np.isfinite(north)
    impossible = np.isfinite(east) & np.isfinite(north) & np.isnan(lon)
    impossible |= np.isinf(east) | np.isinf(north)
    faults = dict.fromkeys(np.flatnonzero(impossible).tolist(), _IMPOSSIBLE_POINT)
    faults |= dict.fromkeys(np.flatnonzero(half).tolist(), _HALF_POINT)
    return faults | dict.fromkeys(np.flatnonzero(zero_points(east, north)).tolist(), _ZERO_POINT)


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

    def outside(self, source: SourceCrs) -> "_Batch":
        """The records that a CRS places outside the province, or nowhere."""
        lon, lat = transform_points(self.x, self.y, source)
        out = np.isnan(lon)
        out[~out] = ~self.inside(lon[~out], lat[~out])
        return _Batch(self.x[out], self.y[out], self.inside)

    def sample(self) -> "_Batch":
        step = len(self) // _SAMPLE + 1
        return _Batch(self.x[::step], self.y[::step], self.inside)

    def count_points(self, source: SourceCrs) -> tuple[int, int]:
        """Number of records inside the province, and of those with no place on earth."""
        lon, lat = transform_points(self.x, self.y, source)
        possible = ~np.isnan(lon)
        inside = self.inside(lon[possible], lat[possible])
        return int(np.count_nonzero(inside)), int(np.count_nonzero(~possible))

    def count_in_own_area(self, source: SourceCrs) -> int:
        """Number of records within the area for which a CRS is made, and half a degree around."""
        lon, lat = transform_points(self.x, self.y, source)
        area = area_of_use(source.crs)
        within = ~np.isnan(lon)
        if area is not None:
            margin = _AREA_MARGIN_DEGREES
            across = (lon >= area.west - margin) & (lon <= area.east + margin)
            if area.west > area.east:  # beyond ±180°
                across = (lon >= area.west - margin) | (lon <= area.east + margin)
            within &= across & (lat >= area.south - margin) & (lat <= area.north + margin)
        return int(np.count_nonzero(within))

    def count_inside(self, sources: Iterable[SourceCrs]) -> list[CrsCandidate]:
        return [CrsCandidate(source, self.count_points(source)[0]) for source in sources]

    def mislabelled_candidates(
        self, true: SourceCrs, declared: SourceCrs, local: str
    ) -> list[CrsCandidate]:
        """The true system and the declared one, and others when neither fits."""
        both = self.count_inside([true, declared])
        if both[0].inside >= _INSIDE * len(self):
            return both
        alternatives = [
            candidate for candidate in self.candidates(local) if candidate.source != true
        ]
        return sorted([*both, *alternatives], key=lambda candidate: -candidate.inside)

    def candidates(self, local: str) -> list[CrsCandidate]:
        """The known systems that place records inside, the likely ones first, at most four."""
        texts = dict.fromkeys((local, *GEOGRAPHIC, *TM3, *UTM))
        sources = [parse_crs(text) for text in texts]
        sources += [SourceCrs(candidate.crs, swapped=True) for candidate in sources]
        sampled = self.sample().count_inside(sources)
        best = max(candidate.inside for candidate in sampled)
        likely = [
            candidate.source
            for candidate in sampled
            if candidate.inside and candidate.inside >= 0.95 * best
        ]
        return self.count_inside(likely[:_MAX_CANDIDATES])


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
    count, impossible = batch.count_points(declared)
    if n - count < min(_SOME_OUTSIDE * n, _SOME_RECORDS) or n == count:
        return
    candidates = [candidate for candidate in batch.candidates(local) if candidate.inside > count]
    best = max((candidate.inside for candidate in candidates), default=0)
    clear = best >= _INSIDE * n and best - count >= _OUTSIDE * n
    if clear or impossible >= _IMPOSSIBLE * n or _local_is_better(candidates, n - count, n, local):
        raise _question(_outside(declared, count, n), batch, candidates)
    if count:
        _ask_if_mixed(declared, batch, local)


def _ask_if_mixed(declared: SourceCrs, batch: _Batch, local: str) -> None:
    """Raises AmbiguousInput where some records are exchanged, or in metres for degrees."""
    outside = batch.outside(declared)
    if len(outside) < max(_SOME_OUTSIDE * len(batch), _SOME_RECORDS):
        return
    exchanged = SourceCrs(declared.crs, swapped=not declared.swapped)
    unlike = parse_crs("EPSG:4326" if declared.crs.is_projected else local)
    alternatives = outside.count_inside([exchanged, unlike, SourceCrs(unlike.crs, swapped=True)])
    best = max(alternatives, key=lambda candidate: candidate.inside)
    if best.inside >= _INSIDE * len(outside):
        raise AmbiguousInput(_mixed(declared, best, len(outside), len(batch)))


def _ask_if_beyond_own_area(declared: SourceCrs, batch: _Batch) -> None:
    """Raises AmbiguousInput where more than a few records lie beyond the CRS's own area of use.

    Feet read as metres, or another zone, move whole batches by hundreds of kilometres.
    """
    beyond = len(batch) - batch.count_in_own_area(declared)
    if beyond <= _SOME_OUTSIDE * len(batch):
        return
    codes = dict.fromkeys((*siblings(declared.crs), *_COMMON))
    alternatives = [SourceCrs(declared.crs, swapped=not declared.swapped), *map(parse_crs, codes)]
    candidates = [
        CrsCandidate(source, count)
        for source in alternatives
        if str(source) != str(declared)
        and (count := batch.count_in_own_area(source)) >= _INSIDE * len(batch)
    ]
    raise AmbiguousInput(_beyond_own_area(declared, beyond, len(batch), candidates))


def _local_is_better(candidates: list[CrsCandidate], outside: int, n: int, local: str) -> bool:
    if outside < max(_SOME_OUTSIDE * n, _SOME_RECORDS):
        return False
    return any(
        str(candidate.source) == local and candidate.inside >= _NEARLY_ALL * n
        for candidate in candidates
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


@dataclass(frozen=True, slots=True)
class _Reason:
    vi: str
    en: str


_NOT_DECLARED = _Reason("Dữ liệu không khai báo hệ tọa độ.", "The data declare no CRS.")


def _mislabelled(declared: SourceCrs) -> _Reason:
    shape = projection(declared.crs)
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


def _beyond_own_area(
    declared: SourceCrs, beyond: int, n: int, candidates: Sequence[CrsCandidate]
) -> str:
    area = area_of_use(declared.crs)
    name = area.name if area is not None else "World"
    listed = "".join(
        f"\n  {candidate.source.label}: {candidate.inside}/{n}: --assume-crs {candidate.source}"
        for candidate in candidates[:_MAX_CANDIDATES]
    )
    may_vi, may_en = (" Có thể là:", " It may be:") if listed else ("", "")
    return (
        f"Hệ tọa độ {declared.label} dành cho “{name}”, nhưng {beyond}/{n} bản ghi nằm ngoài vùng "
        f"đó: có thể sai đơn vị (feet, mét), sai múi hoặc đổi trục.{may_vi}{listed}\n"
        f"Chưa lưu gì. Giữ hệ khai báo: --assume-crs {AS_DECLARED}\n"
        f"The CRS {declared.label} is made for “{name}”, but {beyond} of {n} records lie beyond "
        "it: its unit (feet, metres), its zone or the order of the axes may be wrong."
        f"{may_en}{listed}\n"
        f"Nothing was stored. To keep what is declared: --assume-crs {AS_DECLARED}"
    )


def _mixed(declared: SourceCrs, best: CrsCandidate, outside: int, n: int) -> str:
    answer = _answer(best.source)
    return (
        f"Tệp lẫn hai cách ghi tọa độ: theo {declared.label}, {outside}/{n} bản ghi nằm ngoài "
        f"tỉnh; theo {best.source.label}, {best.inside} bản ghi trong số đó nằm trong tỉnh.\n"
        f"Chưa lưu gì. Hãy tách các bản ghi đó ra tệp riêng và nạp với --assume-crs {answer}; hoặc "
        f"giữ hệ khai báo cho tất cả: --assume-crs {AS_DECLARED}\n"
        f"The file mixes two ways of writing coordinates: in {declared.label}, {outside} of {n} "
        f"records lie outside the province; in {best.source.label}, {best.inside} of those lie "
        "inside.\n"
        f"Nothing was stored. Put those records into a file of their own and load it with "
        f"--assume-crs {answer}; or keep what is declared for all: --assume-crs {AS_DECLARED}"
    )


def _question(
    reason: _Reason, batch: _Batch, candidates: Sequence[CrsCandidate], *, keeps: bool = True
) -> AmbiguousInput:
    """The question about a batch; raises BadInput for Hanoi 1972, which no answer makes exact.

    `keeps`: what is declared may be kept.
    """
    if not candidates:
        _refuse_hanoi_72(batch)
        degrees = np.all((np.abs(batch.x) <= 180) & (np.abs(batch.y) <= 90))
        undeclared = "EPSG:4326" if degrees else "EPSG:…"
        answer = undeclared if reason is _NOT_DECLARED else AS_DECLARED
        return AmbiguousInput(
            f"{reason.vi} Không hệ tọa độ quen thuộc nào đặt bản ghi trong tỉnh: hãy xem lại cột "
            f"x, y; hoặc trả lời bằng: --assume-crs {answer}\n"
            f"{reason.en} No usual CRS places records in the province: check which columns hold "
            f"x and y; or answer with: --assume-crs {answer}"
        )
    answer = _likely(candidates)
    keep = keeps and reason is not _NOT_DECLARED and answer != AS_DECLARED
    keep_vi = f" (giữ hệ khai báo: --assume-crs {AS_DECLARED})" if keep else ""
    keep_en = f" (to keep what is declared: --assume-crs {AS_DECLARED})" if keep else ""
    return AmbiguousInput(
        f"{reason.vi} Có thể là:\n{_listed(candidates, len(batch), 'bản ghi trong tỉnh')}\n"
        f"Chưa lưu gì. Trả lời bằng: --assume-crs {answer}{keep_vi}\n"
        f"{reason.en} It may be:\n{_listed(candidates, len(batch), 'records in the province')}\n"
        f"Nothing was stored. Answer with: --assume-crs {answer}{keep_en}"
    )


def _refuse_hanoi_72(batch: _Batch) -> None:
    sources = [parse_crs(text) for text in HANOI_72]
    sources += [SourceCrs(candidate.crs, swapped=True) for candidate in sources]
    best = max(batch.count_inside(sources), key=lambda candidate: candidate.inside)
    if best.inside >= _INSIDE * len(batch):
        refuse_inexact(best.source)


def _likely(candidates: Sequence[CrsCandidate]) -> str:
    """The answer that is proposed; of unusual systems that fit alike, none.

    A system and the same projection on another datum are told apart by what is declared.
    """
    best = [candidate for candidate in candidates if candidate.inside == candidates[0].inside]
    usual = [candidate for candidate in best if candidate.source.code in _COMMON]
    shapes = {projection(candidate.source.crs) for candidate in best}
    if len(shapes) > 1 and not usual:
        return _ANY_CODE
    return _answer((usual or best)[0].source)


_ANY_CODE = (
    "EPSG:… (vài hệ phù hợp như nhau: hãy hỏi nơi cấp dữ liệu / several fit alike: ask the source)"
)


def _listed(candidates: Sequence[CrsCandidate], n: int, unit: str) -> str:
    return "\n".join(
        f"  {candidate.source.label}: {candidate.inside}/{n} {unit}" for candidate in candidates
    )


def _answer(source: SourceCrs) -> str:
    return str(source) if source.code else AS_DECLARED
