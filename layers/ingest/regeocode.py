"""Re-geocoding: rows that were placed on earlier units get their commune of today.

When units change by a decree, get better polygons, or a decree's day comes, a point's commune is
looked up anew; a row that is known by its commune alone follows the lineage. `unit_then`, the unit
of a row's own day, stays.

A row that lies outside the province now stays in its layer and is listed in quarantine; records
in quarantine that are outside, or whose clues contradict each other, are replayed.
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
    """Counts of one layer: its rows, those `changed` to another commune, those `outside` now.

    `returned` counts records that came back from quarantine, where they were outside.
    """

    layer_id: str
    rows: int
    changed: int
    outside: int
    returned: int


def regeocode(database: Database, catalogue: Catalogue) -> list[Regeocoded]:
    """Re-geocode all layers that were placed on earlier units; cheap when there are none."""
    with database.reading() as connection:
        if connection.execute(_BOUNDARIES).one_or_none() is None:
            return []
        key = stored_territory(connection).placed_on
        stale = {row.id for row in connection.execute(_STALE, {"key": key})}
    return [
        _regeocode_layer(database, layer)
        for layer in catalogue.layers
        if layer.id in stale and layer.placed and not layer.is_view
    ]


_BOUNDARIES = text("SELECT digest FROM gis.boundary_state")
_STALE = text("SELECT id FROM gis.layer WHERE published AND placed_on IS DISTINCT FROM :key")
_LOCK = text("SELECT FROM gis.layer WHERE id = :layer FOR UPDATE")
_MARK_PLACED = text("UPDATE gis.layer SET placed_on = :key WHERE id = :layer")


def _regeocode_layer(database: Database, layer: Layer) -> Regeocoded:
    """Re-geocode one layer in one transaction; writers of the layer wait for it."""
    table = table_of(layer)
    with database.writing() as connection:
        connection.execute(_LOCK, {"layer": layer.id})
        placer = stored_placer(connection, today())
        rows = connection.execute(_placed_rows(table)).all()
        points = [row for row in rows if row.x is not None]
        keeps_outside = isinstance(layer.source, FileSource) and layer.source.outside == "keep"
        places = placer.place(_claims(points), report_outside=not keeps_outside)
        changes = [*_moved_rows(points, places), *_rows_of_successors(rows, placer.history)]
        if changes:
            connection.execute(_update(table), _columns(changes))
        returned = _replay_outside(connection, layer)
        outside = {} if keeps_outside else _outside_faults(points, places)
        list_rows(connection, layer, outside)
        key = stored_territory(connection).placed_on
        connection.execute(_MARK_PLACED, {"key": key, "layer": layer.id})
    return Regeocoded(layer.id, len(rows), len(changes), len(outside), returned)


def _outside_faults(points: Sequence[Row[Any]], places: Placements) -> dict[int, RecordFault]:
    """The faults of rows outside the province, by row id."""
    indices = np.flatnonzero(places.reason == Reason.OUTSIDE.value).tolist()
    return {points[i].id: RecordFault(Reason.OUTSIDE.value, places.why[i]) for i in indices}


def _replay_outside(connection: Connection, layer: Layer) -> int:
    """Replay the records that borders keep in quarantine; gives how many are placed now."""
    outcomes = [
        outcome
        for reason in (Reason.OUTSIDE, Reason.CONTRADICTION)
        for outcome in replay(connection, layer, actor=SERVICE, reason=reason.value)
    ]
    reports = [outcome.report for outcome in outcomes if outcome.report is not None]
    return sum(report.added + report.updated + report.unchanged for report in reports)


def _placed_rows(table: Table) -> Any:
    """Rows with `x`, `y` (degrees) of a point on their geometry; None without a geometry."""
    point = func.ST_PointOnSurface(table.c.geom)
    columns = (table.c.id, table.c.commune, table.c.unit_then, table.c.valid_at, table.c.updated_at)
    return select(*columns, func.ST_X(point).label("x"), func.ST_Y(point).label("y"))


type _Change = tuple[int, str | None, str | None]  # id, commune, unit of its day


def _moved_rows(points: Sequence[Row[Any]], places: Placements) -> Iterator[_Change]:
    for i, row in enumerate(points):
        change = (row.id, places.commune[i], row.unit_then or places.unit_then[i])
        if change != (row.id, row.commune, row.unit_then):
            yield change


def _rows_of_successors(rows: Sequence[Row[Any]], history: UnitHistory) -> Iterator[_Change]:
    """Changes of rows without a geometry whose commune has a successor."""
    for row in rows:
        if row.x is None and row.commune is not None:
            written_on = row.updated_at.astimezone(HERE).date()
            commune = _successor(history, row.commune, written_on)
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


def _successor(history: UnitHistory, code: str, written_on: date) -> str | None:
    """The commune of today that holds all of the commune that a row names; None when it was split.

    The row's code is that of the day on which it was written, unless a decree was entered after
    its day: then it is the code of a unit that had ended, and its last day counts.
    """
    since = written_on
    if history.unit(code, Level.COMMUNE, written_on) is None:
        ended = [unit.valid_to for unit in history.units if unit.code == code and unit.valid_to]
        since = date.fromordinal(max(ended, default=written_on).toordinal() - 1)
    successors = history.successors(code, since, today())
    return successors[0][0] if len(successors) == 1 else None


def _columns(changes: Sequence[_Change]) -> dict[str, list[Any]]:
    ids, communes, then = zip(*changes, strict=True)
    return {"ids": list(ids), "communes": list(communes), "then": list(then)}


def _update(table: Table) -> Any:
    names = {"id": BigInteger, "commune": String, "unit_then": String}
    arrays = {"ids": BigInteger, "communes": String, "then": String}
    values = (
        func.unnest(*(bindparam(name, type_=ARRAY(kind)) for name, kind in arrays.items()))
        .table_valued(*(column(name, kind) for name, kind in names.items()), name="new")
        .render_derived()
    )
    return (
        table.update()
        .where(table.c.id == values.c.id)
        .values(commune=values.c.commune, unit_then=values.c.unit_then, updated_at=func.now())
    )
