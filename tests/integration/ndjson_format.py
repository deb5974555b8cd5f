"""Newline-delimited GeoJSON: an export format added by somebody who knows none of the others."""

import orjson
from sqlalchemy import Text, cast, func

from layers.items.formats import ExportFormat, ExportRows
from layers.items.spool import Spool


def write_ndjson(rows: ExportRows, spool: Spool) -> None:
    """One GeoJSON feature a line, its id among the properties."""
    names = ["id", *(served.name for served in rows.properties)]
    columns = [rows.id, *(served.sql for served in rows.properties)]
    geometry = cast(None, Text()) if rows.geometry is None else func.ST_AsGeoJSON(rows.geometry)
    with rows.batches([geometry, *columns]) as batches:
        for batch in batches:
            for shape, *values in batch:
                feature = {
                    "type": "Feature",
                    "geometry": None if shape is None else orjson.Fragment(shape),
                    "properties": dict(zip(names, values, strict=True)),
                }
                spool.write(orjson.dumps(feature, option=orjson.OPT_APPEND_NEWLINE))


NDJSON = ExportFormat("ndjson", "application/x-ndjson", ".geojsonl", "GeoJSON Lines", write_ndjson)
