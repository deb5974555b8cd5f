"""Re-geocoding: rows that were placed on earlier units get their commune of today.

When units change by a decree, get better polygons, or a decree's day comes, a point's commune is
looked up anew; a row that is known by its commune alone follows the lineage. `unit_then`, the unit
of a row's own day, stays.

When the gazetteer has grown, rows placed by address are placed by it again, and so are those placed
by the name of their commune that have an address beside it.

A row that lies outside the province now stays in its layer and is listed in quarantine; records
in quarantine that are outside, or whose clues contradict each other, are replayed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import shapely
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Connection,
    Double,
    Row,
    String,
    Table,
    and_,
    bindparam,
    column,
    func,
    or_,
    select,
    table,
    text,
)

from gis.access import LOCAL_ADMIN
from gis.boundaries.units import Level, UnitHistory
from gis.clock import HERE, today
from gis.database.engine import Database
from gis.errors import BadInput
from gis.jobs.kind import RunningJob
from gis.placing.placer import Claims, Placements, PlaceMethod, Reason
from gis.placing.reference import stored_placer, stored_territory
from layers.definition.catalogue import Catalogue
from layers.definition.model import FileSource, GeometryKind, Layer
from layers.ingest.addresses import drop_addresses
from layers.ingest.records import RecordFault
from layers.ingest.retry import replay
from layers.ingest.stored_records import SERVICE, list_rows
from layers.storage.tables import has_unit_shares, table_of


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


def regeocode(
    database: Database, catalogue: Catalogue, job: RunningJob | None = None
) -> list[Regeocoded]:
    """Re-geocode all layers that were placed on earlier units.

    `job`: that does it. Raises Superseded where it is another's by now; nothing more is stored.
    """
    with database.reading() as connection:
        if connection.execute(_BOUNDARIES).one_or_none() is None:
            return []
        key = stored_territory(connection).placed_on
        stale = {row.id for row in connection.execute(_STALE, {"key": key})}
    return [
        _regeocode_layer(database, layer, job)
        for layer in catalogue.layers
        if layer.id in stale and layer.placed and not layer.is_view
    ]


_BOUNDARIES = text("SELECT digest FROM gis.boundary_state")
_STALE = text("SELECT id FROM gis.layer WHERE published AND placed_on IS DISTINCT FROM :key")
_LOCK = text("SELECT FROM gis.layer WHERE id = :layer FOR UPDATE")
_REFRESH_SHARES = text("SELECT gis.refresh_unit_shares(:layer)")
_MARK_PLACED = text("UPDATE gis.layer SET placed_on = :key WHERE id = :layer")


def _regeocode_layer(database: Database, layer: Layer, job: RunningJob | None) -> Regeocoded:
    """Re-geocode one layer in one transaction; writers of the layer wait for it."""
    table = table_of(layer)
    with database.writing() as connection:
        connection.execute(_LOCK, {"layer": layer.id})
        placer = stored_placer(connection, today())
        rows = connection.execute(_placed_rows(layer, table)).all()
        if has_unit_shares(layer):
            connection.execute(_REFRESH_SHARES, {"layer": layer.id})
        points = [row for row in rows if row.x is not None]
        keeps_outside = isinstance(layer.source, FileSource) and layer.source.outside == "keep"
        places = placer.place(_claims(layer, points), report_outside=not keeps_outside)
        changes = [*_moved_rows(points, places), *_rows_of_successors(rows, placer.history)]
        if changes:
            connection.execute(_update(table), _columns(changes))
        returned = _replay_outside(connection, layer)
        outside = {} if keeps_outside else _outside_faults(points, places)
        list_rows(connection, layer, outside)
        key = stored_territory(connection).placed_on
        connection.execute(_MARK_PLACED, {"key": key, "layer": layer.id})
        if job is not None:
            job.fence(connection)
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


def _placed_rows(layer: Layer, table: Table) -> Any:
    """Rows with `x`, `y` (degrees) of a point on their geometry, None without a geometry; lines and
    areas with all of it as WKB.
    """
    point = func.ST_PointOnSurface(table.c.geom)
    columns = (table.c.id, table.c.commune, table.c.unit_then, table.c.valid_at, table.c.updated_at)
    wkb = [func.ST_AsBinary(table.c.geom).label("wkb")] if has_unit_shares(layer) else []
    return select(*columns, *wkb, func.ST_X(point).label("x"), func.ST_Y(point).label("y"))


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


def _claims(layer: Layer, points: Sequence[Row[Any]]) -> Claims:
    nothing = [""] * len(points)
    shapes = None
    if has_unit_shares(layer):
        shapes = np.asarray(shapely.from_wkb([bytes(row.wkb) for row in points]), object)
    return Claims(
        lon=np.array([row.x for row in points], float),
        lat=np.array([row.y for row in points], float),
        address=nothing,
        unit=nothing,
        day=[row.valid_at.astimezone(HERE).date() if row.valid_at else None for row in points],
        precision_m=np.full(len(points), np.nan),
        shapes=shapes,
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


# Addresses ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RegeocodedAddresses:
    """Counts of one layer: its rows placed by `addresses`, or by a commune's name beside one, and
    those of them `changed`.

    `returned` counts records that came back from quarantine, where their address was unclear;
    `in_hexes` all that have a hex by their address now; `without_words` rows of which no address
    is kept: their file must be loaded again.
    """

    layer_id: str
    addresses: int
    changed: int
    in_hexes: int
    returned: int
    without_words: int


def regeocode_addresses(database: Database, layer: Layer) -> RegeocodedAddresses:
    """Place the rows of a layer by their addresses again, in one transaction.

    Raises BadInput for a layer whose records are not points with an address.
    """
    if not _has_addresses(layer):
        raise BadInput(f"records of {layer.id} are not points with an address (source.address)")
    with database.writing() as connection:
        connection.execute(_LOCK, {"layer": layer.id})
        drop_addresses(connection, layer)
        stored = connection.execute(_rows_by_address(layer)).all()
        rows = [row for row in stored if row.address]
        placer = stored_placer(connection, today(), LOCAL_ADMIN)
        places = placer.place(_address_claims(rows), report_outside=False)
        changes = _address_columns(rows, places)
        if changes["ids"]:
            connection.execute(_update_places(table_of(layer)), changes)
        outcomes = replay(connection, layer, actor=SERVICE, reason=Reason.UNCLEAR_ADDRESS.value)
        in_hexes = connection.scalar(_count_in_hexes(layer)) or 0
    reports = [outcome.report for outcome in outcomes if outcome.report is not None]
    return RegeocodedAddresses(
        layer_id=layer.id,
        addresses=len(stored),
        changed=len(changes["ids"]),
        in_hexes=in_hexes,
        returned=sum(report.added + report.updated + report.unchanged for report in reports),
        without_words=len(stored) - len(rows),
    )


def layers_with_addresses(catalogue: Catalogue) -> list[Layer]:
    """The layers whose records may be points that were placed by an address."""
    return [layer for layer in catalogue.layers if _has_addresses(layer)]


def _has_addresses(layer: Layer) -> bool:
    is_of_points = layer.placed and layer.geometry is GeometryKind.POINT
    return is_of_points and isinstance(layer.source, FileSource) and bool(layer.source.address)


def _rows_by_address(layer: Layer) -> Any:
    """Rows placed by address, or by a commune beside one; `address` is the layer's own field, which
    may have been edited, else what was kept beside it.
    """
    assert isinstance(layer.source, FileSource)
    rows = table_of(layer)
    names = ("layer_id", "source", "source_key", "address")
    kept = table("address", *(column(name, String) for name in names), schema="private")
    is_same = and_(
        kept.c.layer_id == layer.id,
        kept.c.source == rows.c.source,
        kept.c.source_key == rows.c.source_key,
    )
    fields = {field.column or name: name for name, field in layer.public_fields.items()}
    own = fields.get(layer.source.address or "")
    address = kept.c.address if own is None else rows.c[own]
    columns = (
        rows.c.id, rows.c.commune, rows.c.h3, rows.c.place_precision_m, rows.c.valid_at,
        rows.c.place_method, rows.c.place_confidence,
    )  # fmt: skip
    by_address = rows.c.place_method == PlaceMethod.ADDRESS.value
    by_commune = and_(rows.c.place_method == PlaceMethod.COMMUNE.value, address != "")
    return (
        select(*columns, address.label("address"))
        .select_from(rows.outerjoin(kept, is_same))
        .where(or_(by_address, by_commune))
    )


def _count_in_hexes(layer: Layer) -> Any:
    rows = table_of(layer)
    by_address = rows.c.place_method == PlaceMethod.ADDRESS.value
    return select(func.count()).where(by_address, rows.c.h3.is_not(None))


def _address_claims(rows: Sequence[Row[Any]]) -> Claims:
    nothing, by_commune = np.full(len(rows), np.nan), PlaceMethod.COMMUNE.value
    return Claims(
        lon=nothing,
        lat=nothing,
        address=[row.address for row in rows],
        unit=[row.commune if row.place_method == by_commune else "" for row in rows],
        day=[row.valid_at.astimezone(HERE).date() if row.valid_at else None for row in rows],
        precision_m=nothing,
    )


def _is_placed_otherwise(row: Row[Any], places: Placements, i: int) -> bool:
    """True where the address leads elsewhere; one that is not clear any more changes nothing."""
    if places.reason[i] != Reason.NONE.value:
        return False
    stored = (row.commune, row.h3 or 0, row.place_precision_m)
    return stored != (places.commune[i], int(places.cell[i]), float(places.precision_m[i]))


def _address_columns(rows: Sequence[Row[Any]], places: Placements) -> dict[str, list[Any]]:
    """The rows to change, column by column, by the names of `_PLACE_TYPES`."""
    changed = [i for i, row in enumerate(rows) if _is_placed_otherwise(row, places, i)]
    found = [places.row(i) for i in changed]
    return {
        "ids": [rows[i].id for i in changed],
        "lons": [place["lon"] for place in found],
        "lats": [place["lat"] for place in found],
        "cells": [place["cell"] or None for place in found],
        "communes": [place["commune"] for place in found],
        "then": [place["unit_then"] for place in found],
        "methods": [place["method"] for place in found],
        "confidences": [_confidence(rows[i], places, i) for i in changed],
        "precisions": [place["precision_m"] for place in found],
    }


def _confidence(row: Row[Any], places: Placements, i: int) -> float:
    """That of the new place; a row placed by its commune is no surer of it than it was."""
    found = float(places.confidence[i])
    by_commune = row.place_method == PlaceMethod.COMMUNE.value
    return min(found, row.place_confidence) if by_commune else found


_PLACE_TYPES = {
    "ids": BigInteger, "lons": Double, "lats": Double, "cells": BigInteger, "communes": String,
    "then": String, "methods": String, "confidences": Double, "precisions": Double,
}  # fmt: skip


def _update_places(rows: Table) -> Any:
    """One statement for all rows, as each statement raises the layer's version."""
    new = (
        func.unnest(*(bindparam(name, type_=ARRAY(kind)) for name, kind in _PLACE_TYPES.items()))
        .table_valued(*(column(name, kind) for name, kind in _PLACE_TYPES.items()), name="new")
        .render_derived()
    )
    return (
        rows.update()
        .where(rows.c.id == new.c.ids)
        .values(
            geom=func.ST_SetSRID(func.ST_MakePoint(new.c.lons, new.c.lats), 4326),
            h3=new.c.cells,
            commune=new.c.communes,
            unit_then=new.c.then,
            place_method=new.c.methods,
            place_confidence=new.c.confidences,
            place_precision_m=new.c.precisions,
            updated_at=func.now(),
        )
    )
