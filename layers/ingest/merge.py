"""Merge of rows into a layer's table: copied into a temporary table, compared, merged by key."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from psycopg import sql
from sqlalchemy import Connection

from layers.definition.model import Layer
from layers.ingest.mode import LoadMode

# Filled by the loader, beside the layer's own fields.
PLACE_COLUMNS = (
    "geom", "h3", "commune", "unit_then", "place_method", "place_confidence",
    "place_precision_m", "default_point", "valid_at", "source", "source_key", "provenance",
)  # fmt: skip
# A change of these alone is no update of the row: a line number in `provenance` may change.
_NOT_COMPARED = ("source", "source_key", "provenance")

SOME = 20  # rows that may change without a question
# `on_centre`: the point is a commune's centre, which many together make a default point.
_CREATE = """
CREATE TEMP TABLE incoming ON COMMIT DROP AS
SELECT {staged}, false AS on_centre FROM {table} WITH NO DATA"""
# Of a layer of measurements: the key of the station, and the order of the records; under names that
# no field can have.
STATION, RECORD = "#station", "#record"
_CREATE_STATIONS = f"""
ALTER TABLE pg_temp.incoming
  ADD COLUMN "{STATION}" text, ADD COLUMN "{RECORD}" bigint GENERATED ALWAYS AS IDENTITY"""
_CREATE_FAILED = "CREATE TEMP TABLE incoming_failed (source_key text) ON COMMIT DROP"
_MARK_CENTRES = """
UPDATE incoming SET default_point = true, place_precision_m = %(precision_m)s WHERE on_centre"""
# Rows before they change, for the history; the geometry as EWKB in hexadecimal digits.
_KEEP = """
INSERT INTO gis.row_history (layer_id, row_id, act, who, before, load_id)
SELECT %(layer)s, t.id, %(act)s, %(who)s,
       to_jsonb(t) - 'geom' || jsonb_build_object('geom', encode(ST_AsEWKB(t.geom), 'hex')),
       %(load)s"""
_COUNT = """
SELECT count(*) FILTER (WHERE t.id IS NULL),
       count(*) FILTER (WHERE t.id IS NOT NULL AND ({theirs}) IS DISTINCT FROM ({ours}))
FROM incoming i LEFT JOIN {table} t USING (source, source_key)"""
_CHANGED = """
SELECT i."#record", t.id IS NULL FROM incoming i LEFT JOIN {table} t USING (source, source_key)
WHERE t.id IS NULL OR ({theirs}) IS DISTINCT FROM ({ours})"""
_UPDATED = """
WHERE t.source = i.source AND t.source_key = i.source_key
AND ({theirs}) IS DISTINCT FROM ({ours})"""
# What goes with a measurement has no history.
_LASTING_CHANGES = """
FROM {table} t, incoming i WHERE t.source = i.source AND t.source_key = i.source_key
AND ({their_lasting}) IS DISTINCT FROM ({our_lasting})"""
_UPDATE = """
UPDATE {table} t SET ({names}, provenance, updated_at) = ROW({ours}, i.provenance, now())
FROM incoming i"""
# No join with the table that grows meanwhile: where it was empty when it was analyzed, the planner
# reads all of it again for each row.
_INSERT = """
INSERT INTO {table} ({columns}, updated_at) SELECT {incoming}, now() FROM incoming i
ON CONFLICT (source, source_key) DO NOTHING"""
_STORED = "SELECT count(*) FROM {table} t WHERE t.source = %(source)s"
_OTHERS = """
SELECT t.source, count(*) FROM {table} t JOIN incoming i USING (source_key)
WHERE t.source <> %(source)s AND NOT EXISTS (
  SELECT FROM {table} s WHERE s.source = %(source)s AND s.source_key = i.source_key)
GROUP BY t.source ORDER BY count(*) DESC"""
_MISSING = """
FROM {table} t WHERE t.source = %(source)s AND NOT EXISTS (
  SELECT FROM incoming i WHERE t.source = i.source AND t.source_key = i.source_key)
AND NOT EXISTS (SELECT FROM incoming_failed f WHERE f.source_key = t.source_key)"""


@dataclass(frozen=True, slots=True)
class MergeCounts:
    """Counts of rows: new ones, those with other values, and those that did not come again.

    `stored` are the rows of the source so far, None where few change. `others` are, by other
    sources of the layer, how many of the new keys are known there.
    """

    added: int
    updated: int
    missing: int
    stored: int | None
    others: dict[str, int]


class IncomingRows:
    """Rows for the table of a layer, inside the caller's transaction.

    A statement runs only where it changes a row, because each one raises the layer's version.
    """

    def __init__(self, connection: Connection, layer: Layer) -> None:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        self._cursor = driver.cursor()
        self._layer_id = layer.id
        self.columns = (*PLACE_COLUMNS, *layer.public_fields)
        # Measurements are stored beside the row of their station (layers.series).
        measured = {"valid_at", *layer.measured_fields} if layer.series else set()
        merged = [name for name in self.columns if name not in measured]
        compared = [name for name in merged if name not in _NOT_COMPARED]
        remarks = layer.series.remarks if layer.series else ()
        lasting = [name for name in compared if name not in remarks]
        self._more = ("on_centre",) if layer.series is None else ("on_centre", STATION)
        self._parts = {
            "table": sql.Identifier("layer", layer.id),
            "staged": _names(self.columns),
            "copied": _names((*self.columns, *self._more)),
            "columns": _names(merged),
            "incoming": _names(merged, "i"),
            "names": _names(compared),
            "ours": _names(compared, "i"),
            "theirs": _names(compared, "t"),
            "our_lasting": _names(lasting, "i"),
            "their_lasting": _names(lasting, "t"),
        }
        self._run("DROP TABLE IF EXISTS pg_temp.incoming, pg_temp.incoming_failed")
        self._run(_CREATE)
        if layer.series is not None:
            self._run(_CREATE_STATIONS)
        self._run(_CREATE_FAILED)

    def add(self, rows: Mapping[str, Any]) -> None:
        """Copy rows, column by column: arrays or lists of the values of each of `columns`, and
        `on_centre`, of a layer of measurements of STATION too.

        `geom` is hexadecimal EWKB; instants are datetime64 in UTC or ISO 8601, as days are. None,
        NaN, NaT and what an array masks are null.
        """
        columns = (*self.columns, *self._more)
        self._copy("COPY incoming ({copied}) FROM STDIN (FORMAT csv)", rows, columns)

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

        arrays = {name: _arrow_array(rows[name]) for name in columns}
        content = pa.BufferOutputStream()
        # Nulls alone are without quotes, which is how PostgreSQL tells them from empty text.
        options = csv.WriteOptions(include_header=False, quoting_style="all_valid")
        csv.write_csv(pa.table(arrays), content, options)
        with self._cursor.copy(self._statement(template)) as copy:
            copy.write(content.getvalue())

    def count(self, source: str, mode: LoadMode, *, declared: bool) -> MergeCounts:
        """Counts of what a merge would do; `source` is that of the rows.

        What no question and no act of the mode depends on is not counted: it may read all rows.
        """
        self._run("ANALYZE incoming (source, source_key)")
        added, updated = self._fetch(_COUNT)
        values = {"source": source}
        removes = mode in (LoadMode.REPLACE, LoadMode.MIRROR)
        (missing,) = self._fetch("SELECT count(*)" + _MISSING, values) if removes else (0,)
        stored = self._fetch(_STORED, values)[0] if missing or updated >= SOME else None
        others = []
        if added and not declared:
            others = self._cursor.execute(self._statement(_OTHERS), values).fetchall()
        return MergeCounts(added, updated, missing, stored, dict(others))

    def changed_records(self) -> tuple[list[int], list[int]]:
        """The numbers of the records of measurements whose stations are new, or have changed."""
        rows = self._cursor.execute(self._statement(_CHANGED)).fetchall()
        return (
            [record for record, is_new in rows if is_new],
            [record for record, is_new in rows if not is_new],
        )

    def merge(
        self, counts: MergeCounts, mode: LoadMode, who: str, load_id: int, source: str, act: str
    ) -> None:
        """Merge the rows as counted; what changes or goes is kept in the history of rows.

        `act` is the word of the history for a row that takes new values.
        """
        values = {"source": source, "layer": self._layer_id, "who": who, "load": load_id}
        if mode in (LoadMode.MIRROR, LoadMode.REPLACE) and counts.missing:
            self._run(_KEEP + _MISSING, values | {"act": "delete"})
            self._run("DELETE" + _MISSING, values)
        if mode is not LoadMode.APPEND and counts.updated:
            self._run(_KEEP + _LASTING_CHANGES, values | {"act": act})
            self._run(_UPDATE + _UPDATED)
        if counts.added:
            self._run(_INSERT)

    def _fetch(self, template: str, values: Mapping[str, Any] | None = None) -> tuple[Any, ...]:
        return tuple(self._cursor.execute(self._statement(template), values).fetchone() or ())

    def _run(self, template: str, values: Mapping[str, Any] | None = None) -> None:
        self._cursor.execute(self._statement(template), values)

    def _statement(self, template: str) -> sql.Composed:
        return sql.SQL(template).format(**self._parts)


def _arrow_array(values: Any) -> Any:
    import pyarrow as pa

    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        return pa.array(values, pa.timestamp("us", "UTC"))
    return pa.array(values, from_pandas=True)


def _names(columns: Iterable[str], prefix: str | None = None) -> sql.Composed:
    parts = (sql.Identifier(prefix, name) if prefix else sql.Identifier(name) for name in columns)
    return sql.SQL(", ").join(parts)
