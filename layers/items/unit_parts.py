"""Counts of lines and areas by unit: each counts in every unit that holds a part of it."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    Boolean,
    Connection,
    Double,
    Subquery,
    Text,
    and_,
    bindparam,
    case,
    cast,
    column,
    false,
    func,
    select,
)
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeEngine

from gis.boundaries.lineage import Key, district_shares
from gis.boundaries.package_units import REFORM
from gis.boundaries.units import UnitHistory
from layers.definition.model import GeometryKind
from layers.items.columns import ItemSource
from layers.items.query import Query
from layers.items.value_errors import computed
from layers.storage.tables import size_measure, table_of, unit_shares_of


@dataclass(frozen=True, slots=True)
class UnitParts:
    """Lines or areas of a unit (`code` None: those in none): how many have a part there, the sum of
    their shares (1 is a whole one), and of their sizes there, in km or km².

    `estimated`: some lie in a commune that was made of several districts.
    """

    code: str | None
    count: int
    share: float
    size: float
    estimated: bool


def count_shapes(connection: Connection, source: ItemSource, query: Query) -> int:
    """The number of lines or areas that a query asks for."""
    rows = _rows(source, query)
    with computed():
        return connection.scalar(select(func.count()).select_from(rows)) or 0


def parts_by_commune(connection: Connection, source: ItemSource, query: Query) -> list[UnitParts]:
    """Parts by commune of today."""
    parts = _parts(source, query)
    share = func.coalesce(parts.c.share, 0)
    counts = (func.count(), func.sum(share), func.sum(share * parts.c.size), false())
    statement = select(parts.c.commune, *counts).group_by(parts.c.commune)
    return _ordered(connection, statement)


def parts_by_old_district(
    connection: Connection, source: ItemSource, query: Query, history: UnitHistory, last_day: date
) -> list[UnitParts]:
    """Parts by district as of `last_day`, the last one on which there were districts.

    A commune that was made of several gives each its part of the share, in equal parts a ward.
    """
    parts = _parts(source, query)
    keys = (parts.c.then, parts.c.commune, parts.c.is_old)
    with computed():
        found = connection.execute(select(*keys).distinct()).all()
    shares = [
        (key.then, key.commune, key.is_old, district, share)
        for key in (Key(*row) for row in found)
        for district, share in district_shares(history, key, last_day).items()
    ]
    held = _unnested(shares)
    is_same = and_(*(parts.c[name].is_not_distinct_from(held.c[name])
                     for name in ("then", "commune", "is_old")))  # fmt: skip
    share = func.coalesce(parts.c.share, 0) * held.c.share
    counts = (
        func.count(parts.c.id.distinct()),
        func.sum(share),
        func.sum(share * parts.c.size),
        func.bool_or(held.c.share < 1),
    )
    joined = parts.join(held, is_same)
    statement = select(held.c.district, *counts).select_from(joined).group_by(held.c.district)
    return _ordered(connection, statement)


def _rows(source: ItemSource, query: Query) -> Subquery:
    """Rows with their size in km or km²: computed once, however many parts a row has."""
    columns = table_of(source.layer).c
    measure = size_measure(source.layer)
    assert measure is not None
    shape = func.geography(columns.geom)
    is_line = source.layer.geometry is GeometryKind.LINE
    size: ColumnElement[Any] = func.ST_Length(shape) if is_line else func.ST_Area(shape)
    day = func.timezone("Asia/Ho_Chi_Minh", columns.valid_at)
    reform = datetime(REFORM.year, REFORM.month, REFORM.day)
    return (
        select(
            columns.id,
            columns.commune,
            columns.unit_then,
            func.coalesce(day < reform, False).label("is_old"),
            (func.coalesce(size, 0) / measure.unit).label("size"),
        )
        .where(*query.conditions(source))
        .offset(0)  # keeps the planner from computing the size for each part
        .subquery()
    )


def _parts(source: ItemSource, query: Query) -> Subquery:
    """Parts of rows in communes of today; the unit of its day is known of the largest alone."""
    rows, units = _rows(source, query), unit_shares_of(source.layer)
    is_main = units.c.commune.is_not_distinct_from(rows.c.commune)
    return (
        select(
            rows.c.id,
            rows.c.size,
            units.c.commune,
            units.c.share,
            case((is_main, rows.c.unit_then)).label("then"),
            and_(is_main, rows.c.is_old).label("is_old"),
        )
        .select_from(rows.outerjoin(units, units.c.id == rows.c.id))
        .subquery()
    )


_SHARE_TYPES: dict[str, type[TypeEngine[Any]]] = {
    "then": Text, "commune": Text, "is_old": Boolean, "district": Text, "share": Double,
}  # fmt: skip


def _unnested(shares: list[tuple[Any, ...]]) -> Any:
    columns = list(zip(*shares, strict=True)) or [()] * len(_SHARE_TYPES)
    arrays = (
        cast(bindparam(f"{name}s", list(values)), ARRAY(kind))
        for (name, kind), values in zip(_SHARE_TYPES.items(), columns, strict=True)
    )
    names: list[ColumnElement[Any]] = [column(name, kind) for name, kind in _SHARE_TYPES.items()]
    return func.unnest(*arrays).table_valued(*names, name="held").render_derived()


def _ordered(connection: Connection, statement: Any) -> list[UnitParts]:
    with computed():
        rows = connection.execute(statement).all()
    parts = [UnitParts(*columns) for columns in map(tuple, rows)]
    return sorted(parts, key=lambda part: (part.code is None, part.code or ""))
