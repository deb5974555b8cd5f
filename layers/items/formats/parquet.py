"""GeoParquet 1.1, for data frames and DuckDB (https://geoparquet.org/releases/v1.1.0)."""

from typing import Any, Final

import orjson
import pyarrow.parquet as pq
import pyproj

from layers.items.crs import CRS84
from layers.items.formats.arrow import GeometrySummary, record_batches, schema_of
from layers.items.formats.interface import ExportFormat
from layers.items.formats.rows import ExportRows
from layers.items.spool import Spool


def write_parquet(rows: ExportRows, spool: Spool) -> None:
    """GeoParquet 1.1 with geometries as WKB. `geometry_types` and `bbox` are those of the rows in
    the file.
    """
    schema, summary = schema_of(rows), GeometrySummary()
    with (
        record_batches(rows, schema) as batches,
        pq.ParquetWriter(spool, schema, compression="zstd") as writer,
    ):
        for batch in batches:
            if "geom" in schema.names:
                summary.add(batch.column("geom"))
            writer.write_batch(batch)
        if "geom" in schema.names:
            writer.add_key_value_metadata({b"geo": orjson.dumps(_metadata(rows, summary))})


def _metadata(rows: ExportRows, summary: GeometrySummary) -> dict[str, Any]:
    column: dict[str, Any] = {"encoding": "WKB", "geometry_types": sorted(summary.types)}
    if summary.bbox is not None:
        column["bbox"] = summary.bbox
    if rows.request.crs.srid != CRS84.srid:  # without the key it is CRS84
        column["crs"] = pyproj.CRS.from_epsg(rows.request.crs.srid).to_json_dict()
    return {"version": "1.1.0", "primary_column": "geom", "columns": {"geom": column}}


GEOPARQUET: Final = ExportFormat(
    "parquet", "application/vnd.apache.parquet", ".parquet", "GeoParquet", write_parquet
)
