"""Shift of a batch: many records whose points lie off their communes, all in one direction.

A wrong zone or datum, or a column that slipped by a row, gives such records; none of them is at
fault alone, so the whole load is asked about.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import numpy as np
import shapely
from pyproj import CRS, Transformer

from gis.errors import AmbiguousInput
from gis.placing.crs import AS_DECLARED
from gis.placing.placer import DIRECTIONS, Placements, Placer, Reason, have_words
from gis.placing.source_crs import GEOGRAPHIC, TM3, Floats, SourceCrs, parse_crs, to_wgs84
from layers.ingest.records import RecordBatch

# A batch is asked about when so many records contradict, by count and by share of those that have
# both a point and words; a small one when most of it does.
_SOME, _SHARE = 30, 0.05
_FEW, _MOST = 5, 0.5
_ONE_DIRECTION = 0.8  # length of the mean of their directions, 1 when all are the same
_FITS = 0.8  # share of them that another CRS must place in the communes that they name


@dataclass
class ShiftCheck:
    """The contradicting records of a file, chunk by chunk; `both` have a point and words."""

    placer: Placer
    both: int = 0
    crs: SourceCrs | None = None
    lon: list[Floats] = field(default_factory=list)
    lat: list[Floats] = field(default_factory=list)
    communes: list[frozenset[str]] = field(default_factory=list)  # candidates of each record

    def add(self, records: RecordBatch, places: Placements) -> None:
        """Take the next records of the file."""
        has_point = np.isfinite(records.lon) & np.isfinite(records.lat)
        rows = np.flatnonzero(has_point & (places.reason == Reason.CONTRADICTION.value))
        has_words = have_words(records.address, records.unit, records.district)
        self.both += int(np.count_nonzero(has_point & has_words))
        self.crs = self.crs or records.crs
        self.lon.append(records.lon[rows])
        self.lat.append(records.lat[rows])
        known: dict[frozenset[str], frozenset[str]] = {}
        for row in rows.tolist():
            codes = frozenset(candidate.code for candidate in places.candidates[row])
            self.communes.append(known.setdefault(codes, codes))

    def ask_if_shifted(self) -> None:
        """Raises AmbiguousInput where many points lie off their communes in one direction."""
        count = len(self.communes)
        many = count >= _SOME and count > _SHARE * self.both
        if not many and (count < _FEW or count < _MOST * self.both):
            return
        lon, lat = np.concatenate(self.lon), np.concatenate(self.lat)
        cells = self.placer.cells
        here = cells.assign(lon, lat)
        named = [
            codes - {_code(self.placer, index)}
            for codes, index in zip(self.communes, here, strict=True)
        ]
        offsets = np.array(
            [
                cells.offset_m(codes, shapely.Point(east, north))
                for codes, east, north in zip(named, lon, lat, strict=True)
            ]
        )
        lengths = np.hypot(offsets[:, 0], offsets[:, 1])
        directions = offsets[lengths > 0] / lengths[lengths > 0, None]
        if len(directions) == 0:
            return
        east, north = directions.mean(axis=0)
        if np.hypot(east, north) < _ONE_DIRECTION:
            return
        bearing = float(np.degrees(np.arctan2(east, north)))
        other = _better_crs(self.crs, self.placer, lon, lat, named)
        metres = float(np.median(lengths))
        raise AmbiguousInput(_question(count, self.both, metres, bearing, other))


def _code(placer: Placer, index: int) -> str:
    return placer.cells.codes[index] if index >= 0 else ""


def _better_crs(
    declared: SourceCrs | None,
    placer: Placer,
    lon: Floats,
    lat: Floats,
    named: Sequence[AbstractSet[str]],
) -> tuple[SourceCrs, int] | None:
    """The known CRS that places most of these points where their words say, and how many."""
    if declared is None:
        return None
    to_source = Transformer.from_crs(CRS.from_epsg(4326), declared.crs, always_xy=True)
    x, y = to_source.transform(lon, lat)
    counts = {}
    for source in (parse_crs(text) for text in dict.fromkeys((*TM3, *GEOGRAPHIC))):
        with np.errstate(invalid="ignore"):
            index = placer.cells.assign(*to_wgs84(x, y, source))
        fits = (_code(placer, i) in codes for i, codes in zip(index, named, strict=True))
        counts[source] = sum(fits)
    best = max(counts, key=lambda source: counts[source])
    return (best, counts[best]) if counts[best] >= _FITS * len(named) else None


def _question(
    count: int, total: int, metres: float, bearing: float, other: tuple[SourceCrs, int] | None
) -> str:
    vi, en = DIRECTIONS[round(bearing / 45) % 8]
    km = metres / 1_000
    fits_vi = fits_en = ""
    answer = "EPSG:…"
    if other is not None:
        source, fitting = other
        answer = str(source)
        fits_vi = f" Theo {source.label}, {fitting} bản ghi trong số đó nằm đúng xã đã ghi."
        fits_en = f" In {source.label}, {fitting} of them lie in the commune that they name."
    return (
        f"{count}/{total} bản ghi có tọa độ lệch khỏi xã đã ghi, đều về phía {vi}, khoảng "
        f"{km:.0f} km: hệ tọa độ hoặc cột xã có lẽ sai.{fits_vi}\n"
        f"Chưa lưu gì. Trả lời bằng: --assume-crs {answer} (giữ hệ khai báo, và từng bản ghi chờ "
        f"xử lý: --assume-crs {AS_DECLARED})\n"
        f"{count} of {total} records lie off the commune that they name, all to the {en}, by about "
        f"{km:.0f} km: the CRS or the column of the commune may be wrong.{fits_en}\n"
        f"Nothing was stored. Answer with: --assume-crs {answer} (to keep what is declared, and "
        f"decide on each record: --assume-crs {AS_DECLARED})"
    )
