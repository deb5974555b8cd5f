"""Placer: gives records their hex and commune, with method, confidence and precision.

Coordinates come first, then an address, then a unit's code or name. All of them are clues: those
that agree raise the confidence, and a record whose clues contradict each other has no place until a
person decides. A record without a place has a reason: one word for programs and one sentence for
people.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from enum import StrEnum
from functools import cached_property
from math import hypot
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import shapely

from gis.boundaries.units import Level, UnitHistory
from gis.placing.addresses import AddressMatch, AddressResolver, Candidate
from gis.placing.cells import OUTSIDE, CellTable, Indexes, h3_cells
from gis.placing.centres import centres_at
from gis.placing.clues import (
    ADDRESS,
    COMMUNE,
    NARROWED,
    Clue,
    Clues,
    Words,
    address_clue,
    district_clue,
    unit_clue,
)
from gis.placing.gazetteer import Gazetteer
from gis.placing.unit_names import UnitMatch, UnitNames
from gis.text import number_en, number_vi, search_key

Floats = npt.NDArray[np.float64]
Objects = npt.NDArray[np.object_]
Days = npt.NDArray[np.datetime64]

COMMUNE_PRECISION_M = 5_000.0
# Borders are drawn, and phones measure, to some hundred metres: a point that much beyond a border
# does not contradict the commune that its words name.
BORDER_TOLERANCE_M = 300.0
NEAR_BORDER_CONFIDENCE = 0.9
CONTRADICTING_CONFIDENCE = 0.2


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
    CONTRADICTION = "contradiction"
    UNCLEAR_ADDRESS = "unclear_address"
    UNKNOWN_UNIT = "unknown_unit"
    BAD_COORDINATES = "bad_coordinates"


@dataclass(frozen=True)
class Claims:
    """Places of n records as their source gives them.

    `lon`, `lat` in degrees, WGS 84, NaN where there are none; `address` and `unit` as text, empty
    where there is none; `day` on which it happened, None when unknown; `precision_m` as the source
    declares it, NaN when it does not. `district` as `unit`, where the source has such a column.
    `shapes` (EPSG:4326, None where there is none), where records are lines or areas, of which `lon`
    and `lat` are a point.
    """

    lon: Floats
    lat: Floats
    address: Sequence[str]
    unit: Sequence[str]
    day: Sequence[date | None]
    precision_m: Floats
    district: Sequence[str] = ()
    shapes: Objects | None = None

    def __len__(self) -> int:
        return len(self.lon)

    def words(self, i: int) -> Words:
        """The words of one record."""
        district = self.district[i] if self.district else ""
        return Words(self.address[i], self.unit[i], district, self.day[i])

    def tolerance_m(self, i: int) -> float:
        """How far the point of a record may lie from a commune without contradicting it."""
        return max(BORDER_TOLERANCE_M, float(np.nan_to_num(self.precision_m[i])))

    def place_of(self, i: int) -> shapely.Geometry:
        """The point, line or area of one record (EPSG:4326)."""
        if self.shapes is not None and self.shapes[i] is not None:
            return self.shapes[i]
        return shapely.Point(self.lon[i], self.lat[i])


def have_words(*columns: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Mask of the records with a word in one of their columns; empty columns have none."""
    masks = [np.fromiter(map(bool, words), np.bool_) for words in columns if words]
    return np.asarray(np.logical_or.reduce(masks), np.bool_)


@dataclass(frozen=True)
class Placements:
    """Places of n records; arrays of length n.

    `lon`, `lat` NaN and `cell` 0 when there is no point; of a line or area they are on its largest
    part in the province, `commune` holds that part, and `shares` has all. `commune` and `unit_then`
    are codes or None; `era` and `matched` (the place found) are those of an address, `candidates`
    of an address or a unit; `reason` is empty for a record that has a place, else `why` is the
    sentence for people.
    """

    lon: Floats
    lat: Floats
    cell: npt.NDArray[np.uint64]
    commune: Objects
    unit_then: Objects
    method: Objects
    confidence: Floats
    precision_m: Floats
    era: Objects
    matched: Objects
    candidates: Objects  # a tuple each
    reason: Objects
    why: Objects
    shares: Objects  # commune → share (0–1), None of points

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
            matched=np.full(n, None, object),
            candidates=np.full(n, None, object),
            reason=np.full(n, "", object),
            why=np.full(n, "", object),
            shares=np.full(n, None, object),
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
        self.unit_names = UnitNames(history, today)

    def place(self, claims: Claims, *, report_outside: bool = True) -> Placements:
        """The place of each record, in their order.

        `report_outside`: points outside are held against the words, and the sentence says where
        they lie.
        """
        places = Placements.nowhere(len(claims))
        has_point = np.isfinite(claims.lon) & np.isfinite(claims.lat)
        self._by_coordinates(claims, places, np.flatnonzero(has_point))
        clues = self._clue_reader()
        if report_outside:
            self._report_outside(claims, places, clues)
        has_place = places.commune != None  # noqa: E711 (an array)
        has_words = have_words(claims.address, claims.unit, claims.district)
        for i in np.flatnonzero(has_place & has_words).tolist():
            words = claims.words(i)
            if self._is_named_in(words.address, places.commune[i]):
                words = words._replace(address="")
            if words:
                self._hold_against_words(claims, places, i, clues(words))
        for i in np.flatnonzero(~has_point).tolist():
            self._by_words(places, i, claims.words(i), clues)
        return places

    def centres_at(self, lon: Floats, lat: Floats, precision_m: Floats) -> npt.NDArray[np.intp]:
        """Number of the commune on whose centre each point (degrees) is, -1 on none.

        Many of them may stand for all of it: see `gis.placing.centres.stand_for_communes`. Points
        whose source says how precise they are (`precision_m` is not NaN) are none.
        """
        shapes = [table.shapes for table in (self.cells, *self.former.values())]
        masked = np.where(np.isnan(precision_m), lon, np.nan)
        return centres_at(masked, lat, np.concatenate(shapes))

    def address(self, text: str, day: date | None = None) -> AddressMatch:
        return self.resolver.resolve(text, day=day, gazetteer=self.gazetteer)

    def answer(self, places: Placements, i: int) -> dict[str, Any]:
        """One record's place as JSON: the members of `AddressMatch.to_dict`, with the point, the
        unit of its day, the method, and the reason of a failure.
        """
        row = places.row(i)
        del row["shares"]  # of lines and areas alone
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
        if claims.shapes is not None:
            lon, lat = self._by_shapes(claims.shapes, places, rows, lon, lat, indices)
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
        inside = indices >= 0
        self._set_units_then(places, rows[inside], indices[inside], claims.day)

    def _by_shapes(
        self,
        shapes: Objects,
        places: Placements,
        rows: npt.NDArray[np.intp],
        lon: Floats,
        lat: Floats,
        indices: Indexes,
    ) -> tuple[Floats, Floats]:
        """Set the shares and `indices` of lines and areas; gives points on their main parts."""
        lon, lat = lon.copy(), lat.copy()
        for n, shares in enumerate(self.cells.shares(shapes[rows])):
            if shapes[rows[n]] is None:
                continue
            indices[n] = OUTSIDE if shares is None else shares.main
            if shares is not None:
                lon[n], lat[n] = shares.point.x, shares.point.y
                places.shares[rows[n]] = {
                    self.cells.codes[index]: share for index, share in shares.shares.items()
                }
        return lon, lat

    def _clue_reader(self) -> Callable[[Words], Clues]:
        """Clues of words; the same words stand in many records of a batch."""
        known: dict[Words, Clues] = {}

        def read(words: Words) -> Clues:
            if words not in known:
                known[words] = self._clues(words)
            return known[words]

        return read

    def _clues(self, words: Words) -> Clues:
        address = self.address(words.address, words.day) if words.address else None
        unit = self.unit_names.match(words.unit, words.day) if words.unit else None
        ever = self.unit_names.match(words.unit, None) if words.unit else None
        found = (
            address_clue(address) if address else None,
            unit_clue(unit, ever) if unit and ever else None,
            district_clue(self.unit_names.district(words.district)) if words.district else None,
        )
        return Clues(address, unit, tuple(clue for clue in found if clue is not None))

    def _report_outside(
        self, claims: Claims, places: Placements, clues: Callable[[Words], Clues]
    ) -> None:
        """Write where points outside lie; where the words name a commune, they contradict it."""
        rows = np.flatnonzero(places.reason == Reason.OUTSIDE.value)
        if len(rows) == 0:
            return
        lon, lat = claims.lon[rows], claims.lat[rows]
        exchanged = self.cells.assign(lat, lon) >= 0
        nearest = self.cells.nearest(lon, lat)
        for n, i in enumerate(rows.tolist()):
            message = _where_outside(
                lon[n],
                lat[n],
                self._name(self.cells.codes[nearest.index[n]]),
                float(nearest.distance_m[n]),
                float(nearest.bearing[n]),
            )
            clue = clues(claims.words(i)).against(()) if claims.words(i) else None
            if clue is not None and self._is_beyond(claims, i, clue):
                message += _CONTRADICTION.format(name=self._names(clue.communes))
                self._contradict(places, i, clue.communes)
            places.why[i] = message + (_EXCHANGED if exchanged[n] else "")

    def _hold_against_words(self, claims: Claims, places: Placements, i: int, clues: Clues) -> None:
        """Compare the commune of a point with what its words name."""
        commune = places.commune[i]
        clue = clues.against(places.shares[i] or [commune])
        if clue is None:
            if clues.abroad:
                places.confidence[i] = _ABROAD_CONFIDENCE
                places.why[i] = clues.address.why if clues.address else ""
        elif not self._is_beyond(claims, i, clue):
            places.confidence[i] = NEAR_BORDER_CONFIDENCE
            places.why[i] = _NEAR_BORDER.format(
                here=self._name(commune), vi=clue.vi, en=clue.en, name=self._names(clue.communes)
            )
        else:
            east_m, north_m = self.cells.offset_m(clue.communes, claims.place_of(i))
            places.why[i] = _point_elsewhere(
                self._name(commune), self._names(clue.communes), clue, hypot(east_m, north_m)
            )
            self._contradict(places, i, [commune, *sorted(clue.communes)])

    def _is_named_in(self, address: str, commune: str) -> bool:
        """True where an address has the name of a commune in it: then it need not be resolved."""
        key = search_key(address) if address else ""
        return any(name in key for name in self._names_of.get(commune, ()))

    @cached_property
    def _names_of(self) -> dict[str, list[str]]:
        """Search keys of each commune's names, and of the communes that it was made of.

        Without those that a district or province bears too.
        """
        upper = {
            search_key(unit.name) for unit in self.history.units if unit.level is not Level.COMMUNE
        }
        new_of: dict[str, set[str]] = {}
        for change in self.history.changes:
            new_of.setdefault(change.old, set()).add(change.new)
        names: dict[str, list[str]] = {}
        for unit in self.history.units:
            key = search_key(unit.name)
            if key not in upper and len(key) >= _TELLING_LENGTH:
                for code in {unit.code, *new_of.get(unit.code, ())}:
                    names.setdefault(code, []).append(key)
        return names

    def _is_beyond(self, claims: Claims, i: int, clue: Clue) -> bool:
        east_m, north_m = self.cells.offset_m(clue.communes, claims.place_of(i))
        return hypot(east_m, north_m) > claims.tolerance_m(i)

    def _contradict(self, places: Placements, i: int, communes: Iterable[str]) -> None:
        """Take the place of a record away; the communes that its clues name are candidates."""
        places.reason[i] = Reason.CONTRADICTION.value
        places.confidence[i] = CONTRADICTING_CONFIDENCE
        places.commune[i], places.unit_then[i] = None, None
        places.candidates[i] = tuple(
            Candidate(code, self._name(code), _ONE_OF_THE_CLUES) for code in communes
        )

    def _names(self, communes: frozenset[str]) -> str:
        names = [self._name(code) for code in sorted(communes)]
        return ", ".join(names[:_MAX_NAMES]) + (" …" if len(names) > _MAX_NAMES else "")

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

    def _set_units_then(
        self,
        places: Placements,
        rows: npt.NDArray[np.intp],
        indices: Indexes,
        days: Sequence[date | None],
    ) -> None:
        """Write the unit of points on their day, where it is known.

        It is known where the commune of today (`indices` in the codes of `cells`) existed already,
        or by the polygons of that day.
        """
        day = np.array(days, "datetime64[D]")[rows]
        since, until = self._spans
        existed = (since[indices] <= day) & (day < until[indices])
        places.unit_then[rows[existed]] = places.commune[rows[existed]]
        left = ~existed & ~np.isnat(day)
        for end, table in self.former.items():
            then = left & (day < np.datetime64(end))
            left &= ~then
            codes = np.array([*table.codes, None], object)  # index -1: outside
            there = rows[then]
            places.unit_then[there] = codes[table.assign(places.lon[there], places.lat[there])]

    @cached_property
    def _spans(self) -> tuple[Days, Days]:
        """The first day of each commune of `cells`, and the first after its end.

        Of one that is not known today, no day is between them.
        """
        units = [self.history.unit(code, Level.COMMUNE, self.today) for code in self.cells.codes]
        since = [date.max if unit is None else unit.valid_from or date.min for unit in units]
        until = [date.min if unit is None else unit.valid_to or date.max for unit in units]
        return np.array(since, "datetime64[D]"), np.array(until, "datetime64[D]")

    def _by_words(
        self, places: Placements, i: int, words: Words, read: Callable[[Words], Clues]
    ) -> None:
        if not words:
            places.reason[i], places.why[i] = Reason.NO_PLACE.value, _NO_PLACE
            return
        clues = read(words)
        address, unit = clues.address, clues.unit
        by_address = address.commune.code if address and address.commune else None
        by_unit = unit.commune if unit else None
        commune = by_address if by_address and clues.all[0].sure else by_unit or by_address
        against = clues.against([commune]) if commune else None
        if commune and (against or clues.abroad):
            self._contradict_words(places, i, clues, commune, against)
        elif address and commune and commune == by_address:
            _set_match(places, i, address)
            places.confidence[i] = clues.agreed_confidence(commune, address.confidence, but=ADDRESS)
        elif unit and commune:
            self._set_unit(places, i, unit)
            places.confidence[i] = clues.agreed_confidence(commune, unit.confidence, but=COMMUNE)
            self._set_place_within(places, i, unit, words)
        elif len(clues.common) == 1:
            self._set_common(places, i, clues)
        elif address and not (unit and unit.candidates and not address.candidates):
            _set_match(places, i, address)
            if unit:  # whoever corrects the record may correct the column as well
                places.why[i] = f"{address.why} {unit.why}"
        elif unit:
            places.candidates[i] = unit.candidates
            places.reason[i], places.why[i] = Reason.UNKNOWN_UNIT.value, unit.why
        else:
            self._refuse_district(places, i, words.district, clues)

    def _contradict_words(
        self, places: Placements, i: int, clues: Clues, commune: str, against: Clue | None
    ) -> None:
        """The words of a record contradict each other: `commune` is what the best of them name."""
        if against is None:
            places.why[i] = f"{clues.address.why if clues.address else ''}" + _CONTRADICTION.format(
                name=self._name(commune)
            )
            self._contradict(places, i, [commune])
            return
        says = next(clue for clue in clues.all if commune in clue.communes)
        places.why[i] = _WORDS_APART.format(
            vi=says.vi.capitalize(),
            en=says.en.capitalize(),
            name=self._name(commune),
            other_vi=against.vi,
            other_en=against.en,
            other=self._names(against.communes),
        )
        self._contradict(places, i, [commune, *sorted(against.communes)])

    def _set_unit(self, places: Placements, i: int, unit: UnitMatch) -> None:
        places.candidates[i] = unit.candidates
        places.commune[i] = unit.commune
        places.unit_then[i] = unit.then.code if unit.then else None
        places.method[i] = PlaceMethod.COMMUNE.value
        places.precision_m[i] = COMMUNE_PRECISION_M

    def _set_place_within(self, places: Placements, i: int, unit: UnitMatch, words: Words) -> None:
        """Give a record the place that its address names within the commune of its column.

        The column was read already, and naming it again makes nothing surer.
        """
        if self.gazetteer is None or not words.address:
            return
        commune, confidence = places.commune[i], places.confidence[i]
        name = unit.then.full_name if unit.then else self._name(commune)
        match = self.address(f"{words.address}, {name}", words.day)
        if match.cell is not None and match.commune and match.commune.code == commune:
            _set_match(places, i, match)
            places.confidence[i] = confidence

    def _set_common(self, places: Placements, i: int, clues: Clues) -> None:
        """Place a record in the one commune that all its unclear clues leave."""
        (commune,) = clues.common
        named = clues.address is not None and bool(clues.address.candidates)
        places.commune[i] = commune
        places.method[i] = (PlaceMethod.ADDRESS if named else PlaceMethod.COMMUNE).value
        places.confidence[i] = NARROWED
        places.precision_m[i] = COMMUNE_PRECISION_M
        places.why[i] = _NARROWED_BY_ALL.format(name=self._name(commune))

    def _refuse_district(self, places: Placements, i: int, text: str, clues: Clues) -> None:
        places.reason[i] = Reason.UNKNOWN_UNIT.value
        codes = sorted(clues.all[0].communes) if clues.all else []
        places.candidates[i] = tuple(
            Candidate(code, self._name(code), _OF_DISTRICT.format(text=text)) for code in codes
        )
        places.why[i] = (_DISTRICT_ALONE if codes else _UNKNOWN_DISTRICT).format(text=text)


_OUTSIDE = "Điểm nằm ngoài tỉnh. / The point lies outside the province."
_CONTRADICTION = (
    " Nhưng lời ghi nói {name}: tọa độ và lời ghi mâu thuẫn. / "
    "But its words name {name}: coordinates and words contradict each other."
)
_NO_PLACE = (
    "Bản ghi không có tọa độ, địa chỉ hay đơn vị hành chính. / "
    "The record has no coordinates, no address and no unit."
)
_NEAR_BORDER = (
    "Điểm nằm trong {here}, sát ranh giới {name} mà {vi} ghi. / "
    "The point lies in {here}, close to {name}, which {en} names."
)
_WORDS_APART = (
    "{vi} ghi {name}, {other_vi} ghi {other}: hai thông tin mâu thuẫn. / "
    "{en} names {name}, {other_en} names {other}: they contradict each other."
)
_NARROWED_BY_ALL = (
    "Chỉ {name} phù hợp với mọi thông tin của bản ghi. / Only {name} fits all that the record says."
)
_ONE_OF_THE_CLUES = "một trong các thông tin mâu thuẫn / one of the contradicting clues"
_OF_DISTRICT = "nay gồm phần của {text} / holds a part of {text}"
_DISTRICT_ALONE = (
    "Chỉ biết huyện «{text}»: hãy cho xã, phường. / "
    "Only the district “{text}” is known: give a commune."
)
_UNKNOWN_DISTRICT = "Không có huyện nào là «{text}». / There is no district “{text}”."
_MAX_NAMES = 3
_TELLING_LENGTH = 5  # letters of a name that other words do not hold by chance
_ABROAD_CONFIDENCE = 0.7
DIRECTIONS = (
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
    vi, en = DIRECTIONS[round(bearing / 45) % 8]
    km = distance_m / 1_000
    digits = 0 if km >= 10 else 1
    return (
        f"Điểm nằm ngoài tỉnh ({lon:.5f}, {lat:.5f}), cách {nearest} khoảng "
        f"{number_vi(km, digits)} km về phía {vi}. / The point lies outside the province "
        f"({lon:.5f}, {lat:.5f}), about {number_en(km, digits)} km {en} of {nearest}."
    )


def _point_elsewhere(here: str, named: str, clue: Clue, distance_m: float) -> str:
    """Sentence on a point that lies far from the communes that a clue names."""
    km = distance_m / 1_000
    digits = 0 if km >= 10 else 1
    return (
        f"Điểm nằm trong {here}, nhưng {clue.vi} ghi {named}, cách đó {number_vi(km, digits)} km: "
        f"tọa độ và lời ghi mâu thuẫn. / The point lies in {here}, but {clue.en} names {named}, "
        f"{number_en(km, digits)} km away: coordinates and words contradict each other."
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
    places.matched[i] = match.matched
    if match.lon is not None and match.lat is not None and match.cell is not None:
        places.lon[i], places.lat[i] = match.lon, match.lat
        places.cell[i] = int(match.cell, 16)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and np.isnan(value):
        return None
    return value.item() if isinstance(value, np.generic) else value
