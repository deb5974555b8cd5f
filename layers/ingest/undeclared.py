"""Undeclared columns: cells of records that their layer file says nothing of.

They may hold identity numbers and telephones, so they count as personal until they are declared:
kept in schema private, shown masked, and in clear only to their sender and the intake desk, each
time with an entry in the audit log. They go with their record or layer, and after some days.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import orjson
from sqlalchemy import Connection, text

from gis.access import Principal, Role
from gis.text import HIDDEN
from layers.definition.model import FileSource, Layer
from layers.ingest.quarantine import QuarantinedRecord, audit
from layers.ingest.records import declared_columns


def masked(record: QuarantinedRecord) -> QuarantinedRecord:
    """The record with a mask for each undeclared cell."""
    return replace(record, raw=record.raw | dict.fromkeys(record.undeclared, HIDDEN))


def in_clear(
    connection: Connection, record: QuarantinedRecord, principal: Principal
) -> QuarantinedRecord:
    """The record with its undeclared cells for whoever may see them, else masked.

    Needs a connection that may write: who saw what is written to the audit log.
    """
    row = connection.execute(_CELLS, _key(record)).one_or_none()
    may_see = row is not None and (principal.role is Role.ADMIN or principal.name == row.sender)
    if row is None or not may_see or not record.undeclared:
        return masked(record)
    audit(
        connection,
        principal.name,
        "undeclared.read",
        {"id": record.id, "layer": record.layer_id, "columns": sorted(row.cells)},
    )
    return replace(record, raw=record.raw | row.cells)


def complete(
    connection: Connection, records: Sequence[QuarantinedRecord]
) -> list[QuarantinedRecord]:
    """Records with their undeclared cells, for a replay: a column may be declared by now."""
    cells = {
        record.id: row.cells
        for record in records
        if record.undeclared
        for row in connection.execute(_CELLS, _key(record))
    }
    return [replace(each, raw=cells.get(each.id, {}) | each.raw) for each in records]


def put_cells(
    connection: Connection,
    layer_id: str,
    source: str,
    cells: Mapping[str, Mapping[str, str]],
    sender: str,
    *,
    replayed: bool,
) -> None:
    """Store undeclared cells by source key; of a record that is `replayed` the sender stays."""
    rows = [
        {
            "layer": layer_id,
            "source": source,
            "key": key,
            "cells": orjson.dumps(dict(values)).decode(),
            "sender": sender,
            "replayed": replayed,
        }
        for key, values in cells.items()
        if values
    ]
    if rows:
        connection.execute(_PUT, rows)


def hide_undeclared(connection: Connection, layer: Layer) -> None:
    """Move cells that the layer file does not declare, or no longer, out of quarantine."""
    if not isinstance(layer.source, FileSource):
        return
    values = {"layer": layer.id, "declared": sorted(declared_columns(layer.source, layer.fields))}
    connection.execute(_KEEP, values)
    connection.execute(_CLEAN, values)


def _key(record: QuarantinedRecord) -> dict[str, str]:
    return {"layer": record.layer_id, "source": record.source, "key": record.source_key}


_CELLS = text("""
SELECT cells, sender FROM private.undeclared
WHERE layer_id = :layer AND source = :source AND source_key = :key
""")
_PUT = text("""
INSERT INTO private.undeclared AS u (layer_id, source, source_key, cells, sender)
VALUES (:layer, :source, :key, CAST(:cells AS jsonb), :sender)
ON CONFLICT (layer_id, source, source_key) DO UPDATE
SET cells = excluded.cells, sender = CASE WHEN :replayed THEN u.sender ELSE excluded.sender END,
    sent_at = CASE WHEN :replayed THEN u.sent_at ELSE now() END
""")
_KEEP = text("""
INSERT INTO private.undeclared AS u (layer_id, source, source_key, cells, sender)
SELECT layer_id, source, source_key, raw - CAST(:declared AS text[]), changed_by
FROM gis.quarantine WHERE layer_id = :layer AND raw - CAST(:declared AS text[]) <> '{}'
ON CONFLICT (layer_id, source, source_key) DO UPDATE SET cells = u.cells || excluded.cells
""")
_CLEAN = text("""
UPDATE gis.quarantine q
SET raw = q.raw - extra.columns,
    undeclared = ARRAY(SELECT DISTINCT name FROM unnest(q.undeclared || extra.columns) AS name
                       ORDER BY name),
    said = CASE q.said WHEN md5(q.raw::text) THEN md5((q.raw - extra.columns)::text)
           ELSE q.said END
FROM (SELECT id, ARRAY(SELECT jsonb_object_keys(raw - CAST(:declared AS text[])) ORDER BY 1)
             AS columns
      FROM gis.quarantine WHERE layer_id = :layer) AS extra
WHERE extra.id = q.id AND extra.columns <> '{}'
""")
