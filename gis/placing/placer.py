"""Placer: gives records their hex and commune, with method, confidence and precision.

Coordinates come first, then an address, then a unit's code or name. A record that cannot be placed
has a reason: one word for programs and one sentence for people.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from enum import StrEnum
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from gis.boundaries.units import Level, UnitHistory
from gis.placing.addresses import AddressMatch, AddressResolver
from gis.placing.cells import CellTable, h3_cells
from gis.placing.gazetteer import Gazetteer
from gis.placing.unit_names import UnitNames
from gis.text import number_en, number_vi

Floats = npt.NDArray[np.float64]
Words = npt.NDArray[np.object_]

COMMUNE_PRECISION_M = 5_000.0


class PlaceMethod(StrEnum):
    COORDINATES = "coordinates"
    ADDRESS = "address"
    COMMUNE = "commune"
    DISTRICT = "district"


class Reason(StrEnum):
    """Reasons for which a record has no place."""

    NONE = ""
    NO_PLACE = "no_place"
    OUTSIDE = "outside"
    UNCLEAR_ADDRESS = "unclear_address"
    UNKNOWN_UNIT = "unknown_unit"
    BAD_COORDINATES = "bad_coordinates"


@dataclass(frozen=True)
class Claims:
    """Places of n records as their source gives them.

    `lon`, `lat` in degrees, WGS 84, NaN where there are none; `address` and `unit` as text, empty
    where there is none; `day` on which it happened, None when unknown; `precision_m` as the source
    declares it, NaN when it does not.
    """

    lon: Floats
    lat: Floats
    address: Sequence[str]
    unit: Sequence[str]
    day: Sequence[date | None]
    precision_m: Floats

    def __len__(self) -> int:
        return len(self.lon)


@dataclass(frozen=True)
class Placements:
    """Places of n records; arrays of length n.

    `lon`, `lat` NaN and `cell` 0 when there is no point; `commune` and `unit_then` are codes or
    None; `era` is that of an address, `candidates` of an address or a unit; `reason` is empty for a
    record that has a place, else `why` is the sentence for people.
    """

    lon: Floats
    lat: Floats
    cell: npt.NDArray[np.uint64]
    commune: Words
    unit_then: Words
    method: Words
    confidence: Floats
    precision_m: Floats
    era: Words
    candidates: Words  # a tuple each
    reason: Words
    why: Words

    @classmethod
    def nowhere(cls, n: int) -> Self:
        """n records without a place."""
        return cls(
            lon=np.full(n, np.nan),
            lat=np.full(n, np.nan),
            cell=np.zeros(n, np.uint64),
            commune=np.full(n, None, object),
            unit_then=np.full(n, None, object),
            method=np.full(n, None, object),
            confidence=np.full(n, np.nan),
            precision_m=np.full(n, np.nan),
            era=np.full(n, None, object),
            candidates=np.full(n, None, object),
            reason=np.full(n, "", object),
            why=np.full(n, "", object),
        )

    def row(self, i: int) -> dict[str, Any]:
        """One record's place as plain values, None where there is nothing."""
        values = {field.name: getattr(self, field.name)[i] for field in fields(self)}
        return {name: _plain(value) for name, value in values.items()}


class Placer:
    """Places records on given units and boundaries; needs no network.

    `today` is the day whose communes records are counted in. `former` holds tables of old communes
    whose polygons are known, by the first day after their end.
    """

    def __init__(
        self,
        history: UnitHistory,
        cells: CellTable,
        resolver: AddressResolver,
        gazetteer: Gazetteer | None = None,
        *,
        today: date,
        former: Mapping[date, CellTable] | None = None,
    ) -> None:
        self.history = history
        self.cells = cells
        self.former = dict(sorted((former or {}).items()))
        self.resolver = resolver
        self.gazetteer = gazetteer
        self.today = today
        self._unit_names = UnitNames(history, today)

    def place(self, claims: Claims, *, report_outside: bool = True) -> Placements:
        """The place of each record, in their order.

        `report_outside`: the sentence of a point outside says where it lies.
        """
        places = Placements.nowhere(len(claims))
        has_point = np.isfinite(claims.lon) & np.isfinite(claims.lat)
        self._by_coordinates(claims, places, np.flatnonzero(has_point))
        if report_outside:
            self._report_outside(claims, places)
        for i in np.flatnonzero(~has_point):
            self._by_words(claims, places, int(i))
        return places

    def address(self, text: str, day: date | None = None) -> AddressMatch:
        return self.resolver.resolve(text, day=day, gazetteer=self.gazetteer)

    def answer(self, places: Placements, i: int) -> dict[str, Any]:
        """One record's place as JSON: the members of `AddressMatch.to_dict`, with the point, the
        unit of its day, the method, and the reason of a failure.
        """
        row = places.row(i)
        unit = row["commune"] and self.history.unit(row["commune"], Level.COMMUNE, self.today)
        return row | {
            "commune": unit and {"code": unit.code, "name": unit.full_name},
            "confidence": row["confidence"] or 0.0,
            "cell": f"{row['cell']:x}" if row["cell"] else None,
            "candidates": [candidate.to_dict() for candidate in row["candidates"] or ()],
        }

    def _by_coordinates(
        self, claims: Claims, places: Placements, rows: npt.NDArray[np.intp]
    ) -> None:
        rows = self._without_impossible(claims, places, rows)
        lon, lat = claims.lon[rows], claims.lat[rows]
        indices = self.cells.assign(lon, lat)
        codes = np.array([*self.cells.codes, None], object)  # index -1: outside
        places.lon[rows], places.lat[rows] = lon, lat
        places.cell[rows] = h3_cells(lon, lat)
        places.commune[rows] = codes[indices]
        places.method[rows] = PlaceMethod.COORDINATES.value
        places.confidence[rows] = 1.0
        places.precision_m[rows] = claims.precision_m[rows]
        outside = rows[indices < 0]
        places.reason[outside] = Reason.OUTSIDE.value
        places.why[outside] = _OUTSIDE
        for i in rows[indices >= 0]:
            places.unit_then[i] = self._then(places, int(i), claims.day[i])

    def _report_outside(self, claims: Claims, places: Placements) -> None:
        """Write where points outside lie, and that address or unit contradict it, if they do."""
        rows = np.flatnonzero(places.reason == Reason.OUTSIDE.value)
        if len(rows) == 0:
            return
        lon, lat = claims.lon[rows], claims.lat[rows]
        exchanged = self.cells.assign(lat, lon) >= 0
        nearest = self.cells.nearest(lon, lat)
        communes: dict[tuple[str, str, date | None], str | None] = {}
        for n, i in enumerate(rows.tolist()):
            message = _where_outside(
                lon[n],
                lat[n],
                self._name(self.cells.codes[nearest.index[n]]),
                float(nearest.distance_m[n]),
                float(nearest.bearing[n]),
            )
            description = (claims.address[i], claims.unit[i], claims.day[i])
            if description not in communes:
                communes[description] = self._named(*description)
            commune = communes[description]
            if commune is not None:
                message += _CONTRADICTION.format(name=self._name(commune))
            places.why[i] = message + (_EXCHANGED if exchanged[n] else "")

    def _named(self, address: str, unit: str, day: date | None) -> str | None:
        """The commune that an address or unit names clearly, None without one."""
        if address:
            match = self.address(address, day)
            if match.commune is not None:
                return match.commune.code
        return self._unit_names.match(unit, day).commune if unit else None

    def _name(self, code: str) -> str:
        commune = self.history.unit(code, Level.COMMUNE, self.today)
        return code if commune is None else commune.full_name

    def _without_impossible(
        self, claims: Claims, places: Placements, rows: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.intp]:
        """The rows whose coordinates are degrees; the others get a reason."""
        lon, lat = claims.lon[rows], claims.lat[rows]
        good = (np.abs(lon) <= 180) & (np.abs(lat) <= 90)
        bad = rows[~good]
        exchanged = self.cells.assign(lat[~good], lon[~good]) >= 0
        places.reason[bad] = Reason.BAD_COORDINATES.value
        places.why[bad] = _NO_DEGREES
        places.why[bad[exchanged]] = _NO_DEGREES + _EXCHANGED
        return rows[good]

    def _then(self, places: Placements, i: int, day: date | None) -> str | None:
        """The unit of a point on its day, None where it is not known.

        It is known where the commune of today existed already, or by the polygons of that day.
        """
        if day is None:
            return None
        commune: str = places.commune[i]
        commune_today = self.history.unit(commune, Level.COMMUNE, self.today)
        if commune_today is not None and commune_today.valid_on(day):
            return commune
        table = next((table for end, table in self.former.items() if day < end), None)
        if table is None:
            return None
        index = int(table.assign(places.lon[i : i + 1], places.lat[i : i + 1])[0])
        return table.codes[index] if index >= 0 else None

    def _by_words(self, claims: Claims, places: Placements, i: int) -> None:
        address, unit, day = claims.address[i], claims.unit[i], claims.day[i]
        if address:
            _set_match(places, i, self.address(address, day))
        elif unit:
            self._by_unit(places, i, unit, day)
        else:
            places.reason[i] = Reason.NO_PLACE.value
            places.why[i] = (
                "Bản ghi không có tọa độ, địa chỉ hay đơn vị hành chính. / "
                "The record has no coordinates, no address and no unit."
            )

    def _by_unit(self, places: Placements, i: int, unit: str, day: date | None) -> None:
        match = self._unit_names.match(unit, day)
        places.candidates[i] = match.candidates
        if match.commune is None:
            places.reason[i] = Reason.UNKNOWN_UNIT.value
            places.why[i] = match.why
            return
        places.commune[i] = match.commune
        places.unit_then[i] = match.then.code if match.then else None
        places.method[i] = PlaceMethod.COMMUNE.value
        places.confidence[i] = match.confidence
        places.precision_m[i] = COMMUNE_PRECISION_M


_OUTSIDE = "Điểm nằm ngoài tỉnh. / The point lies outside the province."
_CONTRADICTION = (
    " Nhưng lời ghi nói {name}: tọa độ và lời ghi mâu thuẫn. / "
    "But its words name {name}: coordinates and words contradict each other."
)
_DIRECTIONS = (
    ("bắc", "north"), ("đông bắc", "northeast"), ("đông", "east"), ("đông nam", "southeast"),
    ("nam", "south"), ("tây nam", "southwest"), ("tây", "west"), ("tây bắc", "northwest"),
)  # fmt: skip
_NO_DEGREES = (
    "Tọa độ không phải kinh độ, vĩ độ WGS 84. / "
    "The coordinates are no longitude and latitude, WGS 84."
)
_EXCHANGED = " Có lẽ kinh độ và vĩ độ đổi chỗ. / Longitude and latitude may be exchanged."


def _where_outside(lon: float, lat: float, nearest: str, distance_m: float, bearing: float) -> str:
    """Sentence on a point outside; `bearing` (degrees) is that from the nearest commune."""
    vi, en = _DIRECTIONS[round(bearing / 45) % 8]
    km = distance_m / 1_000
    digits = 0 if km >= 10 else 1
    return (
        f"Điểm nằm ngoài tỉnh ({lon:.5f}, {lat:.5f}), cách {nearest} khoảng "
        f"{number_vi(km, digits)} km về phía {vi}. / The point lies outside the province "
        f"({lon:.5f}, {lat:.5f}), about {number_en(km, digits)} km {en} of {nearest}."
    )


def _set_match(places: Placements, i: int, match: AddressMatch) -> None:
    places.candidates[i] = match.candidates
    places.why[i] = match.why
    if match.commune is None:
        places.reason[i] = Reason.UNCLEAR_ADDRESS.value
        return
    places.era[i] = match.era
    places.commune[i] = match.commune.code
    places.unit_then[i] = match.unit_then.code if match.unit_then else None
    places.method[i] = PlaceMethod.ADDRESS.value
    places.confidence[i] = match.confidence
    places.precision_m[i] = match.precision_m
    if match.lon is not None and match.lat is not None and match.cell is not None:
        places.lon[i], places.lat[i] = match.lon, match.lat
        places.cell[i] = int(match.cell, 16)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and np.isnan(value):
        return None
    return value.item() if isinstance(value, np.generic) else value
