"""Selections of items by box, time, properties and filter, as SQL conditions on a source."""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, Double, and_, bindparam, cast, func, or_, true
from sqlalchemy.sql.elements import ColumnElement

from gis.errors import BadFilter, BadInput
from gis.values import TimeSpan
from layers.items.columns import SQL_TYPES, ItemSource, ServedColumn
from layers.items.crs import CRS84, Crs
from layers.items.literals import literal_of

_EDGE_PARTS = 64  # straight edges of a box bend in another CRS


@dataclass(frozen=True, slots=True)
class Box:
    """A box in a CRS, x before y; west > east means one that crosses the antimeridian."""

    west: float
    south: float
    east: float
    north: float
    crs: Crs = CRS84

    def __post_init__(self) -> None:
        if self.south > self.north:
            raise BadInput(
                f"bbox: its lower edge {self.south} lies above its upper edge {self.north}: "
                "give west,south,east,north"
            )
        if self.west > self.east and self.crs.srid != CRS84.srid:
            raise BadInput(
                f"bbox: its left edge {self.west} lies right of its right edge {self.east}"
            )

    def parts(self) -> Iterator["Box"]:
        """One box, or the two on either side of the antimeridian."""
        if self.west <= self.east:
            yield self
            return
        yield Box(self.west, self.south, 180, self.north, self.crs)
        yield Box(-180, self.south, self.east, self.north, self.crs)


@dataclass(frozen=True)
class Query:
    """A selection of items. `equal` compares properties with the text that a client gave; `others`
    are the layers that the condition looks into.
    """

    box: Box | None = None
    time: TimeSpan | None = None
    equal: Mapping[str, str] = field(default_factory=dict)
    condition: ColumnElement[bool] | None = None
    others: tuple[str, ...] = ()

    @property
    def is_everything(self) -> bool:
        return self.box is None and self.time is None and not self.equal and self.condition is None

    @property
    def shape(self) -> Hashable | None:
        """The key of the statement in the cache, without `values`; None where there is a filter."""
        if self.condition is not None:
            return None
        box = self.box and (self.box.crs, self.box.west <= self.box.east)
        time = self.time and (self.time.start is None, self.time.end is None)
        return box, time, tuple(self.equal)

    def values(self, source: ItemSource) -> dict[str, Any]:
        """The values of the conditions, by the names with which they are bound."""
        values: dict[str, Any] = {}
        for number, part in enumerate(self.box.parts() if self.box else ()):
            values |= _bound_box(part, number)
        if self.time is not None:
            values |= {"time_start": self.time.start, "time_end": self.time.end}
        for name, text in self.equal.items():
            values[_name_of_equal(name)] = literal_of(property_of(source, name), text)
        return values

    def conditions(self, source: ItemSource) -> list[ColumnElement[bool]]:
        """Raises BadFilter or BadInput where the layer cannot answer this."""
        conditions: list[ColumnElement[bool]] = []
        if self.box is not None:
            conditions.append(_in_box(source, self.box))
        if self.time is not None:
            conditions.append(_in_time(source, self.time))
        else:
            conditions += source.by_default
        conditions += [_equals(source, name, text) for name, text in self.equal.items()]
        if self.condition is not None:
            conditions.append(self.condition)
        return conditions


# SQLAlchemy's own names end in a number, these never do.
def _name_of_equal(name: str) -> str:
    return f"equal_{name}_is"


def _bound_box(box: Box, number: int) -> dict[str, float]:
    longest = max(box.east - box.west, box.north - box.south) / _EDGE_PARTS or 1.0
    edges = {"west": box.west, "south": box.south, "east": box.east, "north": box.north}
    return {f"box{number}_{name}": value for name, value in {**edges, "longest": longest}.items()}


def _envelope(box: Box, number: int) -> ColumnElement[Any]:
    """The box in the CRS of storage; its edges are densified where the CRS differs."""
    parameters: list[ColumnElement[Any]] = [
        bindparam(name, value, Double()) for name, value in _bound_box(box, number).items()
    ]
    envelope = func.ST_MakeEnvelope(*parameters[:4], box.crs.srid)
    if box.crs.srid == CRS84.srid:
        return envelope
    return func.ST_Transform(func.ST_Segmentize(envelope, parameters[4]), CRS84.srid)


def _in_box(source: ItemSource, box: Box) -> ColumnElement[bool]:
    if source.geometry is None:
        raise BadInput(f"the layer {source.layer.id} has no geometry: leave out bbox")
    return or_(*(_intersects(source, part, i) for i, part in enumerate(box.parts())))


def _intersects(source: ItemSource, box: Box, number: int) -> ColumnElement[bool]:
    # A point lies in an upright box exactly when the index says so.
    if source.has_points and box.crs.srid == CRS84.srid:
        return source.geometry.op("&&", is_comparison=True)(_envelope(box, number))  # type: ignore[union-attr]
    return func.ST_Intersects(source.geometry, _envelope(box, number))


def _in_time(source: ItemSource, span: TimeSpan) -> ColumnElement[bool]:
    if source.time is None:
        raise BadInput(f"the records of {source.layer.id} have no time: leave out datetime")
    if source.end is not None:
        return _holds_within(source.time.sql, source.end.sql, span)
    ends: list[ColumnElement[bool]] = [source.time.sql.is_not(None)]
    if span.start is not None:
        ends.append(source.time.sql >= _bound_time("time_start", span.start))
    if span.end is not None:
        ends.append(source.time.sql <= _bound_time("time_end", span.end))
    return and_(*ends)


def _holds_within(
    first: ColumnElement[Any], end: ColumnElement[Any], span: TimeSpan
) -> ColumnElement[bool]:
    """Rows that hold at some instant of the span; a day begins at midnight in Vietnam."""
    conditions: list[ColumnElement[bool]] = []
    if span.end is not None:
        conditions.append(
            or_(first.is_(None), _midnight(first) <= _bound_time("time_end", span.end))
        )
    if span.start is not None:
        conditions.append(
            or_(end.is_(None), _midnight(end) > _bound_time("time_start", span.start))
        )
    return and_(true(), *conditions)


def _bound_time(name: str, at: datetime) -> ColumnElement[Any]:
    return bindparam(name, at, DateTime(timezone=True))


def _midnight(day: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.timezone("Asia/Ho_Chi_Minh", cast(day, DateTime()))


def _equals(source: ItemSource, name: str, text: str) -> ColumnElement[bool]:
    served = property_of(source, name)
    value = literal_of(served, text)
    return served.sql == bindparam(_name_of_equal(name), value, SQL_TYPES[served.type])


def property_of(source: ItemSource, name: str) -> ServedColumn:
    """The property of that name; raises BadFilter with those that there are."""
    try:
        return source.by_name[name]
    except KeyError:
        known = ", ".join(source.by_name)
        raise BadFilter(
            f"the layer {source.layer.id} has no property {name!r}: it has {known}"
        ) from None
