"""What a summary is grouped by: units, hexes, times and fields, each as SQL on the rows of a layer.

A dimension has an `input`, computed of each row, and a `key`, computed of the inputs and of what
rows are joined with (communes of lines and areas, old units). NULL is a key too: it holds what has
no such unit, time or value, so that the groups are all of the records.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Date,
    Integer,
    Text,
    any_,
    case,
    cast,
    column,
    func,
    select,
    text,
    true,
)
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.expression import CTE
from sqlalchemy.types import TypeEngine

from gis.boundaries.lineage import LAST_OLD_DAY
from gis.boundaries.units import Level, Unit, UnitHistory
from gis.clock import today
from gis.errors import BadFilter, BadInput
from layers.cql2 import FilterScope, OperandKind
from layers.definition.model import FieldType, GeometryKind, LocalizedText
from layers.items.columns import SQL_TYPES, ItemSource, ServedColumn
from layers.items.query import property_of
from layers.storage.tables import finest_of, has_hex_cover, has_unit_shares
from layers.summary.parameters import RATE_COLUMNS, STATISTICS, SummaryParameters

Sql = ColumnElement[Any]


class PlaceGrouping(StrEnum):
    """Kinds of places by which records are grouped."""

    COMMUNE = "commune"
    UNIT_THEN = "unit_then"
    OLD_WARD = "old_ward"
    OLD_DISTRICT = "old_district"
    HEX = "hex"


OLD: Final = {PlaceGrouping.OLD_WARD: Level.COMMUNE, PlaceGrouping.OLD_DISTRICT: Level.DISTRICT}
ROAD_KM: Final = "road_km"
ERA: Final = "@"  # between a code and the first day of its unit
UNITS: Final = (PlaceGrouping.COMMUNE, PlaceGrouping.UNIT_THEN, *OLD)


@dataclass(frozen=True)
class Dimension:
    """One grouping.

    `shown` is the key as the answer has it; `names` are those of keys for people; `values` all the
    keys that there may be, and `step` the interval between two of times.
    """

    name: str
    input: Sql | None
    type: TypeEngine[Any]
    kind: OperandKind
    shown: Callable[[Sql], Sql] = lambda key: key
    names: Mapping[Any, LocalizedText] = field(default_factory=dict)
    values: Sequence[Any] | None = None
    step: str | None = None
    place: PlaceGrouping | None = None

    @property
    def is_named(self) -> bool:
        """True where the answer has a column of names beside that of keys."""
        return bool(self.names) or self.place in UNITS


def dimensions_of(
    source: ItemSource,
    parameters: SummaryParameters,
    history: UnitHistory | None,
    scope: FilterScope | None = None,
) -> list[Dimension]:
    """The groupings of a request; raises BadInput for one that the layer does not have."""
    found = [
        _of_road(source, parameters, scope)
        if name == ROAD_KM
        else _dimension(name, source, parameters, history)
        for name in parameters.groupings
    ]
    if parameters.empty != "no" and any(each.place is PlaceGrouping.HEX for each in found):
        raise BadInput("hexes without a record are not listed: leave out empty, or group otherwise")
    return found


def _dimension(
    name: str, source: ItemSource, parameters: SummaryParameters, history: UnitHistory | None
) -> Dimension:
    if name in [place.value for place in PlaceGrouping]:
        return _of_place(PlaceGrouping(name), source, parameters, history)
    if name in _TIMES:
        return _of_time(name, source, parameters.time)
    try:
        served = property_of(source, name.removeprefix("properties."))
    except BadFilter as error:
        known = ", ".join([*PlaceGrouping, ROAD_KM, *_TIMES])
        raise BadInput(f"by={name!r} is wrong: group by {known}, or by a field; {error}") from None
    return _of_field(served)


def _of_place(
    place: PlaceGrouping,
    source: ItemSource,
    parameters: SummaryParameters,
    history: UnitHistory | None,
) -> Dimension:
    layer = source.layer
    if layer.is_view or not layer.placed or history is None:
        raise BadInput(f"the records of {layer.id} are not placed in units")
    if place is PlaceGrouping.HEX:
        return _of_hexes(source, parameters.resolution)
    names, values = _units(place, history)
    if place is PlaceGrouping.UNIT_THEN and has_unit_shares(layer):
        raise BadInput(
            f"{layer.id} has lines or areas, of which the communes of today alone are kept: group "
            "by commune, old_ward or old_district"
        )
    return Dimension(
        place.value, None, Text(), OperandKind.TEXT,
        _code_of if place is PlaceGrouping.UNIT_THEN else _itself, names=names, values=values,
        place=place,
    )  # fmt: skip


def _itself(key: Sql) -> Sql:
    return key


def _code_of(key: Sql) -> Sql:
    return func.split_part(key, ERA, 1, type_=Text())


def _units(
    place: PlaceGrouping, history: UnitHistory
) -> tuple[dict[Any, LocalizedText], list[str] | None]:
    """Names by key, and the keys of a place of which all are known."""
    if place is PlaceGrouping.UNIT_THEN:
        units = (unit for unit in history.units if unit.level is Level.COMMUNE)
        return _both({key_of_unit(unit): unit.full_name for unit in units}), None
    level = OLD.get(place, Level.COMMUNE)
    day = LAST_OLD_DAY if place in OLD else today()
    named = {unit.code: unit.full_name for unit in history.on(day, level)}
    return _both(named), sorted(named)


def key_of_unit(unit: Unit) -> str:
    """The key of a unit among those of all days: its first day too, as codes are used again."""
    return f"{unit.code}{ERA}{unit.valid_from or ''}"


def _both(names: Mapping[str, str]) -> dict[Any, LocalizedText]:
    return {key: LocalizedText(vi=name, en=name) for key, name in names.items()}


def _of_hexes(source: ItemSource, resolution: int) -> Dimension:
    layer = source.layer
    if has_unit_shares(layer):
        if not has_hex_cover(layer):
            raise BadInput(f"the layer {layer.id} has no hexes")
        if resolution > finest_of(layer):
            raise BadInput(
                f"hexes of {layer.id} are counted up to resolution {finest_of(layer)}, not at "
                f"{resolution}"
            )
        cell = None  # of the cover
    else:
        placed = ~column("default_point", Boolean())
        cell = case((placed, func.gis.h3_parent(column("h3", BigInteger()), resolution)))
    return Dimension(
        PlaceGrouping.HEX.value, cell, BigInteger(), OperandKind.TEXT, place=PlaceGrouping.HEX,
        shown=lambda key: func.gis.h3_text(key, type_=Text()),
    )  # fmt: skip


def _of_road(
    source: ItemSource, parameters: SummaryParameters, scope: FilterScope | None
) -> Dimension:
    """The kilometre of a road by which a point lies; null further than `road_m` from it, and where
    nobody says at which kilometre its line starts.
    """
    layer_id, _, road = (parameters.road or "").partition("/")
    if not road or scope is None:
        raise BadInput("road_km needs a road: write road=roads/QL4D, the layer and the road's name")
    if not source.has_points or source.geometry is None:
        raise BadInput(f"{source.layer.id} has no points: only those lie by a kilometre of a road")
    other = scope.readable(layer_id)
    names = other.layer.gazetteer
    is_lines = other.layer.geometry is GeometryKind.LINE
    if names is None or names.km is None or not is_lines:
        raise BadInput(
            f"the layer {layer_id} has no kilometres: it is no layer of lines with `gazetteer.km`"
        )
    parts = _road_parts(other, road)
    point = source.table.c.geom
    distance = func.ST_DWithin(
        func.geography(parts.c.line), func.geography(point), parameters.road_m
    )
    along = func.ST_LineSubstring(parts.c.line, 0, func.ST_LineLocatePoint(parts.c.line, point))
    km = parts.c.start_km + func.ST_Length(func.geography(along)) / 1000
    nearest = (
        select(cast(func.floor(km), Integer()))
        .where(parts.c.line.op("&&", is_comparison=True)(func.gis.reach(point, parameters.road_m)))
        .where(distance)
        .order_by(func.ST_Distance(func.geography(parts.c.line), func.geography(point)))
        .limit(1)
        .correlate(source.table)
        .scalar_subquery()
    )
    return Dimension(ROAD_KM, nearest, Integer(), OperandKind.NUMBER)


def _road_parts(other: ItemSource, road: str) -> CTE:
    """The lines of a road, each with the kilometre (null: unknown) at which it starts."""
    names = other.layer.gazetteer
    assert names is not None and names.km is not None
    told = [other.by_name[each].sql for each in names.names]
    every = func.gis.search_key(func.concat_ws(";", *told), type_=Text())
    key = func.gis.search_key(road, type_=Text())
    is_road = key == any_(func.regexp_split_to_array(every, r"\s*[;|]\s*", type_=ARRAY(Text())))
    dumped = func.ST_Dump(other.geometry).table_valued("path", "geom", name="part")
    length = func.ST_Length(func.geography(dumped.c.geom)) / 1000
    before = func.sum(length).over(partition_by=other.id, order_by=dumped.c.path) - length
    return (
        select(
            dumped.c.geom.label("line"), (other.by_name[names.km].sql + before).label("start_km")
        )
        .select_from(other.table.join(dumped, true()))
        .where(is_road)
        .cte("road")
        .prefix_with("MATERIALIZED")
    )


@dataclass(frozen=True)
class _Time:
    """A part of the local time: its key, and how the answer shows it."""

    key: Callable[[Sql], Sql]
    type: TypeEngine[Any]
    kind: OperandKind
    form: str | None = None
    step: str | None = None
    names: tuple[LocalizedText, ...] = ()
    first: int = 0


def _truncated(unit: str) -> Callable[[Sql], Sql]:
    return lambda local: cast(func.date_trunc(unit, local), Date())


def _part(part: str) -> Callable[[Sql], Sql]:
    return lambda local: cast(func.date_part(part, local), Integer())


_WEEKDAYS = tuple(
    LocalizedText(vi=vi, en=en)
    for vi, en in (
        ("Thứ Hai", "Monday"), ("Thứ Ba", "Tuesday"), ("Thứ Tư", "Wednesday"),
        ("Thứ Năm", "Thursday"), ("Thứ Sáu", "Friday"), ("Thứ Bảy", "Saturday"),
        ("Chủ Nhật", "Sunday"),
    )
)  # fmt: skip
_NUMBER, _TEXT = OperandKind.NUMBER, OperandKind.TEXT
_TIMES: Final = {
    "year": _Time(_truncated("year"), Date(), _TEXT, "YYYY", "1 year"),
    "quarter": _Time(_truncated("quarter"), Date(), _TEXT, 'YYYY-"Q"Q', "3 months"),
    "month": _Time(_truncated("month"), Date(), _TEXT, "YYYY-MM", "1 month"),
    "week": _Time(_truncated("week"), Date(), _TEXT, 'IYYY-"W"IW', "7 days"),  # ISO 8601
    "day": _Time(_truncated("day"), Date(), _TEXT, "YYYY-MM-DD", "1 day"),
    "weekday": _Time(_part("isodow"), Integer(), _NUMBER, names=_WEEKDAYS, first=1),
    "hour": _Time(_part("hour"), Integer(), _NUMBER),
}
_ALL: Final = {"weekday": range(1, 8), "hour": range(24)}


def _of_time(name: str, source: ItemSource, field_name: str | None) -> Dimension:
    time = _TIMES[name]
    served = source.time if field_name is None else property_of(source, field_name)
    if served is None:
        raise BadInput(f"the records of {source.layer.id} have no time: group by something else")
    if served.type not in (FieldType.DATE, FieldType.DATETIME):
        raise BadInput(f"{served.name} is no time: name a field of dates or times, as time=…")
    if served.type is FieldType.DATE and name == "hour":
        raise BadInput(f"{served.name} is a date and has no hour: group by weekday, month or year")
    return Dimension(
        name,
        time.key(local(served)),
        time.type,
        time.kind,
        shown=(lambda key: key) if time.form is None else _formed(time.form),
        names=dict(enumerate(time.names, time.first)),
        values=_ALL.get(name),
        step=time.step,
    )


def _formed(form: str) -> Callable[[Sql], Sql]:
    return lambda key: func.to_char(cast(key, Date()), form, type_=Text())


def local(served: ServedColumn) -> Sql:
    """A time by the clock of the country (+07:00 all year round)."""
    if served.type is FieldType.DATE:
        return cast(served.sql, SQL_TYPES[FieldType.DATE])
    return func.timezone(text("interval '7 hours'"), served.sql)


_GROUPED = {
    FieldType.TEXT: OperandKind.TEXT,
    FieldType.INTEGER: OperandKind.NUMBER,
    FieldType.BOOLEAN: OperandKind.BOOLEAN,
    FieldType.DATE: OperandKind.DATE,
}


def _of_field(served: ServedColumn) -> Dimension:
    kind = _GROUPED.get(served.type)
    if kind is None:
        raise BadInput(
            f"by={served.name} is wrong: it is a {served.type}, which hardly ever comes twice; "
            "group by a text, a whole number, a date, or true and false"
        )
    values: Sequence[Any] | None = list(served.values) or None
    if kind is OperandKind.BOOLEAN:
        values = [False, True]
    is_taken = served.name in (*STATISTICS, *RATE_COLUMNS, *PlaceGrouping, ROAD_KM, *_TIMES)
    name = f"properties.{served.name}" if is_taken else served.name
    return Dimension(
        name, served.sql, SQL_TYPES[served.type], kind, names=served.values, values=values
    )
