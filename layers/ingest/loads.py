"""Loads as things: listed, compared with what was there before, and reverted.

A load knows the rows that it added by their provenance, and has those that it changed or removed
in the history of rows. A row that was changed since is left as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from gis.access import Principal
from gis.errors import Conflict, NotFound
from layers.definition.model import Layer
from layers.ingest.addresses import drop_addresses
from layers.ingest.edit import require_writable
from layers.series.reverting import measured_changes, revert_measurements
from layers.storage.covers import fill_covers
from layers.storage.tables import measurements_of, table_of

_NOT_COMPARED = {"id", "updated_at", "provenance"}


@dataclass(frozen=True, slots=True)
class Load:
    """One load of one file; `mode` None: it was made by a version that could not revert it."""

    id: int
    layer_id: str
    source: str
    file: str | None
    sha256: str
    mode: str | None
    options: dict[str, str]
    loaded_at: datetime
    loaded_by: str
    started_at: datetime | None
    ended_at: datetime | None
    read: int
    added: int
    updated: int
    unchanged: int
    removed: int
    outside: int
    quarantined: int
    reasons: dict[str, int]
    simulated: bool
    reverted_at: datetime | None
    reverted_by: str | None


@dataclass(frozen=True, slots=True)
class LoadedChange:
    """One row that a load changed: its values `before` (None: added), `after` (None: removed).

    Of a row that it updated only the values that differ are given.
    """

    row_id: int
    source_key: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    changed_since: bool


@dataclass(frozen=True, slots=True)
class Reverted:
    """Counts of rows that a load had added, updated or removed, and that are as before again; of
    a layer of measurements these, not rows.

    `kept` were changed since the load, and stay as they are.
    """

    deleted: int
    restored: int
    returned: int
    kept: int


_COLUMNS = ", ".join(Load.__dataclass_fields__)
_LIST = text(
    f"SELECT {_COLUMNS} FROM gis.load"  # noqa: S608 (names of our own)
    " WHERE (CAST(:layer AS text) IS NULL OR layer_id = :layer) ORDER BY id DESC LIMIT :limit"
)
_ONE = text(f"SELECT {_COLUMNS} FROM gis.load WHERE id = :id FOR UPDATE")  # noqa: S608


def list_loads(connection: Connection, layer_id: str | None = None, limit: int = 100) -> list[Load]:
    """The last loads, newest first."""
    rows = connection.execute(_LIST, {"layer": layer_id, "limit": limit})
    return [_load(row) for row in rows]


def get_load(connection: Connection, load_id: int) -> Load:
    """One load; raises NotFound."""
    statement = text(_ONE.text.removesuffix(" FOR UPDATE"))
    row = connection.execute(statement, {"id": load_id}).one_or_none()
    if row is None:
        raise NotFound(f"there is no load {load_id}: see `gis loads list`")
    return _load(row)


def _load(row: Row[Any]) -> Load:
    return Load(**row._mapping)


def diff(connection: Connection, layer: Layer, load: Load, limit: int = 100) -> list[LoadedChange]:
    """Rows that a load changed, as they are now beside what they were before; of a layer of
    measurements these too, each with the row of its station.
    """
    values = {"load": load.id, "at": load.loaded_at, "limit": limit}
    rows = connection.execute(text(_DIFF.format(table=_qualified(layer))), values).all()
    changes = [_change(row) for row in rows]
    if layer.series is not None:
        measured = measured_changes(connection, layer, load.id, limit - len(changes))
        changes += [
            LoadedChange(row.station, row.source_key, row.before, row.after, row.changed_since)
            for row in measured
        ]
    return changes


def _change(row: Row[Any]) -> LoadedChange:
    before, after = row.before, row.after
    if before is not None and after is not None:
        names = [
            name
            for name in {**before, **after}
            if name not in _NOT_COMPARED and before.get(name) != after.get(name)
        ]
        before, after = ({name: each.get(name) for name in names} for each in (before, after))
    key = (row.before or row.after)["source_key"]
    return LoadedChange(row.row_id, key, before, after, bool(row.changed_since))


def revert(connection: Connection, layer: Layer, load_id: int, principal: Principal) -> Reverted:
    """Put back what a load changed, but for rows that were changed since.

    Raises NotAllowed, NoKey, NotFound, and Conflict for a load that is reverted already or was
    made by a version that kept nothing to revert it by.
    """
    require_writable(layer, principal)
    connection.execute(_ONE, {"id": load_id})
    load = get_load(connection, load_id)
    if load.mode is None or load.reverted_at is not None:
        why = "was made before loads could be reverted" if load.mode is None else "is reverted"
        raise Conflict(f"load {load_id} {why}: load a right file instead")
    table = table_of(layer)
    names = [column.name for column in table.c if column.name not in ("id", "updated_at")]
    parts = {
        "table": _qualified(layer),
        "names": ", ".join(f'"{name}"' for name in names),
        "values": ", ".join(f'old."{name}"' for name in names),
    }
    if layer.series is not None:
        stations = [name for name in names if name not in {"valid_at", *layer.measured_fields}]
        parts |= {
            "stations": ", ".join(f'"{name}"' for name in stations),
            "station_values": ", ".join(f'old."{name}"' for name in stations),
            "measurements": f'layer."{measurements_of(layer).name}"',
        }
    values = {"load": load_id, "layer": layer.id, "at": load.loaded_at, "who": principal.name}
    if layer.series is not None:
        return _revert_series(connection, layer, load, parts, values)
    changed = {
        name: _run(connection, statement, parts, values) for name, statement in _REVERT.items()
    }
    fill_covers(connection, layer)
    for statement in _REVERT_BESIDE:
        connection.execute(text(statement.format(**parts)), values | {"source": load.source})
    drop_addresses(connection, layer)
    connection.execute(_MARK_REVERTED, values)
    expected = load.added + load.updated + load.removed
    done = changed["deleted"] + changed["restored"] + changed["returned"]
    return Reverted(**changed, kept=expected - done)


def _revert_series(
    connection: Connection, layer: Layer, load: Load, parts: dict[str, str], values: dict[str, Any]
) -> Reverted:
    """Take back the measurements of a load, and what it changed of its stations.

    The counts are of measurements. A station that the load added stays while it has others.
    """
    measured = revert_measurements(connection, layer, load.id, values["who"])
    for statement in _REVERT_STATIONS:
        connection.execute(text(statement.format(**parts)), values)
    for statement in _REVERT_BESIDE:
        connection.execute(text(statement.format(**parts)), values | {"source": load.source})
    drop_addresses(connection, layer)
    connection.execute(_MARK_REVERTED, values)
    return Reverted(measured.deleted, measured.restored, returned=0, kept=measured.kept)


def _run(
    connection: Connection, statements: Sequence[str], parts: dict[str, str], values: dict[str, Any]
) -> int:
    """Run statements in their order; gives the rows of the last."""
    counts = [
        connection.execute(text(statement.format(**parts)), values).rowcount
        for statement in statements
    ]
    return counts[-1]


def _qualified(layer: Layer) -> str:
    return f'layer."{layer.id}"'


_SNAPSHOT = "to_jsonb(t) - 'geom' || jsonb_build_object('geom', encode(ST_AsEWKB(t.geom), 'hex'))"
# Rows that the load added: they name it, and nothing was there before.
_ADDED = """
t.provenance ->> 'load' = CAST(:load AS text) AND NOT EXISTS (
  SELECT FROM gis.row_history h WHERE h.load_id = :load AND h.row_id = t.id)"""
_DIFF = f"""
SELECT t.id AS row_id, CAST(NULL AS jsonb) AS before, {_SNAPSHOT} AS after,
       t.updated_at <> :at AS changed_since
FROM {{table}} t WHERE {_ADDED}
UNION ALL
SELECT h.row_id, h.before, CASE WHEN t.id IS NOT NULL THEN {_SNAPSHOT} END,
       CASE h.act WHEN 'delete' THEN t.id IS NOT NULL ELSE t.updated_at IS DISTINCT FROM :at END
FROM gis.row_history h LEFT JOIN {{table}} t ON t.id = h.row_id
WHERE h.load_id = :load
ORDER BY row_id LIMIT :limit"""  # noqa: S608 (names of our own)
_HISTORY = f"""
INSERT INTO gis.row_history (layer_id, row_id, act, who, before)
SELECT :layer, t.id, 'revert', :who, {_SNAPSHOT} FROM {{table}} t"""  # noqa: S608
_UPDATED = """
h.load_id = :load AND h.act IN ('update', 'replay') AND t.id = h.row_id AND t.updated_at = :at"""
_REVERT = {
    "deleted": (
        f"{_HISTORY} WHERE t.updated_at = :at AND {_ADDED}",
        f"DELETE FROM {{table}} t WHERE t.updated_at = :at AND {_ADDED}",  # noqa: S608
    ),
    "restored": (
        # The address that is kept is that of the load, not of the row before it.
        "DELETE FROM private.address a USING {table} t, gis.row_history h"  # noqa: S608
        " WHERE a.layer_id = :layer AND (a.source, a.source_key) = (t.source, t.source_key)"
        f" AND {_UPDATED}",
        f"{_HISTORY}, gis.row_history h WHERE {_UPDATED}",
        "UPDATE {table} t SET ({names}, updated_at) = ROW({values}, clock_timestamp())"  # noqa: S608
        " FROM gis.row_history h, jsonb_populate_record(NULL::{table}, h.before) old"
        f" WHERE {_UPDATED}",
    ),
    "returned": (
        "INSERT INTO {table} (id, {names}, updated_at)"
        " SELECT h.row_id, {values}, clock_timestamp()"
        " FROM gis.row_history h, jsonb_populate_record(NULL::{table}, h.before) old"
        " WHERE h.load_id = :load AND h.act = 'delete' ON CONFLICT DO NOTHING",
    ),
}
# Of a layer of measurements: stations as they were, unless something changed them since; those
# that it added and that have no measurement of another load.
_OF_STATIONS = """
h.load_id = :load AND h.act IN ('update', 'replay') AND t.id = h.row_id AND NOT EXISTS (
  SELECT FROM gis.row_history later
  WHERE later.layer_id = :layer AND later.row_id = h.row_id AND later.id > h.id)"""
_UNUSED = f"{_ADDED} AND NOT EXISTS (SELECT FROM {{measurements}} m WHERE m.station = t.id)"
_REVERT_STATIONS = (
    "UPDATE {table} t SET ({stations}, updated_at) = ROW({station_values}, clock_timestamp())"  # noqa: S608
    " FROM gis.row_history h, jsonb_populate_record(NULL::{table}, h.before) old"
    f" WHERE {_OF_STATIONS}",
    f"{_HISTORY} WHERE {_UNUSED}",
    f"DELETE FROM {{table}} t WHERE {_UNUSED}",  # noqa: S608
)
# What the load alone put into quarantine goes, and what it took out waits again.
_REVERT_BESIDE = (
    "DELETE FROM gis.quarantine WHERE layer_id = :layer AND source = :source"
    " AND created_at = :at AND changed_at = :at",
    "UPDATE gis.quarantine SET status = 'waiting', changed_at = now()"
    " WHERE layer_id = :layer AND source = :source AND status = 'replayed' AND changed_at = :at",
    "DELETE FROM private.undeclared u WHERE layer_id = :layer AND source = :source"
    " AND sent_at = :at AND NOT EXISTS ("
    "   SELECT FROM gis.quarantine q WHERE (q.layer_id, q.source, q.source_key)"
    "   = (u.layer_id, u.source, u.source_key)) AND NOT EXISTS ("
    "   SELECT FROM {table} t WHERE (t.source, t.source_key) = (u.source, u.source_key))",
    "DELETE FROM private.reporter r WHERE layer_id = :layer AND source = :source"
    " AND created_at = :at AND NOT EXISTS ("
    "   SELECT FROM {table} t WHERE t.source = r.source AND t.source_key = r.source_key)",
    "DELETE FROM gis.superseded WHERE load_id = :load",
)
_MARK_REVERTED = text(
    "UPDATE gis.load SET reverted_at = now(), reverted_by = :who WHERE id = :load"
)
