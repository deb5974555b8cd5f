"""What the child process of gis.intake.geofiles does: a table by GDAL or Arrow as plain values."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gis.errors import BadFile
from gis.intake.choice import choose_table
from gis.intake.texts import value_text

_MIDNIGHT = "T00:00:00"
_EXACT_IN_DOUBLE = 2**53
_OSM_SUFFIXES = (".osm.pbf", ".pbf", ".osm")
_STYLES = "layer_styles"  # in which QGIS keeps its own in a GeoPackage


def read_by_gdal(
    source: str, stem: str, table: str | None, options: dict[str, str]
) -> dict[str, Any]:
    """The table of a source as plain values; raises as `read_geofile`."""
    import pyogrio

    try:
        layer = _layer(source, stem, table)
        meta, _, geometry, fields = pyogrio.raw.read(
            source, layer=layer, datetime_as_string=True, **options
        )
        rounded = [i for i, values in enumerate(fields) if _is_rounded(values, meta, i)]
        exact = _exact_integers(source, layer, options, rounded) if rounded else {}
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise _unreadable(error) from None
    except (pyogrio.errors.GeometryError, ValueError, RuntimeError) as error:
        raise _unreadable(error) from None
    return {
        "columns": [str(name) for name in meta["fields"]],
        "cells": [
            exact.get(i) or _texts(values, str(kind_of))
            for i, (values, kind_of) in enumerate(zip(fields, meta["ogr_types"], strict=True))
        ],
        "wkb": None if geometry is None else geometry.tolist(),
        "rows": 0 if geometry is None else len(geometry),
        "crs": meta["crs"],
    }


def _layer(source: str, stem: str, table: str | None) -> str:
    import pyogrio

    names = [str(name) for name in pyogrio.list_layers(source)[:, 0] if name != _STYLES]
    if not source.endswith(_OSM_SUFFIXES) and len(names) > 1 and table not in names:
        filled = [
            name
            for name in names
            if pyogrio.read_info(source, layer=name, force_feature_count=True)["features"]
        ]
        names = filled or names
    if names == ["data"] and table == stem:  # of a format that takes the name of the file
        return "data"
    return choose_table(names, table)


def _is_rounded(values: NDArray[Any], meta: dict[str, Any], i: int) -> bool:
    """True where whole numbers beyond 2^53 came as doubles, as they do beside missing values."""
    if meta["ogr_types"][i] != "OFTInteger64" or values.dtype.kind != "f":
        return False
    return bool((np.abs(values[np.isfinite(values)]) >= _EXACT_IN_DOUBLE).any())


def _exact_integers(
    source: str, layer: str, options: dict[str, str], columns: Sequence[int]
) -> dict[int, list[str]]:
    """The cells of columns of whole numbers, by index; Arrow has integers with missing values."""
    import pyogrio

    _, table = pyogrio.raw.read_arrow(source, layer=layer, read_geometry=False, **options)
    return {i: [value_text(value) for value in table.column(i).to_pylist()] for i in columns}


def _texts(values: NDArray[Any], ogr_type: str) -> list[str]:
    texts = [value_text(value) for value in values.tolist()]
    if ogr_type == "OFTDateTime" and all(not text or text.endswith(_MIDNIGHT) for text in texts):
        return [text.removesuffix(_MIDNIGHT) for text in texts]  # a column of days
    return texts


def read_parquet(
    source: str, stem: str, table: str | None, options: dict[str, str]
) -> dict[str, Any]:
    """A Parquet file as plain values, its primary geometry as WKB; raises BadFile."""
    import orjson
    import pyarrow
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(source)
        rows = file.read()
        geo = orjson.loads((file.schema_arrow.metadata or {}).get(b"geo", b"{}"))
        primary = geo.get("primary_column")
        about = geo.get("columns", {}).get(primary, {})
        wkb = None
        if primary in rows.column_names:
            if about.get("encoding", "WKB") != "WKB":
                raise BadFile(
                    f"hình dạng “{about['encoding']}” không được đọc; hãy ghi lại với WKB / its "
                    f"geometries are “{about['encoding']}”; write it again with encoding WKB"
                )
            wkb = rows.column(primary).to_pylist()
        columns = [name for name in rows.column_names if wkb is None or name != primary]
        cells = [[value_text(value) for value in rows.column(n).to_pylist()] for n in columns]
    except (pyarrow.ArrowException, OSError, ValueError, TypeError, AttributeError) as error:
        raise _unreadable(error) from None
    return {
        "columns": columns,
        "cells": cells,
        "wkb": wkb,
        "rows": rows.num_rows,
        "crs": _parquet_crs(about) if wkb is not None else None,
    }


def _parquet_crs(about: dict[str, Any]) -> str | None:
    """The CRS of a geometry column; where none is written, the format says longitude, latitude."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    if "crs" not in about:
        return "EPSG:4326"
    if about["crs"] is None:
        return None
    try:
        crs = CRS.from_json_dict(about["crs"])
    except (CRSError, TypeError, AttributeError) as error:
        raise _unreadable(error) from None
    authority = crs.to_authority(min_confidence=100)
    if authority == ("OGC", "CRS84"):
        return "EPSG:4326"
    return ":".join(authority) if authority else crs.to_wkt()


def _unreadable(error: Exception) -> BadFile:
    text = re.sub(r"\S*/data(?=\.)", "data", str(error))[:500]  # without our own folder
    return BadFile(
        f"không đọc được: {text}; hãy xuất lại từ QGIS thành GeoPackage / "
        f"cannot be read: {text}; export it again from QGIS as GeoPackage"
    )
