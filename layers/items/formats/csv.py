"""CSV, for spreadsheet programs."""

import csv
import io
from typing import Any, Final

from sqlalchemy import Numeric, Text, case, cast, func, literal_column
from sqlalchemy.sql.elements import ColumnElement

from layers.definition.model import FieldType
from layers.items.columns import ServedColumn
from layers.items.formats.interface import ExportFormat
from layers.items.formats.rows import ExportRows
from layers.items.spool import Spool

# Without it, spreadsheet programs read UTF-8 as the encoding of Windows.
_BYTE_ORDER_MARK: Final = "\ufeff"


def write_csv(rows: ExportRows, spool: Spool) -> None:
    """UTF-8 with a byte order mark and a header. A point is in the columns `x` and `y`, any other
    geometry in `geom` as WKT. Instants are ISO 8601 in the time of the country, `+07:00`.
    """
    place = _place_columns(rows)
    columns = [rows.id, *place.values(), *(_value(served) for served in rows.properties)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    text.write(_BYTE_ORDER_MARK)
    writer.writerow(["id", *place, *(served.name for served in rows.properties)])
    spool.write(_drain(text))
    with rows.batches(columns) as batches:
        for batch in batches:
            writer.writerows(batch)
            spool.write(_drain(text))


def _place_columns(rows: ExportRows) -> dict[str, ColumnElement[Any]]:
    geometry, decimals = rows.geometry, rows.request.crs.decimals
    if geometry is None:
        return {}
    if rows.source.has_points:
        return {
            "x": func.round(cast(func.ST_X(geometry), Numeric()), decimals),
            "y": func.round(cast(func.ST_Y(geometry), Numeric()), decimals),
        }
    return {"geom": func.ST_AsText(geometry, decimals)}


def _value(served: ServedColumn) -> ColumnElement[Any]:
    if served.type is FieldType.BOOLEAN:
        return cast(served.sql, Text())  # true and false, as in JSON
    if served.type is FieldType.DATETIME:
        here = func.timezone(literal_column("interval '7 hours'"), served.sql)
        written = func.btrim(cast(func.to_json(here), Text()), '"') + "+07:00"
        return case((func.isfinite(served.sql), written), else_=cast(served.sql, Text()))
    return served.sql


def _drain(text: io.StringIO) -> bytes:
    """The text as UTF-8; the buffer is empty afterwards."""
    content = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return content


CSV: Final = ExportFormat("csv", "text/csv", ".csv", "CSV", write_csv)
