"""GeoJSON (RFC 7946) → columns of text and geometries, without guessing types."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray

from gis.errors import BadFile
from gis.intake.texts import number_text

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_URN = re.compile(r"urn:ogc:def:crs:(?P<authority>[A-Z]+):[\d.]*:(?P<code>\w+)")


@dataclass(frozen=True, slots=True)
class GeoJson:
    """Cells column by column; geometries or None; `crs` as declared, else EPSG:4326."""

    columns: list[str]
    cells: list[list[str]]
    geometry: NDArray[np.object_]
    crs: str


def parse_geojson(content: bytes) -> GeoJson:
    """The features of a FeatureCollection. Raises BadFile naming the feature."""
    document = _document(content)
    features = document["features"]
    properties = [_properties(feature, i) for i, feature in enumerate(features, start=1)]
    columns = list(dict.fromkeys(name for one in properties for name in one))
    cells = [[_text(one.get(name)) for one in properties] for name in columns]
    shapes = [_geometry(feature, i) for i, feature in enumerate(features, start=1)]
    geometry = np.empty(len(shapes), dtype=object)
    geometry[:] = shapes
    return GeoJson(columns, cells, geometry, _crs(document))


def _document(content: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(content.removeprefix(_BYTE_ORDER_MARK))
    except orjson.JSONDecodeError as error:
        raise BadFile(
            f"không phải JSON hợp lệ / is no valid JSON: {error} (dòng / line {error.lineno})"
        ) from None
    if not isinstance(document, dict) or not isinstance(document.get("features"), list):
        raise BadFile(
            "không phải GeoJSON FeatureCollection (thiếu “features”) / "
            "is no GeoJSON FeatureCollection (it lacks “features”)"
        )
    if not document["features"]:
        raise BadFile("không có đối tượng nào / holds no feature")
    return document


def _properties(feature: Any, number: int) -> dict[str, Any]:
    properties = feature.get("properties", {}) if isinstance(feature, dict) else 0
    if not isinstance(properties, dict | None):
        raise _bad_feature(number, "properties")
    own = dict(properties or {})
    if "id" in feature and "id" not in own:
        own["id"] = feature["id"]
    return own


def _geometry(feature: dict[str, Any], number: int) -> Any:
    geometry = feature.get("geometry")
    if geometry is None:
        return None
    try:
        if geometry["type"] == "Point":
            return shapely.Point(geometry["coordinates"][:2])
        return shapely.force_2d(shapely.from_geojson(orjson.dumps(geometry)))
    except (shapely.errors.ShapelyError, ValueError, TypeError, KeyError, IndexError):
        raise _bad_feature(number, "geometry") from None


def _bad_feature(number: int, part: str) -> BadFile:
    return BadFile(
        f"đối tượng thứ {number}: “{part}” sai so với RFC 7946 / "
        f"feature {number}: its “{part}” is not as RFC 7946 has it"
    )


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return number_text(value)
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _crs(document: dict[str, Any]) -> str:
    """The member `crs` of GeoJSON 2008, which QGIS writes for other systems than WGS 84."""
    declared = document.get("crs") or {}
    name = str(declared.get("properties", {}).get("name", ""))
    match = _URN.fullmatch(name)
    if match is None:
        return name or "EPSG:4326"
    return "EPSG:4326" if match["code"] == "CRS84" else f"{match['authority']}:{match['code']}"
