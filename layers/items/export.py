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

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import shapely
from sqlalchemy import Connection, Numeric, Text, cast, func, select
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import Select

from gis.access import Principal
from gis.database.engine import Database
from layers.definition.model import FieldType, GeometryKind
from layers.items.columns import ItemSource, ServedColumn
from layers.items.crs import CRS84, Crs
from layers.items.geojson import PageRequest, chosen, id_json, require_readable
from layers.items.paging import SortOrder
from layers.items.spool import Spool
from layers.items.value_errors import computed

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
_TYPES: Final = (  # by the numbers that GEOS gives them
    "Point", "LineString", "LinearRing", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon",
    "GeometryCollection",
)  # fmt: skip

Export = Callable[[Database, ItemSource, PageRequest, int | None, Spool], None]


def check_export(source: ItemSource, request: PageRequest, who: Principal) -> None:
    """What can be wrong is said before the first byte: NotFound, BadFilter or BadInput."""
    require_readable(source, who)
    request.query.conditions(source)
    SortOrder(source, request.sort)
    chosen(source, request.properties)


def export_csv(
    database: Database, source: ItemSource, request: PageRequest, limit: int | None, spool: Spool
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
    with database.reading() as connection:
        for rows in _batches(connection, _rows(source, request, columns, limit)):
            writer.writerows(rows)
            spool.write(_taken(text))


def export_parquet(
    database: Database, source: ItemSource, request: PageRequest, limit: int | None, spool: Spool
) -> None:
    """GeoParquet 1.1; geometries as WKB. Their types and box come last, and are those of
    the rows written.
    """
    schema, seen = _schema(source, request), _Geometries()
    with database.reading() as connection, pq.ParquetWriter(spool, schema, compression="zstd") as w:
        for batch in _record_batches(connection, source, request, schema, limit):
            if "geom" in schema.names:
                seen.add(batch.column("geom"))
            w.write_batch(batch)
        w.add_key_value_metadata(_geoparquet(request, seen) if "geom" in schema.names else {})


def export_flatgeobuf(
    database: Database, source: ItemSource, request: PageRequest, limit: int | None, spool: Spool
) -> None:
    """FlatGeobuf, written by GDAL into a file of its own. Its geometry type is that of all rows,
    else unknown. It has a spatial index, in whose order it holds the rows, unless a row has no
    geometry, or an order is asked for.
    """
    import pyogrio

    schema, seen = _schema(source, request), _Geometries()
    with tempfile.TemporaryDirectory(prefix="gis-export-", dir=spool.folder) as folder:
        beside, path = Path(folder) / "rows.arrows", Path(folder) / f"{source.layer.id}.fgb"
        with (
            database.reading() as connection,
            pa.OSFile(str(beside), "wb") as file,
            pa.ipc.new_stream(file, schema) as stream,
        ):
            for batch in _record_batches(connection, source, request, schema, limit):
                if "geom" in schema.names:
                    seen.add(batch.column("geom"))
                stream.write_batch(batch)
                spool.grow_to(file.tell())
        # What GDAL has to be told first is known once all rows are read.
        kind = next(iter(seen.types), _GEOMETRY_NAMES[source.layer.geometry])
        indexed = bool(seen.types) and not seen.some_missing and not request.sort
        with pa.OSFile(str(beside)) as file, pa.ipc.open_stream(file) as batches:
            pyogrio.write_arrow(
                pa.RecordBatchReader.from_batches(schema, batches),
                path,
                driver="FlatGeobuf",
                geometry_name="geom" if "geom" in schema.names else None,
                geometry_type=kind if len(seen.types) <= 1 else "Unknown",
                crs=f"EPSG:{request.crs.srid}",
                layer_options={
                    "SPATIAL_INDEX": "YES" if indexed else "NO",
                    "TEMPORARY_DIR": folder,
                },
            )
        spool.take(path)


FORMATS: Final[dict[str, tuple[str, Export]]] = {
    "csv": ("text/csv; charset=utf-8", export_csv),
    "fgb": ("application/vnd.flatgeobuf", export_flatgeobuf),
    "parquet": ("application/vnd.apache.parquet", export_parquet),
}


def id_text(source: ItemSource) -> ColumnElement[Any]:
    return func.btrim(id_json(source.id), '"')


def _rows(
    source: ItemSource, request: PageRequest, columns: list[ColumnElement[Any]], limit: int | None
) -> Select[Any]:
    named = [column.label(f"c_{i}") for i, column in enumerate(columns)]
    return (
        select(*named)
        .select_from(source.table)
        .where(*request.query.conditions(source))
        .order_by(*SortOrder(source, request.sort).by(backward=False))
        .limit(limit)
    )


def _batches(connection: Connection, rows: Select[Any]) -> Iterator[list[Any]]:
    """Through a cursor of the server: what a client no longer wants is never read."""
    with computed():
        streaming = connection.execution_options(yield_per=BATCH)
        with streaming.execute(rows) as result:
            for batch in result.partitions():
                yield [tuple(row) for row in batch]


def _moved(source: ItemSource, crs: Crs) -> ColumnElement[Any]:
    assert source.geometry is not None
    if crs.srid == CRS84.srid:
        return source.geometry
    return func.ST_Transform(source.geometry, crs.srid)


def _csv_place(source: ItemSource, request: PageRequest) -> dict[str, ColumnElement[Any]]:
    if source.geometry is None or not request.geometry:
        return {}
    moved, decimals = _moved(source, request.crs), request.crs.decimals
    if source.has_points:
        return {
            "x": func.round(cast(func.ST_X(moved), Numeric()), decimals),
            "y": func.round(cast(func.ST_Y(moved), Numeric()), decimals),
        }
    return {"geom": func.ST_AsText(moved, decimals)}


def _csv_value(served: ServedColumn) -> ColumnElement[Any]:
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


def _schema(source: ItemSource, request: PageRequest) -> pa.Schema:
    properties = chosen(source, request.properties)
    fields = [pa.field("id", pa.string())]
    fields += [pa.field(one.name, _ARROW[one.type]) for one in properties]
    if source.geometry is not None and request.geometry:
        wkb = {b"ARROW:extension:name": b"geoarrow.wkb"}
        fields.append(pa.field("geom", pa.binary(), metadata=wkb))
    return pa.schema(fields)


def _record_batches(
    connection: Connection,
    source: ItemSource,
    request: PageRequest,
    schema: pa.Schema,
    limit: int | None,
) -> Iterator[pa.RecordBatch]:
    columns = [id_text(source), *(one.sql for one in chosen(source, request.properties))]
    if "geom" in schema.names:
        columns.append(func.ST_AsBinary(_moved(source, request.crs)))
    for rows in _batches(connection, _rows(source, request, columns, limit)):
        values = [
            pa.array(column, field.type)
            for column, field in zip(zip(*rows, strict=True), schema, strict=True)
        ]
        yield pa.RecordBatch.from_arrays(values, schema=schema)


class _Geometries:
    """The types and the box of geometries."""

    def __init__(self) -> None:
        self.types: set[str] = set()
        self.some_missing = False
        self._boxes: list[list[float]] = []

    def add(self, wkb: pa.BinaryArray) -> None:
        shapes = shapely.from_wkb(wkb.to_numpy(zero_copy_only=False))
        there = shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))]
        self.some_missing |= len(there) < len(shapes)
        self.types |= {_TYPES[one] for one in np.unique(shapely.get_type_id(shapes)) if one >= 0}
        if len(there):
            self._boxes.append(shapely.total_bounds(there).tolist())

    @property
    def box(self) -> list[float] | None:
        """West, south, east, north; None where none has a place."""
        if not self._boxes:
            return None
        west, south, east, north = np.array(self._boxes).T
        return [float(west.min()), float(south.min()), float(east.max()), float(north.max())]


def _geoparquet(request: PageRequest, seen: _Geometries) -> dict[bytes, bytes]:
    """The metadata that says where the geometry is and in which CRS (GeoParquet 1.1)."""
    column: dict[str, Any] = {"encoding": "WKB", "geometry_types": sorted(seen.types)}
    if seen.box is not None:
        column["bbox"] = seen.box
    if request.crs.srid != CRS84.srid:  # absent, it is CRS84
        column["crs"] = pyproj.CRS.from_epsg(request.crs.srid).to_json_dict()
    told = {"version": "1.1.0", "primary_column": "geom", "columns": {"geom": column}}
    return {b"geo": orjson.dumps(told)}
