"""FlatGeobuf, for GIS programs (https://flatgeobuf.org)."""

import tempfile
from pathlib import Path
from typing import Final

import pyarrow as pa

from layers.definition.model import GeometryKind
from layers.items.formats.arrow import GeometrySummary, record_batches, schema_of
from layers.items.formats.interface import ExportFormat
from layers.items.formats.rows import ExportRows
from layers.items.spool import Spool

_EMPTY_FILE_TYPE: Final = {
    GeometryKind.POINT: "Point",
    GeometryKind.LINE: "MultiLineString",
    GeometryKind.POLYGON: "MultiPolygon",
    GeometryKind.NONE: "Unknown",
}


def write_flatgeobuf(rows: ExportRows, spool: Spool) -> None:
    """FlatGeobuf. Its geometry type is that of all rows, `Unknown` where they differ. It has a
    spatial index, in whose order it holds the rows, unless a row has no geometry or `sortby` asks
    for an order. `ogr2ogr` 3.10 crashes on a row without geometry: OGR2OGR_USE_ARROW_API=NO.
    """
    import pyogrio

    schema, summary = schema_of(rows), GeometrySummary()
    with tempfile.TemporaryDirectory(prefix="gis-export-", dir=spool.folder) as folder:
        # GDAL asks for the geometry type first, which is known once all rows are read.
        arrows, path = Path(folder, "rows.arrows"), Path(folder, f"{rows.source.layer.id}.fgb")
        with (
            record_batches(rows, schema) as batches,
            pa.OSFile(str(arrows), "wb") as file,
            pa.ipc.new_stream(file, schema) as stream,
        ):
            for batch in batches:
                if "geom" in schema.names:
                    summary.add(batch.column("geom"))
                stream.write_batch(batch)
                spool.grow_to(file.tell())
        first_type = next(iter(summary.types), _EMPTY_FILE_TYPE[rows.source.layer.geometry])
        indexed = bool(summary.types) and not summary.some_missing and not rows.request.sort
        with pa.OSFile(str(arrows)) as file, pa.ipc.open_stream(file) as stored:
            pyogrio.write_arrow(
                pa.RecordBatchReader.from_batches(schema, stored),
                path,
                driver="FlatGeobuf",
                geometry_name="geom" if "geom" in schema.names else None,
                geometry_type=first_type if len(summary.types) <= 1 else "Unknown",
                crs=f"EPSG:{rows.request.crs.srid}",
                layer_options={
                    "SPATIAL_INDEX": "YES" if indexed else "NO",
                    "TEMPORARY_DIR": folder,
                },
            )
        spool.take(path)


FLATGEOBUF: Final = ExportFormat(
    "fgb", "application/vnd.flatgeobuf", ".fgb", "FlatGeobuf", write_flatgeobuf
)
