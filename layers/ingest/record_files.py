"""Files of records that are not placed: CSV for spreadsheets, GeoPackage for GIS programs."""

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import shapely

from gis.clock import HERE
from gis.errors import BadInput, GisError
from gis.intake.coordinates import parse_degrees
from gis.placing.crs import AS_DECLARED, parse_crs, to_wgs84
from layers.definition.model import FileSource, Layer
from layers.ingest.quarantine import QuarantinedRecord
from layers.ingest.records import GEOMETRY, GEOMETRY_CRS
from layers.ingest.undeclared import masked

_OWN = ("record", "layer", "source", "key", "state", "reason", "why", "status", "came_at")
# A spreadsheet program runs what begins so; a number is none of it.
_FORMULA = re.compile(r"[=+\-@\t\r](?![\d.,]*$)")


def write_records(layer: Layer, records: Sequence[QuarantinedRecord], path: Path) -> None:
    """Write records with their state and the columns of their source; raises BadInput.

    Undeclared cells are masked, unless the records have them in clear.
    `path` ends in .csv or .gpkg. A GeoPackage has points and shapes in EPSG:4326, those outside the
    province too, and NULL where a record has none.
    """
    records = [
        record if set(record.undeclared) <= set(record.raw) else masked(record)
        for record in records
    ]
    columns = list(dict.fromkeys(column for record in records for column in record.raw))
    names = {column: column if column not in _OWN else f"{column}_in_file" for column in columns}
    rows = [_own(record) | _raw(record, names) for record in records]
    match path.suffix.lower():
        case ".csv":
            _write_csv([*_OWN, *names.values()], rows, path)
        case ".gpkg":
            names = {c: n for c, n in names.items() if c not in (GEOMETRY, GEOMETRY_CRS)}
            shapes = [shape_of(layer, record) for record in records]
            _write_geopackage(layer, [*_OWN, *names.values()], rows, shapes, path)
        case suffix:
            raise BadInput(f"{path.name}: {suffix or 'no suffix'}; write a .csv or a .gpkg file")


def shape_of(layer: Layer, record: QuarantinedRecord) -> shapely.Geometry | None:
    """The geometry that a record gives (EPSG:4326), None where none can be drawn."""
    assert isinstance(layer.source, FileSource)
    columns, answer = layer.source.coordinates, record.answers.get("crs")
    if record.raw.get(GEOMETRY):
        shape = shapely.from_wkt(record.raw[GEOMETRY], on_invalid="ignore")
        declared = record.raw.get(GEOMETRY_CRS)
    elif columns is not None:
        declared = columns.crs
        try:
            x, y = (
                parse_degrees([record.raw.get(each, "")], column=each).numbers[0]
                for each in (columns.x, columns.y)
            )
        except GisError:
            return None
        shape = shapely.Point(x, y) if np.isfinite([x, y]).all() else None
    else:
        return None
    crs = declared if answer in (None, AS_DECLARED) else answer
    if shape is None or not crs:
        return None
    xy = shapely.get_coordinates(shape)
    lonlat = np.column_stack(to_wgs84(xy[:, 0], xy[:, 1], parse_crs(crs)))
    return None if np.isnan(lonlat).any() else shapely.set_coordinates(shape, lonlat)


def _own(record: QuarantinedRecord) -> dict[str, str]:
    values = (
        str(record.id), record.layer_id, record.source, record.source_key, record.state,
        record.reason, record.why, record.status, record.created_at.astimezone(HERE).isoformat(),
    )  # fmt: skip
    return dict(zip(_OWN, values, strict=True))


def _raw(record: QuarantinedRecord, names: Mapping[str, str]) -> dict[str, str]:
    return {names[column]: value for column, value in record.raw.items()}


def _write_csv(columns: Sequence[str], rows: Sequence[Mapping[str, str]], path: Path) -> None:
    # With the byte order mark spreadsheet programs read UTF-8.
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow([_harmless(column) for column in columns])
        writer.writerows([_harmless(row.get(column, "")) for column in columns] for row in rows)


def _harmless(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _write_geopackage(
    layer: Layer,
    columns: Sequence[str],
    rows: Sequence[Mapping[str, str]],
    shapes: Sequence[shapely.Geometry | None],
    path: Path,
) -> None:
    import pyogrio.raw

    path.unlink(missing_ok=True)
    geometry = np.array([None if shape is None else shape.wkb for shape in shapes], object)
    pyogrio.raw.write(
        path,
        geometry,
        field_data=[np.array([row.get(column) for row in rows], object) for column in columns],
        fields=np.array(columns, object),
        layer=f"{layer.id}_records",
        driver="GPKG",
        geometry_type="Unknown",
        crs="EPSG:4326",
    )
