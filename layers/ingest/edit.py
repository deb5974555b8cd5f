"""Edits of single rows: checked by the layer's schema, placed like any record, revertible.

Every change writes the row before it into gis.row_history, in the same transaction. A layer's
version rises by its trigger. Rows of views are the service's own and are not edited here.
"""

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

import numpy as np
import orjson
import shapely
from sqlalchemy import (
    Connection,
    Table,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.sql.elements import ColumnElement

from gis.access import Principal, may_write, require
from gis.clock import HERE, today
from gis.errors import BadInput, Conflict, NotAllowed, NotFound
from gis.intake.plausible_days import implausible_instants
from gis.placing.covers import too_many_cells
from gis.placing.placer import Claims, Reason
from gis.placing.reference import placer_on, stored_territory
from gis.placing.shapes import plausible_area, vertex_fault
from gis.values import BBox
from layers.definition.model import FileSource, GeometryKind, Layer
from layers.ingest.day_bounds import bounds_of_field, bounds_of_time
from layers.ingest.feature import BadRecord, Feature, FeatureFault
from layers.items import ItemSource
from layers.items.geojson import id_of
from layers.series.latest import has_measurements, refresh_latest
from layers.storage.covers import fill_covers
from layers.storage.tables import finest_of, has_hex_cover, table_of

SOURCE = "edit"  # of rows that were added by hand
REPLAYED = "replay"  # the act of a record that came back from quarantine over its earlier version


@dataclass(frozen=True, slots=True)
class RowState:
    """A row's id and its tag (an ETag), which changes with each change of the row."""

    id: int
    tag: str


@dataclass(frozen=True, slots=True)
class RowChange:
    """One change of one row; `before` None: the row was added."""

    id: int
    row_id: int
    act: str
    at: datetime
    who: str
    before: dict[str, Any] | None


def require_writable(layer: Layer, principal: Principal) -> None:
    """Raises NotAllowed or NoKey unless `principal` may change rows of the layer."""
    if layer.is_view or layer.access.write == "nobody":
        raise NotAllowed(f"rows of {layer.id} are made by the service and cannot be edited")
    allowed = may_write(principal, layer.access.read, layer.access.write, layer.id)
    require(principal, allowed, f"changing rows of {layer.id} needs a key of its department")


def state_of_row(connection: Connection, source: ItemSource, row_id: int) -> RowState:
    """The state of a row, which is locked until the transaction ends; raises NotFound."""
    table = table_of(source.layer)
    row = connection.execute(
        select(table.c.updated_at).where(table.c.id == row_id).with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFound(f"the layer {source.layer.id} has no item {row_id}")
    return RowState(row_id, row_tag(source.layer.id, row_id, row.updated_at))


def tag_of_row(connection: Connection, source: ItemSource, item_id: str) -> str | None:
    """The tag of a row; None where there is no such row, and for rows of views."""
    if source.layer.is_view:
        return None
    table = table_of(source.layer)
    row_id = id_of(source, item_id)
    at = connection.scalar(select(table.c.updated_at).where(table.c.id == row_id))
    return None if at is None else row_tag(source.layer.id, row_id, at)


def row_tag(layer_id: str, row_id: int, updated_at: datetime) -> str:
    state = f"{layer_id}/{row_id}/{updated_at.astimezone(UTC).isoformat()}"
    return hashlib.sha256(state.encode()).hexdigest()[:24]


def add(
    connection: Connection, source: ItemSource, feature: Feature, principal: Principal
) -> RowState:
    """Add a row; raises NotAllowed, NoKey, and BadRecord with all faults."""
    require_writable(source.layer, principal)
    _check_days(source.layer, feature.properties, {})
    table = table_of(source.layer)
    provenance = {"added_by": principal.name}
    values = _values(connection, source.layer, feature.geometry, feature.properties) | {
        "source": SOURCE,
        "source_key": str(uuid.uuid4()),
        "provenance": provenance,
        "updated_at": func.clock_timestamp(),
    }
    row = connection.execute(
        insert(table).values(values).returning(table.c.id, table.c.updated_at)
    ).one()
    fill_covers(connection, source.layer)
    _write_history(connection, source.layer, row.id, "add", principal, None)
    return RowState(row.id, row_tag(source.layer.id, row.id, row.updated_at))


def replace(
    connection: Connection, source: ItemSource, row_id: int, feature: Feature, principal: Principal
) -> RowState:
    """Replace a row: properties that are not given become null.

    Raises NotAllowed, NoKey, NotFound or BadRecord.
    """
    empty = {served.name: None for served in source.properties if served.writable}
    complete = Feature(feature.geometry, {**empty, **feature.properties}, has_geometry=True)
    return _change(connection, source, row_id, complete, principal, "replace")


def modify(
    connection: Connection, source: ItemSource, row_id: int, feature: Feature, principal: Principal
) -> RowState:
    """Change the given properties of a row (RFC 7396).

    Raises NotAllowed, NoKey, NotFound or BadRecord.
    """
    return _change(connection, source, row_id, feature, principal, "update")


def delete(connection: Connection, source: ItemSource, row_id: int, principal: Principal) -> None:
    """Delete a row; it stays in the history.

    Raises NotAllowed, NoKey or NotFound, and Conflict for a station with measurements.
    """
    require_writable(source.layer, principal)
    before = _snapshot(connection, source.layer, row_id)
    if before is None:
        raise NotFound(f"the layer {source.layer.id} has no item {row_id}")
    if source.layer.series is not None and has_measurements(connection, source.layer, row_id):
        raise Conflict(f"station {row_id} of {source.layer.id} has measurements: it stays")
    table = table_of(source.layer)
    connection.execute(table.delete().where(table.c.id == row_id))
    _write_history(connection, source.layer, row_id, "delete", principal, before)


def history(
    connection: Connection, layer_id: str, row_id: int | None = None, limit: int = 100
) -> list[RowChange]:
    """The last changes of one row, or of the whole layer, newest first."""
    values = {"layer": layer_id, "row": row_id, "limit": limit}
    return [RowChange(*row) for row in connection.execute(_HISTORY, values)]


def revert(connection: Connection, layer: Layer, change_id: int, principal: Principal) -> int:
    """Put a row back as it was before a change; gives its id.

    This is a change too, and can be reverted. Raises NotAllowed, NoKey, NotFound when the layer
    has no such change, BadInput when a row loaded since stands in the way.
    """
    require_writable(layer, principal)
    change = connection.execute(_CHANGE, {"layer": layer.id, "id": change_id}).one_or_none()
    if change is None:
        raise NotFound(f"the layer {layer.id} has no change {change_id}: see its history")
    table = table_of(layer)
    current = _snapshot(connection, layer, change.row_id)
    if change.before is None:
        connection.execute(table.delete().where(table.c.id == change.row_id))
    else:
        with _conflicts_as_bad_input(change_id):
            _restore(connection, table, change.before)
        fill_covers(connection, layer)
        if layer.series is not None:
            refresh_latest(connection, layer, [change.row_id])
    _write_history(connection, layer, change.row_id, "revert", principal, current)
    return int(change.row_id)


def _change(
    connection: Connection,
    source: ItemSource,
    row_id: int,
    feature: Feature,
    principal: Principal,
    act: str,
) -> RowState:
    require_writable(source.layer, principal)
    before = _snapshot(connection, source.layer, row_id)
    if before is None:
        raise NotFound(f"the layer {source.layer.id} has no item {row_id}")
    _check_days(source.layer, feature.properties, before)
    table = table_of(source.layer)
    values = _updated_values(connection, source, feature, before)
    statement = (
        update(table)
        .where(table.c.id == row_id)
        .values(values | {"updated_at": func.clock_timestamp()})
        .returning(table.c.updated_at)
    )
    updated_at = connection.execute(statement).scalar_one()
    fill_covers(connection, source.layer)
    if source.layer.series is not None:  # whose thresholds may have changed
        refresh_latest(connection, source.layer, [row_id])
    _write_history(connection, source.layer, row_id, act, principal, before)
    return RowState(row_id, row_tag(source.layer.id, row_id, updated_at))


def _check_days(layer: Layer, properties: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """Raises BadRecord for new values that are no plausible days of what the layer holds."""
    faults = [
        FeatureFault(f"properties.{name}", why)
        for name, value in properties.items()
        if isinstance(value, date) and value != _stored_day(before.get(name), type(value))
        for why in _day_faults(layer, name, value)
    ]
    if faults:
        raise BadRecord(faults)


def _day_faults(layer: Layer, name: str, value: date) -> Iterable[str]:
    source = layer.source
    if not isinstance(source, FileSource):
        return ()
    if name in layer.fields:
        bounds = bounds_of_field(name, layer.fields[name], source, today())
    elif name == "valid_at" and source.time is not None:
        bounds = bounds_of_time(source.time, today())
    else:
        return ()
    instant = value if isinstance(value, datetime) else datetime.combine(value, time(), HERE)
    return implausible_instants([instant], bounds).values()


def _stored_day(value: Any, type: type[date]) -> date | None:
    """The value of a row, as JSON has it, as a day or an instant."""
    return None if value is None else type.fromisoformat(str(value))


def _updated_values(
    connection: Connection, source: ItemSource, feature: Feature, before: Mapping[str, Any]
) -> dict[str, Any]:
    """Columns to write: with a new place when a property changes that the place depends on."""
    placing = {"valid_at", *_place_fields(source.layer).values()}
    is_moved = feature.has_geometry or bool(placing & set(feature.properties))
    if not is_moved:
        return dict(feature.properties)
    geometry = feature.geometry
    if not feature.has_geometry and before["geom"] is not None:
        geometry = shapely.from_wkb(before["geom"])
    stored = {name: before.get(name) for name in placing if name in before}
    if "valid_at" in stored:
        stored["valid_at"] = _stored_day(stored["valid_at"], datetime)
    values = _values(connection, source.layer, geometry, {**stored, **feature.properties})
    return {name: value for name, value in values.items() if name in table_of(source.layer).c}


def _values(
    connection: Connection,
    layer: Layer,
    geometry: shapely.Geometry | None,
    properties: Mapping[str, Any],
) -> dict[str, Any]:
    """The columns of a row: its properties, its geometry (EPSG:4326), its place."""
    place = _place(connection, layer, geometry, properties) if layer.placed else {}
    return {**properties, "geom": _geometry_value(layer, geometry), **place}


def _geometry_value(layer: Layer, geometry: shapely.Geometry | None) -> ColumnElement[Any] | None:
    if geometry is None:
        return None
    point = func.ST_GeomFromWKB(shapely.to_wkb(geometry), 4326)
    if layer.geometry is GeometryKind.POINT:
        return point
    return func.ST_Multi(func.ST_ForcePolygonCCW(point))  # RFC 7946, 3.1.6


def _place(
    connection: Connection,
    layer: Layer,
    geometry: shapely.Geometry | None,
    properties: Mapping[str, Any],
) -> dict[str, Any]:
    """The columns of a row's place: hex, commune, method …; raises BadRecord without a place."""
    territory = stored_territory(connection)
    placer = placer_on(territory, connection, today())
    place = placer.place(_claims(layer, geometry, properties)).row(0)
    tolerated = isinstance(layer.source, FileSource) and layer.source.outside == "keep"
    if geometry is not None and not tolerated and not place["reason"]:
        area = plausible_area(BBox.of(territory.outline.bounds))
        fault = vertex_fault(geometry, area)
        if fault is not None:
            raise BadRecord([FeatureFault("geometry", fault)])
    if geometry is not None and has_hex_cover(layer):
        for words in too_many_cells(np.array([geometry], object), finest_of(layer)).values():
            raise BadRecord([FeatureFault("geometry", words)])
    if place["reason"] and not (place["reason"] == Reason.OUTSIDE.value and tolerated):
        raise BadRecord([FeatureFault("geometry", place["why"])])
    return {
        "h3": place["cell"] or None,
        "commune": place["commune"],
        "unit_then": place["unit_then"],
        "place_method": place["method"],
        "place_confidence": place["confidence"],
        "place_precision_m": place["precision_m"],
        "default_point": False,
    }


def _claims(
    layer: Layer, geometry: shapely.Geometry | None, properties: Mapping[str, Any]
) -> Claims:
    point = None if geometry is None else shapely.point_on_surface(geometry)
    words = {use: str(properties.get(name) or "") for use, name in _place_fields(layer).items()}
    at = properties.get("valid_at")
    return Claims(
        lon=np.array([np.nan if point is None else point.x]),
        lat=np.array([np.nan if point is None else point.y]),
        address=[words.get("address", "")],
        unit=[words.get("commune", "")],
        day=[at.astimezone(HERE).date() if at is not None else None],
        precision_m=np.array([np.nan]),
        shapes=None if layer.geometry is GeometryKind.POINT else np.array([geometry], object),
    )


def _place_fields(layer: Layer) -> dict[str, str]:
    """The fields that hold an address or a commune, as the layer's source names them."""
    if not isinstance(layer.source, FileSource):
        return {}
    columns = {(field.column or name): name for name, field in layer.public_fields.items()}
    uses = {"address": layer.source.address, "commune": layer.source.commune}
    return {use: columns[column] for use, column in uses.items() if column in columns}


def _snapshot(connection: Connection, layer: Layer, row_id: int) -> dict[str, Any] | None:
    """The whole row, locked; the geometry as EWKB in hexadecimal digits."""
    alias = table_of(layer).alias("kept")
    columns = func.to_jsonb(text("kept")).op("-")("geom")
    geom = func.jsonb_build_object("geom", func.encode(func.ST_AsEWKB(alias.c.geom), "hex"))
    row = connection.execute(
        select(columns.op("||")(geom))
        .select_from(alias)
        .where(alias.c.id == row_id)
        .with_for_update()
    ).one_or_none()
    return None if row is None else dict(row[0])


@contextmanager
def _conflicts_as_bad_input(change_id: int) -> Iterator[None]:
    """Raises BadInput where the table of today cannot hold the row of then."""
    try:
        yield
    except (IntegrityError, DataError) as error:
        raise BadInput(
            f"change {change_id} cannot be reverted: its record was loaded again under another id, "
            "or the layer's fields have changed since; edit the record instead"
        ) from error


def _restore(connection: Connection, table: Table, before: Mapping[str, Any]) -> None:
    """Write a row back as it was, in the columns that the table still has."""
    names = [column.name for column in table.c if column.name in before]
    columns = ", ".join(f'"{name}"' for name in names)
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in names if name != "id")
    qualified = f'"{table.schema}"."{table.name}"'
    connection.execute(
        text(
            f"INSERT INTO {qualified} ({columns}) SELECT {columns}"  # noqa: S608 (a layer's names)
            f" FROM jsonb_populate_record(NULL::{qualified}, CAST(:before AS jsonb))"
            f" ON CONFLICT (id) DO UPDATE SET {changes}"
        ),
        {"before": orjson.dumps(dict(before)).decode()},
    )
    connection.execute(
        update(table).where(table.c.id == before["id"]).values(updated_at=func.clock_timestamp())
    )


def _write_history(
    connection: Connection,
    layer: Layer,
    row_id: int,
    act: str,
    principal: Principal,
    before: Mapping[str, Any] | None,
) -> None:
    connection.execute(
        _WRITE_HISTORY,
        {
            "layer": layer.id,
            "row": row_id,
            "act": act,
            "who": principal.name,
            "before": None if before is None else orjson.dumps(dict(before)).decode(),
        },
    )


_WRITE_HISTORY = text("""
INSERT INTO gis.row_history (layer_id, row_id, act, who, before)
VALUES (:layer, :row, :act, :who, CAST(:before AS jsonb))
""")
_HISTORY = text("""
SELECT id, row_id, act, at, who, before FROM gis.row_history
WHERE layer_id = :layer AND (CAST(:row AS bigint) IS NULL OR row_id = :row)
ORDER BY id DESC LIMIT :limit
""")
_CHANGE = text("""
SELECT row_id, before FROM gis.row_history WHERE layer_id = :layer AND id = :id
""")
