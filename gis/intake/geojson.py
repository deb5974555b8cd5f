"""Parser of GeoJSON (RFC 7946): columns of text and geometries, without guessed types."""

import json
import math
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
_MAX_DIGITS = 4_000  # of which Python makes a number
_URN = re.compile(r"urn:ogc:def:crs:(?P<authority>[A-Z]+):[\d.]*:(?P<code>\w+)")


@dataclass(frozen=True, slots=True)
class GeoJson:
    """Cells column by column; geometries or None; `crs` as declared, else EPSG:4326.

    `unread` has, by 0-based row, the text of each geometry that could not be read.
    """

    columns: list[str]
    cells: list[list[str]]
    geometry: NDArray[np.object_]
    crs: str
    unread: dict[int, str]


def parse_geojson(content: bytes) -> GeoJson:
    """The features of a FeatureCollection. Raises BadFile naming the feature."""
    content = content.removeprefix(_BYTE_ORDER_MARK)
    document = _document(content)
    features = document["features"]
    properties = [_properties(feature, i) for i, feature in enumerate(features, start=1)]
    if any(_is_rounded(value) for record in properties for value in record.values()):
        features = _parse_exactly(content)["features"]
        properties = [_properties(feature, i) for i, feature in enumerate(features, start=1)]
    columns = list(dict.fromkeys(name for record in properties for name in record))
    cells = [[_text(record.get(name)) for record in properties] for name in columns]
    geometry = np.empty(len(features), dtype=object)
    unread = {}
    for row, feature in enumerate(features):
        try:
            geometry[row] = _geometry(feature, row + 1)
        except _BAD_SHAPE:
            unread[row] = json.dumps(feature["geometry"])
    return GeoJson(columns, cells, geometry, _crs(document), unread)


_BAD_SHAPE = (shapely.errors.ShapelyError, ValueError, TypeError, IndexError)


def _document(content: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:  # of 1e400 too, which is one row's fault
        document = _parse_exactly(content, error)
    if not isinstance(document, dict) or not isinstance(document.get("features"), list):
        raise BadFile(
            "không phải GeoJSON FeatureCollection (thiếu “features”) / "
            "is no GeoJSON FeatureCollection (it lacks “features”)"
        )
    if not document["features"]:
        raise BadFile("không có đối tượng nào / holds no feature")
    return document


def _is_rounded(value: Any) -> bool:
    """True where the fast parser may have made a double of a whole number beyond 64 bits."""
    if isinstance(value, float):
        return abs(value) >= 2**63
    if isinstance(value, list | dict):
        return any(map(_is_rounded, value.values() if isinstance(value, dict) else value))
    return False


def _parse_exactly(content: bytes, fast_error: orjson.JSONDecodeError | None = None) -> Any:
    """Parse by the standard library, whose whole numbers have all their digits.

    A number beyond the doubles stays text. `fast_error` is the error of orjson, which names the
    place better. Raises BadFile.
    """
    try:
        return json.loads(
            content, parse_int=_integer, parse_float=_float, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        fault = fast_error or error
        line = getattr(fault, "lineno", "?")
        raise BadFile(
            f"không phải JSON hợp lệ / is no valid JSON: {fault} (dòng / line {line})"
        ) from None


def _integer(text: str) -> int | str:
    return int(text) if len(text) <= _MAX_DIGITS else text


def _float(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _properties(feature: Any, number: int) -> dict[str, Any]:
    properties = feature.get("properties", {}) if isinstance(feature, dict) else 0
    if not isinstance(properties, dict | None):
        raise _bad_feature(number, "properties")
    values = dict(properties or {})
    if "id" in feature and "id" not in values:
        values["id"] = feature["id"]
    return values


def _geometry(feature: dict[str, Any], number: int) -> Any:
    """The geometry of a feature, None where it has none.

    Raises BadFile for a member that is no geometry, an error of _BAD_SHAPE for a bad geometry.
    """
    geometry = feature.get("geometry")
    if geometry is None:
        return None
    if not isinstance(geometry, dict) or not {"coordinates", "geometries"} & set(geometry):
        raise _bad_feature(number, "geometry")
    if geometry.get("type") == "Point":
        return shapely.Point(geometry["coordinates"][:2])
    return shapely.force_2d(shapely.from_geojson(orjson.dumps(geometry)))


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
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _crs(document: dict[str, Any]) -> str:
    """The member `crs` of GeoJSON 2008, which QGIS writes for other systems than WGS 84."""
    declared = document.get("crs") or {}
    name = str(declared.get("properties", {}).get("name", ""))
    match = _URN.fullmatch(name)
    if match is None:
        return name or "EPSG:4326"
    return "EPSG:4326" if match["code"] == "CRS84" else f"{match['authority']}:{match['code']}"
