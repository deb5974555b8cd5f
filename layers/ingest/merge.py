"""Merge of rows into a layer's table: copied into a temporary table, compared, merged by key."""

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection

from layers.definition.model import Layer

# Filled by the loader, beside the layer's own fields.
PLACE_COLUMNS = (
    "geom", "h3", "commune", "unit_then", "place_method", "place_confidence",
    "place_precision_m", "default_point", "valid_at", "source", "source_key", "provenance",
)  # fmt: skip
# A change of these alone is no update of the row: a line number in `provenance` may change.
_NOT_COMPARED = ("source", "source_key", "provenance")

_CREATE = "CREATE TEMP TABLE incoming ON COMMIT DROP AS SELECT {columns} FROM {table} WITH NO DATA"
_COUNT = """
SELECT count(*) FILTER (WHERE t.id IS NULL),
       count(*) FILTER (WHERE t.id IS NOT NULL AND ({theirs}) IS DISTINCT FROM ({ours}))
FROM incoming i LEFT JOIN {table} t USING (source, source_key)"""
_UPDATE = """
UPDATE {table} t SET ({names}, provenance, updated_at) = ROW({ours}, i.provenance, now())
FROM incoming i WHERE t.source = i.source AND t.source_key = i.source_key
AND ({theirs}) IS DISTINCT FROM ({ours})"""
_INSERT = """
INSERT INTO {table} ({columns}, updated_at) SELECT {incoming}, now() FROM incoming i
WHERE NOT EXISTS (SELECT FROM {table} t
                  WHERE t.source = i.source AND t.source_key = i.source_key)"""
_MISSING = """
FROM {table} t WHERE t.source = %(source)s AND NOT EXISTS (
  SELECT FROM incoming i WHERE t.source = i.source AND t.source_key = i.source_key)
AND NOT t.source_key = ANY(%(failed)s)"""


class IncomingRows:
    """Rows for the table of a layer, inside the caller's transaction.

    A statement runs only where it changes a row, because each one raises the layer's version.
    """

    def __init__(self, connection: Connection, layer: Layer) -> None:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        self._cursor = driver.cursor()
        self.columns = (*PLACE_COLUMNS, *layer.public_fields)
        compared = [name for name in self.columns if name not in _NOT_COMPARED]
        self._parts = {
            "table": sql.Identifier("layer", layer.id),
            "columns": _names(self.columns),
            "incoming": _names(self.columns, "i"),
            "names": _names(compared),
            "ours": _names(compared, "i"),
            "theirs": _names(compared, "t"),
        }
        self._run("DROP TABLE IF EXISTS pg_temp.incoming")
        self._run(_CREATE)

    def fill(self, rows: Iterable[Sequence[Any]]) -> None:
        """Copy rows, in the order of `columns`; `geom` as hexadecimal EWKB."""
        with self._cursor.copy(self._statement("COPY incoming ({columns}) FROM STDIN")) as copy:
            for row in rows:
                copy.write_row(row)
        self._run("ANALYZE incoming")

    def merge(self) -> tuple[int, int]:
        """Merge the rows; gives how many were added and how many updated."""
        self._run(_COUNT)
        added, updated = self._cursor.fetchone() or (0, 0)
        if updated:
            self._run(_UPDATE)
        if added:
            self._run(_INSERT)
        return added, updated

    def remove_missing(self, source: str, failed: Sequence[str]) -> int:
        """Delete the rows of a source that are not among the incoming rows; gives their number.

        `failed` are keys of records that came, but with faults: their rows stay.
        """
        values = {"source": source, "failed": list(failed)}
        self._cursor.execute(self._statement("SELECT count(*)" + _MISSING), values)
        (missing,) = self._cursor.fetchone() or (0,)
        if missing:
            self._cursor.execute(self._statement("DELETE" + _MISSING), values)
        return int(missing)

    def _run(self, template: str) -> None:
        self._cursor.execute(self._statement(template))

    def _statement(self, template: str) -> sql.Composed:
        return sql.SQL(template).format(**self._parts)


def _names(columns: Iterable[str], prefix: str | None = None) -> sql.Composed:
    parts = (sql.Identifier(prefix, name) if prefix else sql.Identifier(name) for name in columns)
    return sql.SQL(", ").join(parts)
