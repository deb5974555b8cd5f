"""Synchronisation of the database with the layer files: tables, columns, indexes, publication.

`sync` is transactional and idempotent. It loses no data: the column of a removed field stays, the
table of a removed file stays, and a change of type that would lose a value is refused.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Table, func, select, text
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable

from gis.database.roles import as_owner
from gis.errors import BadLayerFile
from layers.definition.catalogue import Catalogue
from layers.definition.model import GeometryKind, Layer
from layers.ingest.records import RecordFault
from layers.ingest.stored_records import move_rows
from layers.ingest.undeclared import hide_undeclared
from layers.series.latest import refresh_latest
from layers.storage.closing import Closing, compare_access, outdate_derived, redact_detection
from layers.storage.comments import comment_on_layers
from layers.storage.covers import fill_covers, uncoverable
from layers.storage.inspection import TableStructure, read_structures, types_of
from layers.storage.rasters import publish_rasters
from layers.storage.redaction import hide_field
from layers.storage.retype import Retyping, find_loss
from layers.storage.tables import (
    ON_EARTH,
    SCHEMA,
    finest_of,
    has_hex_cover,
    has_unit_shares,
    hex_cover_of,
    measurements_of,
    table_of,
    unit_shares_of,
)

VERSION_TRIGGER: Final = "version"
TOUCH_TRIGGER: Final = "version_touched_insert"
SHARES_TRIGGER: Final = "units_insert"
STATIONS_TRIGGER: Final = "stations_delete"


class SyncReport(StrEnum):
    """Kinds of change that a sync makes."""

    CREATED = "created"
    PUBLISHED = "published"
    UNPUBLISHED = "unpublished"
    DESCRIBED = "described"  # the file changed
    COLUMN_ADDED = "column_added"
    COLUMN_KEPT = "column_kept"  # its field is gone: kept, no longer served
    COLUMN_RETYPED = "column_retyped"
    COLUMN_HIDDEN = "column_hidden"  # became personal: moved to schema private
    INDEXED = "indexed"
    QUARANTINED = "quarantined"  # rows that a new check of the table does not admit
    HEXES_ATTACHED = "hexes_attached"
    HEXES_DETACHED = "hexes_detached"


@dataclass(frozen=True, slots=True)
class SyncChange:
    """One change of a sync to one layer; `detail` names the column, index or type."""

    layer_id: str
    change: SyncReport
    detail: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.layer_id, self.change.replace("_", " "), self.detail)))


@dataclass(frozen=True, slots=True)
class _PublishedLayer:
    """A layer as it stands in gis.layer."""

    digest: str
    definition: Mapping[str, Any]
    published: bool

    def section(self, name: str) -> Any:
        return self.definition.get(name)


@dataclass(frozen=True)
class _Task:
    """A layer, the table that its file declares, and the table that the database has."""

    layer: Layer
    digest: str
    table: Table
    shape: TableStructure | None
    before: _PublishedLayer | None

    @property
    def closing(self) -> Closing | None:
        """The data that the file closes; None where it closes nothing."""
        closing = compare_access(self.before.definition, self.layer) if self.before else None
        return closing or None

    @property
    def retypings(self) -> list[Retyping]:
        """The columns whose type the file changed."""
        if self.shape is None or self.shape.is_view or self.layer.is_view:
            return []
        types = types_of(self.table)
        return [
            Retyping(self.layer.id, name, self.shape.columns[name], kind)
            for name, kind in types.items()
            if self.shape.columns.get(name, kind) != kind
        ]


def sync(connection: Connection, catalogue: Catalogue) -> list[SyncChange]:
    """Bring the tables and gis.layer in line with the files, inside the caller's transaction.

    Gives the changes in order; none when all was in line. Raises BadLayerFile, with nothing
    changed, when a table cannot be brought in line without losing a value.
    """
    connection.execute(_LOCK_SYNC)
    tasks = _tasks(connection, catalogue)
    faults = [fault for task in tasks for fault in _sync_faults(connection, task)]
    faults += _taken_names(catalogue)
    if faults:
        raise BadLayerFile("\n".join(faults))
    with as_owner(connection):
        _lock_closed(connection, tasks)
        changes = [change for task in tasks for change in _apply(connection, task)]
        changes += [
            SyncChange(layer_id, SyncReport(change))
            for layer_id, change in publish_rasters(connection, catalogue)
        ]
        comment_on_layers(connection, catalogue)
        return changes + _unpublish_missing(connection, catalogue)


_LOCK_SYNC = text("SELECT pg_advisory_xact_lock(hashtextextended('layers sync', 0))")


def _lock_closed(connection: Connection, tasks: Sequence[_Task]) -> None:
    """Lock the tables of layers that are closed, so that nothing derived from them survives.

    A transaction that derives something has either stored it, and it is redacted, or reads the
    closed layer afterwards. The locks come first: locks on rows that it needs would deadlock.
    """
    for task in tasks:
        if task.shape is not None and not task.shape.is_view and task.closing:
            connection.exec_driver_sql(f"LOCK TABLE {_qualified_name(task.layer.id)}")


def _tasks(connection: Connection, catalogue: Catalogue) -> list[_Task]:
    shapes, published = read_structures(connection), _published(connection)
    return [
        _Task(
            layer,
            catalogue.digest_of(layer),
            table_of(layer),
            shapes.get(layer.id),
            published.get(layer.id),
        )
        for layer in catalogue.layers
    ]


def _published(connection: Connection) -> dict[str, _PublishedLayer]:
    rows = connection.execute(text("SELECT id, digest, definition, published FROM gis.layer"))
    return {row.id: _PublishedLayer(row.digest, row.definition, row.published) for row in rows}


def _sync_faults(connection: Connection, task: _Task) -> Iterator[str]:
    """Messages for the author of a layer file: why its table cannot be brought in line."""
    file, layer, shape = f"{task.layer.id}.yaml", task.layer, task.shape
    if layer.is_view:
        yield from (f"{file}: {fault}" for fault in _view_faults(task))
    elif shape is not None and shape.is_view:
        yield f"{file}: `layer.{layer.id}` is a view: write `connector: view`, or another id"
    for retyping in task.retypings:
        loss = find_loss(connection, retyping)
        if loss:
            yield f"{file}: {_refusal(retyping, loss)}"
    if shape is not None and has_hex_cover(layer) and not _is_counted(connection, layer):
        too_large = uncoverable(connection, layer)
        if too_large:
            yield f"{file}: {too_large}"


def _taken_names(catalogue: Catalogue) -> Iterator[str]:
    """Messages on layers whose id is that of the communes or hexes of another layer's rows."""
    layers = catalogue.layers
    taken = {unit_shares_of(each).name: each.id for each in layers if has_unit_shares(each)}
    taken |= {hex_cover_of(each).name: each.id for each in layers if has_hex_cover(each)}
    taken |= {measurements_of(each).name: each.id for each in layers if each.series}
    for layer in layers:
        if layer.id in taken:
            held = layer.id.rpartition("_")[2].replace("units", "communes")
            yield (
                f"{layer.id}.yaml: `layer.{layer.id}` holds the {held} of `{taken[layer.id]}`: "
                "choose another id"
            )


def _view_faults(task: _Task) -> Iterator[str]:
    shape = task.shape
    if shape is None or not shape.is_view:
        yield f"there is no view `layer.{task.layer.id}`, as `connector: view` says"
        return
    missing = [column.name for column in task.table.columns if column.name not in shape.columns]
    if missing:
        yield (
            f"the view `layer.{task.layer.id}` has no column {', '.join(missing)}; "
            f"it has {', '.join(shape.columns)}"
        )


def _refusal(retyping: Retyping, loss: str) -> str:
    return (
        f"`{retyping.column}` is {retyping.old} in the table and cannot become {retyping.new}: "
        f"{loss}; keep its type, or give the field another name"
    )


def _apply(connection: Connection, task: _Task) -> Iterator[SyncChange]:
    yield from _publish(connection, task)
    if task.closing:
        outdate_derived(connection, task.layer, task.closing)
    if task.layer.is_view:
        return
    if task.shape is None:
        connection.execute(CreateTable(task.table))
        yield SyncChange(task.layer.id, SyncReport.CREATED, f"layer.{task.layer.id}")
    else:
        yield from _migrate(connection, task, task.shape)
        hide_undeclared(connection, task.layer)
    yield from _create_indexes(connection, task)
    yield from _count_hexes(connection, task)
    if task.layer.series is not None:
        if task.shape is None or STATIONS_TRIGGER not in task.shape.triggers:
            connection.execute(_ATTACH_MEASUREMENTS, {"id": task.layer.id})
        series = task.layer.series.model_dump(mode="json")
        if task.shape is not None and task.before and task.before.section("series") != series:
            refresh_latest(connection, task.layer)
    if has_unit_shares(task.layer) and (
        task.shape is None or SHARES_TRIGGER not in task.shape.triggers
    ):
        connection.execute(_ATTACH_SHARES, {"id": task.layer.id})
    _attach_tile_invalidation(connection, task)


def _publish(connection: Connection, task: _Task) -> Iterator[SyncChange]:
    """Write the row of gis.layer; its version rises when the file changed."""
    before, layer = task.before, task.layer
    definition = layer.model_dump(mode="json")
    if before == _PublishedLayer(task.digest, definition, published=True):
        return
    connection.execute(
        _PUBLISH,
        {"id": layer.id, "digest": task.digest, "definition": orjson.dumps(definition).decode()},
    )
    was_published = before is not None and before.published
    yield SyncChange(layer.id, SyncReport.DESCRIBED if was_published else SyncReport.PUBLISHED)


_PUBLISH = text("""
INSERT INTO gis.layer (id, digest, definition) VALUES (:id, :digest, CAST(:definition AS jsonb))
ON CONFLICT (id) DO UPDATE SET digest = excluded.digest, definition = excluded.definition,
  published = true, version = layer.version + 1, changed_at = now()
""")


def _migrate(connection: Connection, task: _Task, shape: TableStructure) -> Iterator[SyncChange]:
    layer_id = task.layer.id
    columns = types_of(task.table)
    yield from _drop_indexes(connection, task, shape)
    for retyping in task.retypings:
        connection.exec_driver_sql(retyping.statement())
        yield SyncChange(
            layer_id,
            SyncReport.COLUMN_RETYPED,
            f"{retyping.column}: {retyping.old} → {retyping.new}",
        )
    for column in task.table.columns:
        if column.name not in shape.columns:
            definition = CreateColumn(column).compile(dialect=connection.dialect)
            connection.exec_driver_sql(
                f"ALTER TABLE {_qualified_name(layer_id)} ADD COLUMN {definition}"
            )
            yield SyncChange(layer_id, SyncReport.COLUMN_ADDED, column.name)
    yield from _hide_personal(connection, task, shape)
    yield from _check_earth(connection, task, shape)
    gone = set(task.before.section("fields") or {}) - set(columns) if task.before else set()
    kept = sorted(gone - set(task.layer.fields) & set(shape.columns))
    yield from (SyncChange(layer_id, SyncReport.COLUMN_KEPT, name) for name in kept)


def _drop_indexes(
    connection: Connection, task: _Task, shape: TableStructure
) -> Iterator[SyncChange]:
    """Drop search indexes of fields that are no free texts now; they would hinder a new type."""
    declared = {index.name for index in task.table.indexes}
    for name in sorted(shape.indexes - declared):
        if name.startswith(f"{task.layer.id}.") and ".search" in name:
            connection.exec_driver_sql(f'DROP INDEX {SCHEMA}."{name}"')
            yield SyncChange(task.layer.id, SyncReport.INDEXED, f"no longer {name}")


def _hide_personal(
    connection: Connection, task: _Task, shape: TableStructure
) -> Iterator[SyncChange]:
    """Move the values of fields that became personal to schema private."""
    before = (task.before.section("fields") or {}) if task.before else {}
    for name, field in task.layer.fields.items():
        was_personal = before.get(name, {}).get("personal", False)
        has_column = name in shape.columns
        if field.personal and (has_column or not was_personal):
            hide_field(connection, task.layer.id, name, field, has_column=has_column)
            redact_detection(
                connection, task.layer.id, name, task.before.definition if task.before else {}
            )
            yield SyncChange(task.layer.id, SyncReport.COLUMN_HIDDEN, name)


def _check_earth(
    connection: Connection, task: _Task, shape: TableStructure
) -> Iterator[SyncChange]:
    """Add the check of geometries to a table without it; rows that break it go to quarantine."""
    check = f"{task.layer.id}.on_earth"
    if check in shape.checks:
        return
    table = task.table
    row_ids = connection.scalars(
        select(table.c.id).where(~func.gis.is_on_earth(table.c.geom)).order_by(table.c.id)
    ).all()
    if row_ids:
        move_rows(connection, task.layer, dict.fromkeys(row_ids, _NOT_ON_EARTH))
        yield SyncChange(task.layer.id, SyncReport.QUARANTINED, f"{len(row_ids)} rows")
    connection.exec_driver_sql(
        f'ALTER TABLE {_qualified_name(task.layer.id)} ADD CONSTRAINT "{check}" CHECK ({ON_EARTH})'
    )


_NOT_ON_EARTH = RecordFault(
    "bad_geometry",
    "hình có đỉnh không nằm trên trái đất / the geometry has a vertex that is not on the earth",
)


def _create_indexes(connection: Connection, task: _Task) -> Iterator[SyncChange]:
    """Create missing indexes and the trigger that raises the layer's version."""
    shape, layer_id = task.shape, task.layer.id
    existing = shape.indexes if shape else set()
    for index in sorted(task.table.indexes, key=lambda index: str(index.name)):
        if index.name not in existing:
            connection.execute(CreateIndex(index))
            if shape:
                yield SyncChange(layer_id, SyncReport.INDEXED, str(index.name))
    if shape is None or VERSION_TRIGGER not in shape.triggers:
        connection.exec_driver_sql(
            f"CREATE TRIGGER {VERSION_TRIGGER} AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE "
            f"ON {_qualified_name(layer_id)} FOR EACH STATEMENT "
            f"EXECUTE FUNCTION gis.raise_layer_version('{layer_id}')"
        )


def _count_hexes(connection: Connection, task: _Task) -> Iterator[SyncChange]:
    """Attach, recount or detach the counts by hex, as the section `hexes` says."""
    layer = task.layer
    if layer.hexes is None:
        if connection.execute(_COUNTED, {"id": layer.id}).one_or_none() is not None:
            connection.execute(_DETACH, {"id": layer.id})
            yield SyncChange(layer.id, SyncReport.HEXES_DETACHED)
        return
    grouping = _grouping(layer)
    recount = task.shape is None or bool(
        {*grouping.values()} & {retyping.column for retyping in task.retypings}
    )
    if recount or not _is_counted(connection, layer):
        attach = _ATTACH_COVER if has_hex_cover(layer) else _ATTACH
        connection.execute(attach, {"id": layer.id, **grouping})
        detail = " ".join(str(name) for name in grouping.values() if name)
        yield SyncChange(layer.id, SyncReport.HEXES_ATTACHED, detail)
    fill_covers(connection, layer)


def _grouping(layer: Layer) -> dict[str, str | int | None]:
    """The row of gis.hex_counted that a layer file asks for; shapes are grouped when asked."""
    assert layer.hexes is not None
    if has_hex_cover(layer):
        return {"category": None, "measure": None, "resolution": finest_of(layer)}
    return {"category": layer.hexes.category, "measure": layer.hexes.measure, "resolution": None}


def _is_counted(connection: Connection, layer: Layer) -> bool:
    counted = connection.execute(_COUNTED, {"id": layer.id}).one_or_none()
    return counted is not None and dict(counted._mapping) == _grouping(layer)


def _attach_tile_invalidation(connection: Connection, task: _Task) -> None:
    """Add the triggers that record the tiles a change touches, where the layer has a geometry."""
    layer = task.layer
    attached = task.shape is not None and TOUCH_TRIGGER in task.shape.triggers
    if not attached and layer.geometry is not GeometryKind.NONE:
        connection.execute(_ATTACH_TILES, {"id": layer.id})


_ATTACH_SHARES = text("SELECT gis.attach_unit_shares(:id)")
_ATTACH_MEASUREMENTS = text("SELECT gis.attach_measurements(:id)")
_ATTACH_TILES = text("SELECT gis.attach_tiles(:id)")
_ATTACH_COVER = text("SELECT gis.attach_hex_cover(:id, :resolution)")
_COUNTED = text("SELECT category, measure, resolution FROM gis.hex_counted WHERE layer_id = :id")
_ATTACH = text("SELECT gis.attach_hex_counts(:id, :category, :measure)")
_DETACH = text("SELECT gis.detach_hex_counts(:id)")


def _unpublish_missing(connection: Connection, catalogue: Catalogue) -> list[SyncChange]:
    """Unpublish layers whose file was removed; their tables stay."""
    unpublished = connection.scalars(_UNPUBLISH, {"ids": [layer.id for layer in catalogue.layers]})
    return [SyncChange(layer_id, SyncReport.UNPUBLISHED) for layer_id in sorted(unpublished)]


_UNPUBLISH = text("""
UPDATE gis.layer SET published = false, version = version + 1, changed_at = now()
WHERE published AND NOT id = ANY(:ids) RETURNING id
""")


def _qualified_name(layer_id: str) -> str:
    return f'{SCHEMA}."{layer_id}"'
