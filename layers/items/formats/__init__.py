"""Export formats: all items that a request selects, as one file.

A new format is a module here and a line in FORMATS. Links, the API definition, content negotiation
and docs/reference/export-formats.md follow from it.

    parameter f → FORMATS[name].write(ExportRows, Spool) → the file, whole, on disk
"""

from typing import Final

from layers.items.formats.csv import CSV
from layers.items.formats.flatgeobuf import FLATGEOBUF
from layers.items.formats.interface import ExportFormat
from layers.items.formats.parquet import GEOPARQUET
from layers.items.formats.rows import ExportRows, check_export

__all__ = ["FORMATS", "ExportFormat", "ExportRows", "check_export"]

FORMATS: Final[dict[str, ExportFormat]] = {
    each.name: each
    for each in (
        CSV,
        FLATGEOBUF,
        GEOPARQUET,
    )
}
