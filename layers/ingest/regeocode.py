"""Rows placed on other communes than those of today are placed again.

When units change by a decree, get better polygons, or a decree's day comes, a point's commune is
looked up anew; a row that is known by its commune alone follows the lineage. Then `commune` is
again the commune of today. What a row said of its own day stays.

A row that lies outside the province now stays in its layer and is listed in quarantine, and what
waits there as outside is tried again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Connection,
    Row,
    String,
    Table,
    bindparam,
    column,
    func,
    select,
    text,
)

from gis.boundaries.units import Level, UnitHistory
from gis.clock import HERE, today
from gis.database.engine import Database
from gis.placing.placer import Claims, Placements, Reason
from gis.placing.reference import stored_placer, stored_territory
from layers.definition.catalogue import Catalogue
from layers.definition.model import FileSource, Layer
from layers.ingest.records import RecordFault
from layers.ingest.retry import replay
from layers.ingest.stored_records import SERVICE, list_rows
from layers.storage.tables import table_of


@dataclass(frozen=True, slots=True)
class Regeocoded:
    """A layer's rows were looked at; `changed` of them lie in another commune now, and `outside`
    outside the province. `returned` are records that had waited in quarantine as outside.
    """

    layer_id: str
    rows: int
    changed: int
    outside: int
    returned: int


def regeocode(database: Database, catalogue: Catalogue) -> list[Regeocoded]:
    """Bring the rows of all layers onto the communes of today; cheap when they are there."""
    with database.reading() as connection:
        if connection.execute(_BOUNDARIES).one_or_none() is None:
            return []
        key = stored_territory(connection).placed_on
        stale = {row.id for row in connection.execute(_STALE, {"key": key})}
    return [
        _place_layer(database, layer)
        for layer in catalogue.layers
        if layer.id in stale and layer.placed and not layer.is_view
    ]


_BOUNDARIES = text("SELECT digest FROM gis.boundary_state")
_STALE = text("SELECT id FROM gis.layer WHERE published AND placed_on IS DISTINCT FROM :key")
_LOCK = text("SELECT FROM gis.layer WHERE id = :layer FOR UPDATE")
_DONE = text("UPDATE gis.layer SET placed_on = :key WHERE id = :layer")


def _place_layer(database: Database, layer: Layer) -> Regeocoded:
    """One transaction a layer; writers of the layer wait for it."""
    table = table_of(layer)
    with database.writing() as connection:
        connection.execute(_LOCK, {"layer": layer.id})
        placer = stored_placer(connection, today())
        rows = connection.execute(_placed_rows(table)).all()
        points = [row for row in rows if row.x is not None]
        keeps = isinstance(layer.source, FileSource) and layer.source.outside == "keep"
        places = placer.place(_claims(points), tell_outside=not keeps)
        changed = [*_changed(points, places), *_succeeded(rows, placer.history)]
        if changed:
            connection.execute(_update(table), _columns(changed))
        returned = _try_again(connection, layer)
        outside = {} if keeps else _outside(points, places)
        list_rows(connection, layer, outside)
        key = stored_territory(connection).placed_on
        connection.execute(_DONE, {"key": key, "layer": layer.id})
    return Regeocoded(layer.id, len(rows), len(changed), len(outside), returned)


def _outside(points: Sequence[Row[Any]], places: Placements) -> dict[int, RecordFault]:
    """The rows outside the province, by id, with where they lie."""
    found = np.flatnonzero(places.reason == Reason.OUTSIDE.value).tolist()
    return {points[i].id: RecordFault(Reason.OUTSIDE.value, places.why[i]) for i in found}


def _try_again(connection: Connection, layer: Layer) -> int:
    """How many records that wait as outside have their place now."""
    tried = replay(connection, layer, who=SERVICE, reason=Reason.OUTSIDE.value)
    reports = [one.report for one in tried if one.report is not None]
    return sum(report.added + report.updated + report.unchanged for report in reports)


def _placed_rows(table: Table) -> Any:
    """`x`, `y`: of a point itself, of other shapes a point on them; None without a geometry."""
    point = func.ST_PointOnSurface(table.c.geom)
    columns = (table.c.id, table.c.commune, table.c.unit_then, table.c.valid_at, table.c.updated_at)
    return select(*columns, func.ST_X(point).label("x"), func.ST_Y(point).label("y"))


type _Change = tuple[int, str | None, str | None]  # id, commune, unit of its day


def _changed(points: Sequence[Row[Any]], places: Placements) -> Iterator[_Change]:
    for i, row in enumerate(points):
        now = (row.id, places.commune[i], row.unit_then or places.unit_then[i])
        if now != (row.id, row.commune, row.unit_then):
            yield now


def _succeeded(rows: Sequence[Row[Any]], history: UnitHistory) -> Iterator[_Change]:
    """Of rows without a geometry, those whose commune has another for its successor."""
    for row in rows:
        if row.x is None and row.commune is not None:
            written = row.updated_at.astimezone(HERE).date()
            commune = _successor(history, row.commune, written)
            if commune != row.commune:
                yield row.id, commune, row.unit_then


def _claims(points: Sequence[Row[Any]]) -> Claims:
    nothing = [""] * len(points)
    return Claims(
        lon=np.array([row.x for row in points], float),
        lat=np.array([row.y for row in points], float),
        address=nothing,
        unit=nothing,
        day=[row.valid_at.astimezone(HERE).date() if row.valid_at else None for row in points],
        precision_m=np.full(len(points), np.nan),
    )


def _successor(history: UnitHistory, code: str, written: date) -> str | None:
    """The commune of today that holds all of the commune that a row named on the day on which it
    was written; None when that was split. A decree may be entered after its day: then the row
    names a unit that was no more.
    """
    since = written
    if history.unit(code, Level.COMMUNE, written) is None:
        ended = [one.valid_to for one in history.units if one.code == code and one.valid_to]
        since = date.fromordinal(max(ended, default=written).toordinal() - 1)
    held = history.successors(code, since, today())
    return held[0][0] if len(held) == 1 else None


def _columns(changed: Sequence[_Change]) -> dict[str, list[Any]]:
    ids, communes, then = zip(*changed, strict=True)
    return {"ids": list(ids), "communes": list(communes), "then": list(then)}


def _update(table: Table) -> Any:
    names = {"id": BigInteger, "commune": String, "unit_then": String}
    arrays = {"ids": BigInteger, "communes": String, "then": String}
    new = (
        func.unnest(*(bindparam(name, type_=ARRAY(kind)) for name, kind in arrays.items()))
        .table_valued(*(column(name, kind) for name, kind in names.items()), name="new")
        .render_derived()
    )
    return (
        table.update()
        .where(table.c.id == new.c.id)
        .values(commune=new.c.commune, unit_then=new.c.unit_then, updated_at=func.now())
    )
