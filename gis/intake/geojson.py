"""Parser of GeoJSON (RFC 7946) and of sequences of JSON (RFC 8142, NDJSON): columns of text and
geometries, without guessed types."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import orjson
import shapely
from numpy.typing import NDArray

from gis.errors import BadFile
from gis.intake.texts import number_text

_BYTE_ORDER_MARK, _RECORD_SEPARATOR = b"\xef\xbb\xbf", b"\x1e"
_MAX_DIGITS = 4_000  # of which Python makes a number
_URN = re.compile(r"urn:ogc:def:crs:(?P<authority>[A-Z]+):[\d.]*:(?P<code>\w+)")


@dataclass(frozen=True, slots=True)
class GeoJson:
    """Cells column by column; geometries or None; `crs` as declared, else EPSG:4326.

    `geometry` is None for plain objects. `unread` has, by 0-based row, the text of each geometry
    that could not be read, `faults` what is wrong with a line of a sequence.
    """

    columns: list[str]
    cells: list[list[str]]
    geometry: NDArray[np.object_] | None
    crs: str | None
    unread: dict[int, str]
    lines: Sequence[int]
    faults: dict[int, str] = field(default_factory=dict)


def parse_geojson(content: bytes, *, sequence: bool = False) -> GeoJson:
    """The features of a FeatureCollection, or the features or plain objects of a `sequence`.

    A file that is a sequence all the same is read as one. Raises BadFile naming the feature.
    """
    content = content.removeprefix(_BYTE_ORDER_MARK)
    if sequence or _is_sequence(content):
        return _parse_sequence(content)
    document = _document(content)
    features = document["features"]
    if any(_is_beyond_doubles(feature) for feature in features):
        features = _parse_exactly(content)["features"]
    return _of_features(features, _crs(document), range(1, len(features) + 1))


def read_plain(path: str, sequence: bool) -> dict[str, Any]:
    """As `parse_geojson`, of a file, as plain values: for a child process with bounds."""
    with open(path, "rb") as file:  # noqa: PTH123 (a name of a temporary file)
        parsed = parse_geojson(file.read(), sequence=sequence)
    shapes = parsed.geometry
    return {
        "columns": parsed.columns,
        "cells": parsed.cells,
        "wkb": None if shapes is None else shapely.to_wkb(shapes).tolist(),
        "crs": parsed.crs,
        "unread": parsed.unread,
        "lines": list(parsed.lines),
        "faults": parsed.faults,
    }


def from_plain(plain: dict[str, Any]) -> GeoJson:
    """The document that `read_plain` gave."""
    wkb = plain.pop("wkb")
    shapes = None if wkb is None else np.asarray(shapely.from_wkb([*wkb, None])[:-1], object)
    return GeoJson(**plain, geometry=shapes)


def _is_sequence(content: bytes) -> bool:
    """True for marked records, for objects one a line, and for a single feature."""
    if content.startswith(_RECORD_SEPARATOR):
        return True
    first, _, rest = content.lstrip().partition(b"\n")
    if not (first.startswith(b"{") and _is_object(first)):
        return False
    is_one = not rest.strip() and b'"geometry"' in first and b'"features"' not in first
    return is_one or rest.lstrip().startswith(b"{")


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False


def _parse_sequence(content: bytes) -> GeoJson:
    """Features or plain objects, one a line; a bad line is its own fault."""
    features: list[Any] = []
    lines: list[int] = []
    faults: dict[int, str] = {}
    for number, line in enumerate(content.split(b"\n"), start=1):
        text = line.strip(_RECORD_SEPARATOR + b" \t\r")
        if not text:
            continue
        try:
            features.append(_line(text))
        except _BAD_LINE as error:
            faults[len(features)] = _bad_line(text, error)
            features.append({})
        lines.append(number)
    if len(faults) == len(features):
        raise BadFile(f"dòng / line {lines[0]}: {faults[0]}" if lines else "trống / is empty")
    parsed = replace(_of_features(features, "EPSG:4326", lines), faults=faults)
    if any(each.get("type") for row, each in enumerate(features) if row not in faults):
        return parsed
    return replace(parsed, geometry=None, crs=None, unread={})


def _line(text: bytes) -> dict[str, Any]:
    """The feature of a line, or its object as one without a type; raises an error of _BAD_LINE."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        value = _parse_exactly(text, error)
    if not isinstance(value, dict):
        raise TypeError("no object")
    is_feature = value.get("type") == "Feature"
    feature = value if is_feature else {"properties": value}
    if _is_beyond_doubles(feature):
        exact = _parse_exactly(text)
        feature = exact if is_feature else {"properties": exact}
    _properties(feature, 1)
    _geometry_member(feature, 1)
    return feature


def _bad_line(text: bytes, error: Exception) -> str:
    excerpt = text[:200].decode("utf-8", "replace")
    return f"không đọc được / cannot be read ({error}): {excerpt}"


def _of_features(features: Sequence[Any], crs: str, lines: Sequence[int]) -> GeoJson:
    properties = [_properties(feature, i) for i, feature in enumerate(features, start=1)]
    columns = list(dict.fromkeys(name for record in properties for name in record))
    cells = [[_text(record.get(name)) for record in properties] for name in columns]
    geometry = np.empty(len(features), dtype=object)
    unread: dict[int, str] = {}
    for row, feature in enumerate(features):
        try:
            geometry[row] = _geometry(feature, row + 1)
        except _BAD_SHAPE:
            unread[row] = json.dumps(feature["geometry"])
    return GeoJson(columns, cells, geometry, crs, unread, lines)


_BAD_SHAPE = (shapely.errors.ShapelyError, ValueError, TypeError, IndexError)
_BAD_LINE = (BadFile, ValueError, TypeError, RecursionError)


def _is_beyond_doubles(feature: Any) -> bool:
    properties = feature.get("properties") if isinstance(feature, dict) else None
    return isinstance(properties, dict) and any(map(_is_rounded, properties.values()))


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
    geometry = _geometry_member(feature, number)
    if geometry is None:
        return None
    if geometry.get("type") == "Point":
        return shapely.Point(geometry["coordinates"][:2])
    return shapely.force_2d(shapely.from_geojson(orjson.dumps(geometry)))


def _geometry_member(feature: dict[str, Any], number: int) -> dict[str, Any] | None:
    geometry = feature.get("geometry")
    if geometry is None:
        return None
    if not isinstance(geometry, dict) or not {"coordinates", "geometries"} & set(geometry):
        raise _bad_feature(number, "geometry")
    return geometry


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
        # Half of a letter, which a cut text may end with, becomes U+FFFD.
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _crs(document: dict[str, Any]) -> str:
    """The member `crs` of GeoJSON 2008, which QGIS writes for other systems than WGS 84."""
    declared = document.get("crs")
    properties = declared.get("properties") if isinstance(declared, dict) else None
    name = str(properties.get("name", "")) if isinstance(properties, dict) else ""
    match = _URN.fullmatch(name)
    if match is None:
        return name or "EPSG:4326"
    return "EPSG:4326" if match["code"] == "CRS84" else f"{match['authority']}:{match['code']}"
