"""Rows as Arrow record batches, for the formats that are written from them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import pyarrow as pa
import shapely
from sqlalchemy import func

from layers.definition.model import FieldType
from layers.items.formats.rows import ExportRows

_TYPES: Final = {
    FieldType.TEXT: pa.string(),
    FieldType.INTEGER: pa.int64(),
    FieldType.NUMBER: pa.float64(),
    FieldType.BOOLEAN: pa.bool_(),
    FieldType.DATE: pa.date32(),
    FieldType.DATETIME: pa.timestamp("us", tz="UTC"),
}
_GEOS_TYPES: Final = (  # in the order of GEOS's type ids, from 0
    "Point", "LineString", "LinearRing", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon",
    "GeometryCollection",
)  # fmt: skip


def schema_of(rows: ExportRows) -> pa.Schema:
    """The columns `id`, the properties and, where the rows have a geometry, `geom` as WKB."""
    fields = [pa.field("id", pa.string())]
    fields += [pa.field(served.name, _TYPES[served.type]) for served in rows.properties]
    if rows.geometry is not None:
        wkb = {b"ARROW:extension:name": b"geoarrow.wkb"}
        fields.append(pa.field("geom", pa.binary(), metadata=wkb))
    return pa.schema(fields)


@contextmanager
def record_batches(rows: ExportRows, schema: pa.Schema) -> Iterator[Iterator[pa.RecordBatch]]:
    """The rows as record batches of the schema; raises what `rows.batches` raises."""
    columns = [rows.id, *(served.sql for served in rows.properties)]
    if rows.geometry is not None:
        columns.append(func.ST_AsBinary(rows.geometry))
    with rows.batches(columns) as batches:
        yield (_record_batch(batch, schema) for batch in batches)


def _record_batch(batch: list[tuple[Any, ...]], schema: pa.Schema) -> pa.RecordBatch:
    values = [
        pa.array(column, field.type)
        for column, field in zip(zip(*batch, strict=True), schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(values, schema=schema)


class GeometrySummary:
    """The types and the bounding box of the geometries that were added."""

    def __init__(self) -> None:
        self.types: set[str] = set()
        self.some_missing = False
        self._bboxes: list[list[float]] = []

    def add(self, wkb: pa.BinaryArray) -> None:
        geometries = shapely.from_wkb(wkb.to_numpy(zero_copy_only=False))
        present = geometries[~(shapely.is_missing(geometries) | shapely.is_empty(geometries))]
        self.some_missing |= len(present) < len(geometries)
        type_ids = np.unique(shapely.get_type_id(geometries))
        self.types |= {_GEOS_TYPES[type_id] for type_id in type_ids if type_id >= 0}
        if len(present):
            self._bboxes.append(shapely.total_bounds(present).tolist())

    @property
    def bbox(self) -> list[float] | None:
        """West, south, east, north in the CRS of the rows; None where all are missing or empty."""
        if not self._bboxes:
            return None
        west, south, east, north = np.array(self._bboxes).T
        return [float(west.min()), float(south.min()), float(east.max()), float(north.max())]
