"""Rows of a layer's table as the records that a file would hold, for quarantine to keep."""

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

SERVICE = "service"  # who did it, where no person did
_ALL_DIGITS = 17


def move_rows(connection: Connection, layer: Layer, faults: Mapping[int, RecordFault]) -> None:
    """Take rows, by their ids, out of a layer's table into quarantine."""
    table = table_of(layer)
    _keep(connection, layer, _stored(connection, layer, faults), faults)
    connection.execute(table.delete().where(table.c.id.in_(list(faults))))


def list_rows(connection: Connection, layer: Layer, faults: Mapping[int, RecordFault]) -> None:
    """Put rows, by their ids, into quarantine while they stay in their table.

    A correction that is replayed changes the row. Left out are rows whose fields give another key
    than theirs, as of those that were added by hand: replayed, they would become another row.
    """
    rows = _stored(connection, layer, faults)
    same = [row for row in rows if _key(layer, _record(layer, row)) == row["source_key"]]
    _keep(connection, layer, same, faults)


def _stored(connection: Connection, layer: Layer, ids: Iterable[int]) -> list[RowMapping]:
    table = table_of(layer)
    wkt = func.ST_AsText(table.c.geom, _ALL_DIGITS).label("wkt")
    asked = select(table, wkt).where(table.c.id.in_(list(ids))).order_by(table.c.id)
    return [row._mapping for row in connection.execute(asked)]


def _keep(
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
    """By the columns of the source; the place is the geometry, else the commune."""
    source = layer.source
    assert isinstance(source, FileSource)
    said: dict[str, Any] = {}
    if source.time:
        said[source.time.column] = row["valid_at"]
    if source.commune and row["wkt"] is None:
        said[source.commune] = row["commune"]
    said |= {one.column or name: row[name] for name, one in layer.public_fields.items()}
    if isinstance(source.key, str) and said.get(source.key) is None:
        said[source.key] = row["source_key"]
    if row["wkt"] is not None:
        said |= {GEOMETRY: row["wkt"], GEOMETRY_CRS: "EPSG:4326"}
    texts = {column: _text(value) for column, value in said.items()}
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
