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
    BigInteger,
    Boolean,
    Date,
    Integer,
    Text,
    case,
    cast,
    column,
    func,
    text,
)
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeEngine

from gis.boundaries.lineage import LAST_OLD_DAY
from gis.boundaries.units import Level, Unit, UnitHistory
from gis.clock import today
from gis.errors import BadFilter, BadInput
from layers.cql2 import OperandKind
from layers.definition.model import FieldType, LocalizedText
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
    source: ItemSource, parameters: SummaryParameters, history: UnitHistory | None
) -> list[Dimension]:
    """The groupings of a request; raises BadInput for one that the layer does not have."""
    found = [_dimension(name, source, parameters, history) for name in parameters.groupings]
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
        known = ", ".join([*PlaceGrouping, *_TIMES])
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
        place.value, None, Text(), OperandKind.TEXT, _code_of, names=names, values=values,
        place=place,
    )  # fmt: skip


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
    is_taken = served.name in (*STATISTICS, *RATE_COLUMNS, *PlaceGrouping, *_TIMES)
    name = f"properties.{served.name}" if is_taken else served.name
    return Dimension(
        name, served.sql, SQL_TYPES[served.type], kind, names=served.values, values=values
    )
