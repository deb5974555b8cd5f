"""Whole layers as files, row by row: CSV, GeoParquet, FlatGeobuf. Memory holds one batch.

A file is made whole on disk, as fast as the database gives it: however slowly it is read, the
connection is free before.

A file has the items' properties, their geometry in the CRS asked for, x before y, and the id.
"""

import csv
import io
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pyproj
from sqlalchemy import Numeric, Text, cast, func, select
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import Select

from gis.access import Principal
from gis.database.engine import Database
from layers.items.columns import Served, Source
from layers.items.computing import computed
from layers.items.crs import CRS84, Crs
from layers.items.geojson import PageRequest, chosen, id_json, require_readable
from layers.items.paging import Order
from layers.items.spool import Spool
from layers.model import FieldType, GeometryKind

BATCH: Final = 2_000
# Without it, spreadsheet programs take the letters of UTF-8 for those of Windows.
_BYTE_ORDER_MARK: Final = "\ufeff"

_ARROW: Final = {
    FieldType.TEXT: pa.string(),
    FieldType.INTEGER: pa.int64(),
    FieldType.NUMBER: pa.float64(),
    FieldType.BOOLEAN: pa.bool_(),
    FieldType.DATE: pa.date32(),
    FieldType.DATETIME: pa.timestamp("us", tz="UTC"),
}
_GEOMETRY_NAMES: Final = {
    GeometryKind.POINT: "Point",
    GeometryKind.LINE: "MultiLineString",
    GeometryKind.POLYGON: "MultiPolygon",
    GeometryKind.NONE: "Unknown",
}

Export = Callable[[Database, Source, PageRequest, int | None, Spool], None]


def check_export(source: Source, request: PageRequest, who: Principal) -> None:
    """What can be wrong is said before the first byte: NotFound, BadFilter or BadInput."""
    require_readable(source, who)
    request.query.conditions(source)
    Order(source, request.sort)
    chosen(source, request.properties)


def export_csv(
    database: Database, source: Source, request: PageRequest, limit: int | None, spool: Spool
) -> None:
    """UTF-8 with a header. A point is in the columns x and y, any other geometry in geom as WKT."""
    properties = chosen(source, request.properties)
    place = _csv_place(source, request)
    columns = [id_text(source), *place.values(), *(_csv_value(one) for one in properties)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    text.write(_BYTE_ORDER_MARK)
    writer.writerow(["id", *place, *(one.name for one in properties)])
    spool.write(_taken(text))
    for rows in _batches(database, _rows(source, request, columns, limit)):
        writer.writerows(rows)
        spool.write(_taken(text))


def export_parquet(
    database: Database, source: Source, request: PageRequest, limit: int | None, spool: Spool
) -> None:
    """GeoParquet 1.1; geometries as WKB."""
    schema = _schema(source, request).with_metadata(_geoparquet(source, request))
    with pq.ParquetWriter(spool, schema, compression="zstd") as writer:
        for batch in _record_batches(database, source, request, schema, limit):
            writer.write_batch(batch)


def export_flatgeobuf(
    database: Database, source: Source, request: PageRequest, limit: int | None, spool: Spool
) -> None:
    """FlatGeobuf, written by GDAL into a file of its own; without a spatial index."""
    schema = _schema(source, request)
    failed: list[Exception] = []
    with tempfile.TemporaryDirectory(prefix="gis-export-", dir=spool.folder) as folder:
        path = Path(folder) / f"{source.layer.id}.fgb"

        def batches() -> Iterator[pa.RecordBatch]:
            try:
                for batch in _record_batches(database, source, request, schema, limit):
                    yield batch
                    spool.grow_to(path.stat().st_size)
            except Exception as error:  # GDAL would tell its text alone
                failed.append(error)

        pyogrio.write_arrow(
            pa.RecordBatchReader.from_batches(schema, batches()),
            path,
            driver="FlatGeobuf",
            geometry_name="geom" if "geom" in schema.names else None,
            geometry_type=_GEOMETRY_NAMES[source.layer.geometry],
            crs=f"EPSG:{request.crs.srid}",
            layer_options={"SPATIAL_INDEX": "NO"},
        )
        if failed:
            raise failed[0]
        spool.take(path)


FORMATS: Final[dict[str, tuple[str, Export]]] = {
    "csv": ("text/csv; charset=utf-8", export_csv),
    "fgb": ("application/vnd.flatgeobuf", export_flatgeobuf),
    "parquet": ("application/vnd.apache.parquet", export_parquet),
}


def id_text(source: Source) -> ColumnElement[Any]:
    return func.btrim(id_json(source.id), '"')


def _rows(
    source: Source, request: PageRequest, columns: list[ColumnElement[Any]], limit: int | None
) -> Select[Any]:
    named = [column.label(f"c_{i}") for i, column in enumerate(columns)]
    return (
        select(*named)
        .select_from(source.table)
        .where(*request.query.conditions(source))
        .order_by(*Order(source, request.sort).by(backward=False))
        .limit(limit)
    )


def _batches(database: Database, rows: Select[Any]) -> Iterator[list[Any]]:
    """Through a cursor of the server: what a client no longer wants is never read."""
    with database.reading() as connection, computed():
        streaming = connection.execution_options(yield_per=BATCH)
        with streaming.execute(rows) as result:
            for batch in result.partitions():
                yield [tuple(row) for row in batch]


def _moved(source: Source, crs: Crs) -> ColumnElement[Any]:
    assert source.geometry is not None
    if crs.srid == CRS84.srid:
        return source.geometry
    return func.ST_Transform(source.geometry, crs.srid)


def _csv_place(source: Source, request: PageRequest) -> dict[str, ColumnElement[Any]]:
    if source.geometry is None or not request.geometry:
        return {}
    moved, decimals = _moved(source, request.crs), request.crs.decimals
    if source.has_points:
        return {
            "x": func.round(cast(func.ST_X(moved), Numeric()), decimals),
            "y": func.round(cast(func.ST_Y(moved), Numeric()), decimals),
        }
    return {"geom": func.ST_AsText(moved, decimals)}


def _csv_value(served: Served) -> ColumnElement[Any]:
    if served.type is FieldType.BOOLEAN:
        return cast(served.sql, Text())  # true and false, as JSON has them
    if served.type is FieldType.DATETIME:
        return func.btrim(cast(func.to_json(served.sql), Text()), '"')  # ISO 8601 with its zone
    return served.sql


def _taken(text: io.StringIO) -> bytes:
    taken = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return taken


def _schema(source: Source, request: PageRequest) -> pa.Schema:
    properties = chosen(source, request.properties)
    fields = [pa.field("id", pa.string())]
    fields += [pa.field(one.name, _ARROW[one.type]) for one in properties]
    if source.geometry is not None and request.geometry:
        wkb = {b"ARROW:extension:name": b"geoarrow.wkb"}
        fields.append(pa.field("geom", pa.binary(), metadata=wkb))
    return pa.schema(fields)


def _record_batches(
    database: Database,
    source: Source,
    request: PageRequest,
    schema: pa.Schema,
    limit: int | None,
) -> Iterator[pa.RecordBatch]:
    columns = [id_text(source), *(one.sql for one in chosen(source, request.properties))]
    if "geom" in schema.names:
        columns.append(func.ST_AsBinary(_moved(source, request.crs)))
    for rows in _batches(database, _rows(source, request, columns, limit)):
        values = [
            pa.array(column, field.type)
            for column, field in zip(zip(*rows, strict=True), schema, strict=True)
        ]
        yield pa.RecordBatch.from_arrays(values, schema=schema)


def _geoparquet(source: Source, request: PageRequest) -> dict[bytes, bytes]:
    """The metadata that says where the geometry is and in which CRS (GeoParquet 1.1)."""
    if source.geometry is None or not request.geometry:
        return {}
    column: dict[str, Any] = {"encoding": "WKB", "geometry_types": []}
    if request.crs.srid != CRS84.srid:  # absent, it is CRS84
        column["crs"] = pyproj.CRS.from_epsg(request.crs.srid).to_json_dict()
    told = {"version": "1.1.0", "primary_column": "geom", "columns": {"geom": column}}
    return {b"geo": orjson.dumps(told)}
