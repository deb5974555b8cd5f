"""Changing single rows: checked by the layer's schema, placed like any record, kept, undone.

Every change writes what was there before into gis.row_history, in the same transaction. A layer's
version rises by its trigger. Rows of views are the service's own and are not edited here.
"""

import hashlib
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
import shapely
from sqlalchemy import Connection, Table, func, insert, select, text, update
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.sql.elements import ColumnElement

from gis.access import Principal, may_write, require
from gis.clock import HERE, today
from gis.errors import BadInput, NotAllowed, NotFound
from gis.placing.placer import Claims, Reason
from gis.placing.reference import stored_placer, stored_territory
from gis.placing.shapes import near_to, vertex_fault
from gis.values import BBox
from layers.definition.model import FileSource, GeometryKind, Layer
from layers.ingest.feature import BadRecord, Feature, FeatureFault
from layers.items import ItemSource
from layers.items.geojson import id_of
from layers.storage.tables import table_of

SOURCE = "edit"  # of rows that were added by hand


@dataclass(frozen=True, slots=True)
class RowState:
    """A row as it is: its tag changes with each change of the row."""

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


def require_writable(layer: Layer, who: Principal) -> None:
    """Raises NotAllowed or NoKey unless `who` may change rows of the layer."""
    if layer.is_view or layer.access.write == "nobody":
        raise NotAllowed(f"rows of {layer.id} are made by the service and cannot be edited")
    allowed = may_write(who, layer.access.read, layer.access.write, layer.id)
    require(who, allowed, f"changing rows of {layer.id} needs a key of its department")


def state_of_row(connection: Connection, source: ItemSource, row_id: int) -> RowState:
    """The row, locked until the transaction ends; raises NotFound."""
    table = table_of(source.layer)
    found = connection.execute(
        select(table.c.updated_at).where(table.c.id == row_id).with_for_update()
    ).one_or_none()
    if found is None:
        raise NotFound(f"the layer {source.layer.id} has no item {row_id}")
    return RowState(row_id, row_tag(source.layer.id, row_id, found.updated_at))


def tag_of_row(connection: Connection, source: ItemSource, item_id: str) -> str | None:
    """The tag of a row as it is; None for rows of views, which cannot be edited."""
    if source.layer.is_view:
        return None
    table = table_of(source.layer)
    row_id = id_of(source, item_id)
    at = connection.scalar(select(table.c.updated_at).where(table.c.id == row_id))
    return None if at is None else row_tag(source.layer.id, row_id, at)


def row_tag(layer_id: str, row_id: int, updated_at: datetime) -> str:
    told = f"{layer_id}/{row_id}/{updated_at.astimezone(UTC).isoformat()}"
    return hashlib.sha256(told.encode()).hexdigest()[:24]


def add(connection: Connection, source: ItemSource, feature: Feature, who: Principal) -> RowState:
    """A new row; raises BadRecord with all that is wrong."""
    require_writable(source.layer, who)
    table = table_of(source.layer)
    provenance = {"added_by": who.name}
    values = _values(connection, source.layer, feature.geometry, feature.properties) | {
        "source": SOURCE,
        "source_key": str(uuid.uuid4()),
        "provenance": provenance,
        "updated_at": func.clock_timestamp(),
    }
    row = connection.execute(
        insert(table).values(values).returning(table.c.id, table.c.updated_at)
    ).one()
    _note(connection, source.layer, row.id, "add", who, None)
    return RowState(row.id, row_tag(source.layer.id, row.id, row.updated_at))


def replace(
    connection: Connection, source: ItemSource, row_id: int, feature: Feature, who: Principal
) -> RowState:
    """The row with these properties and no others; raises NotFound or BadRecord."""
    written = {one.name: None for one in source.properties if one.writable}
    whole = Feature(feature.geometry, {**written, **feature.properties}, has_geometry=True)
    return _change(connection, source, row_id, whole, who, "replace")


def modify(
    connection: Connection, source: ItemSource, row_id: int, feature: Feature, who: Principal
) -> RowState:
    """The row with these properties changed (RFC 7396); raises NotFound or BadRecord."""
    return _change(connection, source, row_id, feature, who, "update")


def delete(connection: Connection, source: ItemSource, row_id: int, who: Principal) -> None:
    """Raises NotFound; the row stays in the history."""
    require_writable(source.layer, who)
    before = _snapshot(connection, source.layer, row_id)
    if before is None:
        raise NotFound(f"the layer {source.layer.id} has no item {row_id}")
    table = table_of(source.layer)
    connection.execute(table.delete().where(table.c.id == row_id))
    _note(connection, source.layer, row_id, "delete", who, before)


def history(
    connection: Connection, layer_id: str, row_id: int | None = None, limit: int = 100
) -> list[RowChange]:
    """The last changes of one row, or of the whole layer, newest first."""
    asked = {"layer": layer_id, "row": row_id, "limit": limit}
    return [RowChange(*row) for row in connection.execute(_HISTORY, asked)]


def revert(connection: Connection, layer: Layer, change_id: int, who: Principal) -> int:
    """Put a row back as it was before a change; gives its id.

    This is a change too, and can be reverted. Raises NotFound when the layer has no such change,
    BadInput when the row of then is in the way of one loaded since.
    """
    require_writable(layer, who)
    found = connection.execute(_ONE_CHANGE, {"layer": layer.id, "id": change_id}).one_or_none()
    if found is None:
        raise NotFound(f"the layer {layer.id} has no change {change_id}: see its history")
    table = table_of(layer)
    now = _snapshot(connection, layer, found.row_id)
    if found.before is None:
        connection.execute(table.delete().where(table.c.id == found.row_id))
    else:
        with _restorable(change_id):
            _restore(connection, table, found.before)
    _note(connection, layer, found.row_id, "revert", who, now)
    return int(found.row_id)


def _change(
    connection: Connection,
    source: ItemSource,
    row_id: int,
    feature: Feature,
    who: Principal,
    act: str,
) -> RowState:
    require_writable(source.layer, who)
    before = _snapshot(connection, source.layer, row_id)
    if before is None:
        raise NotFound(f"the layer {source.layer.id} has no item {row_id}")
    table = table_of(source.layer)
    values = _changed(connection, source, feature, before)
    changed = (
        update(table)
        .where(table.c.id == row_id)
        .values(values | {"updated_at": func.clock_timestamp()})
        .returning(table.c.updated_at)
    )
    updated_at = connection.execute(changed).scalar_one()
    _note(connection, source.layer, row_id, act, who, before)
    return RowState(row_id, row_tag(source.layer.id, row_id, updated_at))


def _changed(
    connection: Connection, source: ItemSource, feature: Feature, before: Mapping[str, Any]
) -> dict[str, Any]:
    """A row is placed again when anything is said that its place depends on."""
    placing = {"valid_at", *_place_fields(source.layer).values()}
    moved = feature.has_geometry or bool(placing & set(feature.properties))
    if not moved:
        return dict(feature.properties)
    geometry = feature.geometry if feature.has_geometry else _stored_geometry(before)
    kept = {name: before.get(name) for name in placing if name in before}
    if kept.get("valid_at") is not None:
        kept["valid_at"] = datetime.fromisoformat(str(kept["valid_at"]))
    values = _values(connection, source.layer, geometry, {**kept, **feature.properties})
    return {name: value for name, value in values.items() if name in table_of(source.layer).c}


def _stored_geometry(before: Mapping[str, Any]) -> shapely.Geometry | None:
    return None if before["geom"] is None else shapely.from_wkb(before["geom"])


def _values(
    connection: Connection,
    layer: Layer,
    geometry: shapely.Geometry | None,
    properties: Mapping[str, Any],
) -> dict[str, Any]:
    """The columns of a row: its properties, its geometry, its place."""
    place = _place(connection, layer, geometry, properties) if layer.placed else {}
    return {**properties, "geom": _bound(layer, geometry), **place}


def _bound(layer: Layer, geometry: shapely.Geometry | None) -> ColumnElement[Any] | None:
    if geometry is None:
        return None
    made = func.ST_GeomFromWKB(shapely.to_wkb(geometry), 4326)
    return made if layer.geometry is GeometryKind.POINT else func.ST_Multi(made)


def _place(
    connection: Connection,
    layer: Layer,
    geometry: shapely.Geometry | None,
    properties: Mapping[str, Any],
) -> dict[str, Any]:
    """Hex, commune and the rest; raises BadRecord where there is no place."""
    place = _placed(connection, layer, geometry, properties)
    tolerated = isinstance(layer.source, FileSource) and layer.source.outside == "keep"
    if geometry is not None and not tolerated and not place["reason"]:
        near = near_to(BBox.of(stored_territory(connection).outline.bounds))
        fault = vertex_fault(geometry, near)
        if fault is not None:
            raise BadRecord([FeatureFault("geometry", fault)])
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


def _placed(
    connection: Connection,
    layer: Layer,
    geometry: shapely.Geometry | None,
    properties: Mapping[str, Any],
) -> dict[str, Any]:
    point = None if geometry is None else shapely.point_on_surface(geometry)
    said = {use: str(properties.get(name) or "") for use, name in _place_fields(layer).items()}
    at = properties.get("valid_at")
    claims = Claims(
        lon=np.array([np.nan if point is None else point.x]),
        lat=np.array([np.nan if point is None else point.y]),
        address=[said.get("address", "")],
        unit=[said.get("commune", "")],
        day=[at.astimezone(HERE).date() if at is not None else None],
        precision_m=np.array([np.nan]),
    )
    return stored_placer(connection, today()).place(claims).row(0)


def _place_fields(layer: Layer) -> dict[str, str]:
    """The fields that hold an address or a commune, as the layer's source names them."""
    if not isinstance(layer.source, FileSource):
        return {}
    columns = {(one.column or name): name for name, one in layer.public_fields.items()}
    named = {"address": layer.source.address, "commune": layer.source.commune}
    return {use: columns[column] for use, column in named.items() if column in columns}


def _snapshot(connection: Connection, layer: Layer, row_id: int) -> dict[str, Any] | None:
    """The whole row, locked; the geometry as EWKB in hexadecimal digits."""
    kept = table_of(layer).alias("kept")
    whole = func.to_jsonb(text("kept")).op("-")("geom")
    geom = func.jsonb_build_object("geom", func.encode(func.ST_AsEWKB(kept.c.geom), "hex"))
    found = connection.execute(
        select(whole.op("||")(geom)).select_from(kept).where(kept.c.id == row_id).with_for_update()
    ).one_or_none()
    return None if found is None else dict(found[0])


@contextmanager
def _restorable(change_id: int) -> Iterator[None]:
    """Raises BadInput where the table, as it is by now, cannot hold the row of then."""
    try:
        yield
    except (IntegrityError, DataError) as error:
        raise BadInput(
            f"change {change_id} cannot be reverted: its record was loaded again under another id, "
            "or the layer's fields have changed since; edit the record instead"
        ) from error


def _restore(connection: Connection, table: Table, before: Mapping[str, Any]) -> None:
    """The columns that the table still has, as they were."""
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


def _note(
    connection: Connection,
    layer: Layer,
    row_id: int,
    act: str,
    who: Principal,
    before: Mapping[str, Any] | None,
) -> None:
    connection.execute(
        _NOTE,
        {
            "layer": layer.id,
            "row": row_id,
            "act": act,
            "who": who.name,
            "before": None if before is None else orjson.dumps(dict(before)).decode(),
        },
    )


_NOTE = text("""
INSERT INTO gis.row_history (layer_id, row_id, act, who, before)
VALUES (:layer, :row, :act, :who, CAST(:before AS jsonb))
""")
_HISTORY = text("""
SELECT id, row_id, act, at, who, before FROM gis.row_history
WHERE layer_id = :layer AND (CAST(:row AS bigint) IS NULL OR row_id = :row)
ORDER BY id DESC LIMIT :limit
""")
_ONE_CHANGE = text("""
SELECT row_id, before FROM gis.row_history WHERE layer_id = :layer AND id = :id
""")
