"""Rows of a layer's table as the records of a file, for quarantine."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, RowMapping, func, select

from gis.intake.texts import number_text
from layers.definition.model import FileSource, Layer
from layers.ingest import quarantine
from layers.ingest.records import GEOMETRY, GEOMETRY_CRS, RecordFault, key_columns, key_of
from layers.storage.tables import table_of

SERVICE = "service"  # the actor of changes that no person made
_WKT_DIGITS = 17


def move_rows(connection: Connection, layer: Layer, faults: Mapping[int, RecordFault]) -> None:
    """Move rows from a layer's table into quarantine; `faults` are by row id."""
    table = table_of(layer)
    _quarantine_rows(connection, layer, _stored_rows(connection, layer, faults), faults)
    connection.execute(table.delete().where(table.c.id.in_(list(faults))))


def list_rows(connection: Connection, layer: Layer, faults: Mapping[int, RecordFault]) -> None:
    """List rows in quarantine while they stay in their table; `faults` are by row id.

    A correction that is replayed updates the row. Left out are rows whose fields give another key
    than theirs, such as rows added by hand: a replay would add a second row.
    """
    rows = _stored_rows(connection, layer, faults)
    same = [row for row in rows if _key(layer, _record(layer, row)) == row["source_key"]]
    _quarantine_rows(connection, layer, same, faults)


def _stored_rows(connection: Connection, layer: Layer, ids: Iterable[int]) -> list[RowMapping]:
    table = table_of(layer)
    wkt = func.ST_AsText(table.c.geom, _WKT_DIGITS).label("wkt")
    statement = select(table, wkt).where(table.c.id.in_(list(ids))).order_by(table.c.id)
    return [row._mapping for row in connection.execute(statement)]


def _quarantine_rows(
    connection: Connection,
    layer: Layer,
    rows: Sequence[RowMapping],
    faults: Mapping[int, RecordFault],
) -> None:
    by_source: dict[str, dict[str, tuple[dict[str, str], list[RecordFault]]]] = defaultdict(dict)
    for row in rows:
        by_source[row["source"]][row["source_key"]] = (_record(layer, row), [faults[row["id"]]])
    for source, failed in by_source.items():
        quarantine.put(connection, layer.id, source, failed, SERVICE)


def _key(layer: Layer, record: Mapping[str, str]) -> str:
    assert isinstance(layer.source, FileSource)
    return key_of([record.get(column, "") for column in key_columns(layer.source)])


def _record(layer: Layer, row: RowMapping) -> dict[str, str]:
    """The record of a row, by the columns of its source; its place is the geometry or commune."""
    source = layer.source
    assert isinstance(source, FileSource)
    values: dict[str, Any] = {}
    if source.time:
        values[source.time.column] = row["valid_at"]
    if source.commune and row["wkt"] is None:
        values[source.commune] = row["commune"]
    values |= {
        definition.column or name: row[name] for name, definition in layer.public_fields.items()
    }
    if isinstance(source.key, str) and values.get(source.key) is None:
        values[source.key] = row["source_key"]
    if row["wkt"] is not None:
        values |= {GEOMETRY: row["wkt"], GEOMETRY_CRS: "EPSG:4326"}
    texts = {column: _text(value) for column, value in values.items()}
    return {column: value for column, value in texts.items() if value}


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float():
            return number_text(value)
        case date():
            return value.isoformat()
        case _:
            return str(value)
