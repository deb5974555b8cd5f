"""Merge of rows into a layer's table: copied into a temporary table, compared, merged by key."""

from collections.abc import Iterable, Mapping
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

# `on_centre`: the point is a commune's centre, which many together make a default point.
_CREATE = """
CREATE TEMP TABLE incoming ON COMMIT DROP AS
SELECT {columns}, false AS on_centre FROM {table} WITH NO DATA"""
_CREATE_FAILED = "CREATE TEMP TABLE incoming_failed (source_key text) ON COMMIT DROP"
_MARK_CENTRES = """
UPDATE incoming SET default_point = true, place_precision_m = %(precision_m)s WHERE on_centre"""
_COUNT = """
SELECT count(*) FILTER (WHERE t.id IS NULL),
       count(*) FILTER (WHERE t.id IS NOT NULL AND ({theirs}) IS DISTINCT FROM ({ours}))
FROM incoming i LEFT JOIN {table} t USING (source, source_key)"""
_UPDATE = """
UPDATE {table} t SET ({names}, provenance, updated_at) = ROW({ours}, i.provenance, now())
FROM incoming i WHERE t.source = i.source AND t.source_key = i.source_key
AND ({theirs}) IS DISTINCT FROM ({ours})"""
# No join with the table that grows meanwhile: where it was empty when it was analyzed, the planner
# reads all of it again for each row.
_INSERT = """
INSERT INTO {table} ({columns}, updated_at) SELECT {incoming}, now() FROM incoming i
ON CONFLICT (source, source_key) DO NOTHING"""
_MISSING = """
FROM {table} t WHERE t.source = %(source)s AND NOT EXISTS (
  SELECT FROM incoming i WHERE t.source = i.source AND t.source_key = i.source_key)
AND NOT EXISTS (SELECT FROM incoming_failed f WHERE f.source_key = t.source_key)"""


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
        self._run("DROP TABLE IF EXISTS pg_temp.incoming, pg_temp.incoming_failed")
        self._run(_CREATE)
        self._run(_CREATE_FAILED)

    def add(self, rows: Mapping[str, Any]) -> None:
        """Copy rows, column by column: arrays or lists of the values of each of `columns`, and
        `on_centre`.

        `geom` is hexadecimal EWKB, instants and days are ISO 8601; None and NaN are null.
        """
        columns = (*self.columns, "on_centre")
        self._copy("COPY incoming ({columns}, on_centre) FROM STDIN (FORMAT csv)", rows, columns)

    def mark_centres(self, precision_m: float) -> None:
        """Make the points on centres of communes default points, precise to so many metres."""
        self._cursor.execute(self._statement(_MARK_CENTRES), {"precision_m": precision_m})

    def add_failed(self, keys: Iterable[str]) -> None:
        """Note the keys of records that came, but with faults: their rows stay."""
        rows = {"source_key": list(keys)}
        self._copy("COPY incoming_failed FROM STDIN (FORMAT csv)", rows, ("source_key",))

    def _copy(self, template: str, rows: Mapping[str, Any], columns: Iterable[str]) -> None:
        import pyarrow as pa
        from pyarrow import csv

        arrays = {name: pa.array(rows[name], from_pandas=True) for name in columns}
        content = pa.BufferOutputStream()
        # Nulls alone are without quotes, which is how PostgreSQL tells them from empty text.
        options = csv.WriteOptions(include_header=False, quoting_style="all_valid")
        csv.write_csv(pa.table(arrays), content, options)
        with self._cursor.copy(self._statement(template)) as copy:
            copy.write(content.getvalue())

    def merge(self) -> tuple[int, int]:
        """Merge the rows; gives how many were added and how many updated."""
        self._run("ANALYZE incoming")
        self._run(_COUNT)
        added, updated = self._cursor.fetchone() or (0, 0)
        if updated:
            self._run(_UPDATE)
        if added:
            self._run(_INSERT)
        return added, updated

    def remove_missing(self, source: str) -> int:
        """Delete the rows of a source that did not come again; gives their number."""
        values = {"source": source}
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
