"""Renaming of source keys that an earlier version wrote, when their record is loaded again.

Keys of several columns were joined by a bare `|`, so that ("a|b", "c") and ("a", "b|c") were one.
Keys without `|` and `\\` in their parts are the same in both forms; of the others:

* a row belongs to the record of its old key whose key fields are the row's own;
* where the layer has no such fields, to the last record of that key in the load, as it did then;
* a record in quarantine belongs to the one whose key columns it has.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, column, select, text, update

from layers.definition.model import FileSource, Layer
from layers.ingest.records import RecordBatch, key_columns
from layers.storage.tables import table_of


def rename_former_keys(
    connection: Connection, layer: Layer, source: FileSource, records: RecordBatch, name: str
) -> None:
    """Rename former keys of these records: rows with history and reporters, and quarantine.

    `name` is the source that the records come from.
    """
    taken = set(records.keys)
    claims: dict[str, list[int]] = defaultdict(list)
    for row, former in records.former_keys.items():
        if former not in taken:
            claims[former].append(row)
    if claims:
        _rename_rows(connection, layer, source, records, name, claims)
        _rename_waiting(connection, layer, source, records, name, claims)


def _rename_rows(
    connection: Connection,
    layer: Layer,
    source: FileSource,
    records: RecordBatch,
    name: str,
    claims: Mapping[str, Sequence[int]],
) -> None:
    table = table_of(layer)
    by_column = {
        definition.column or field: field for field, definition in layer.public_fields.items()
    }
    fields = [by_column[column] for column in key_columns(source) if column in by_column]
    rows = connection.execute(
        select(table.c.id, table.c.source_key, *(table.c[field] for field in fields)).where(
            table.c.source == name, table.c.source_key.in_(list(claims))
        )
    ).all()
    for row in rows:
        matches = [
            record
            for record in claims[row.source_key]
            if all(getattr(row, field) == records.columns[field][record] for field in fields)
        ]
        key = records.keys[matches[-1]] if matches else None
        values = {"layer": layer.id, "source": name, "former": row.source_key, "key": key}
        if key is None or _exists(connection, table, name, key):
            continue
        connection.execute(update(table).where(table.c.id == row.id).values(source_key=key))
        connection.execute(_RENAME_HISTORY, {**values, "row": row.id})
        connection.execute(_RENAME_REPORTER, values)


def _exists(connection: Connection, table: Any, name: str, key: str) -> bool:
    same = (table.c.source == name) & (table.c.source_key == key)
    return connection.scalar(select(column("true", is_literal=True)).where(same)) is not None


def _rename_waiting(
    connection: Connection,
    layer: Layer,
    source: FileSource,
    records: RecordBatch,
    name: str,
    claims: Mapping[str, Sequence[int]],
) -> None:
    columns = key_columns(source)
    waiting = {"layer": layer.id, "source": name, "keys": list(claims)}
    for row in connection.execute(_WAITING, waiting).all():
        matches = [
            record
            for record in claims[row.source_key]
            if _key_parts(records.raw(record), columns) == _key_parts(row.raw, columns)
        ]
        if matches:
            connection.execute(_RENAME_WAITING, {"id": row.id, "key": records.keys[matches[-1]]})
            values = {"layer": layer.id, "source": name, "former": row.source_key}
            for statement in (_RENAME_REPORTER, _RENAME_UNDECLARED):
                connection.execute(statement, {**values, "key": records.keys[matches[-1]]})


def _key_parts(raw: Mapping[str, str], columns: Sequence[str]) -> list[str]:
    return [raw.get(column, "") for column in columns]


_RENAME_HISTORY = text("""
UPDATE gis.row_history SET before = jsonb_set(before, '{source_key}', to_jsonb(CAST(:key AS text)))
WHERE layer_id = :layer AND row_id = :row AND before ->> 'source' = :source
  AND before ->> 'source_key' = :former
""")
_RENAME_REPORTER = text("""
UPDATE private.reporter r SET source_key = :key
WHERE layer_id = :layer AND source = :source AND source_key = :former
  AND NOT EXISTS (SELECT FROM private.reporter o
                  WHERE (o.layer_id, o.source, o.source_key) = (:layer, :source, :key))
""")
_RENAME_UNDECLARED = text("""
UPDATE private.undeclared u SET source_key = :key
WHERE layer_id = :layer AND source = :source AND source_key = :former
  AND NOT EXISTS (SELECT FROM private.undeclared o
                  WHERE (o.layer_id, o.source, o.source_key) = (:layer, :source, :key))
""")
_WAITING = text("""
SELECT id, source_key, raw FROM gis.quarantine
WHERE layer_id = :layer AND source = :source AND source_key = ANY(:keys)
""")
_RENAME_WAITING = text("""
UPDATE gis.quarantine q SET source_key = :key WHERE id = :id
  AND NOT EXISTS (SELECT FROM gis.quarantine o
                  WHERE (o.layer_id, o.source, o.source_key) = (q.layer_id, q.source, :key))
""")
