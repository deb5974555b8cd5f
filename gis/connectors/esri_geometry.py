"""Geometries of Esri JSON as GeoJSON (x before y; the CRS stays)."""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from gis.errors import BadFile

type _Ring = list[list[float]]


def geojson_from_esri(shape: Mapping[str, Any]) -> dict[str, Any] | None:
    """A geometry; None for an empty one. Raises BadFile for arcs and what is no geometry."""
    if "x" in shape:
        x, y = shape["x"], shape.get("y")
        try:
            is_empty = not math.isfinite(x + y)
        except TypeError:  # an empty point is null or "NaN"
            is_empty = True
        if is_empty:
            return None
        return {"type": "Point", "coordinates": [x, y]}
    if "points" in shape:
        points = [point[:2] for point in shape["points"]]
        return {"type": "MultiPoint", "coordinates": points} if points else None
    if "paths" in shape:
        paths = [[point[:2] for point in path] for path in shape["paths"] if len(path) > 1]
        return _one_or_many("LineString", paths)
    if "rings" in shape:
        rings = [[point[:2] for point in ring] for ring in shape["rings"] if len(ring) > 3]
        return _one_or_many("Polygon", _polygons(rings))
    raise BadFile(
        "a feature has a curve or a shape that Esri JSON does not know: simplify it there"
    )


def _one_or_many(kind: str, parts: list[Any]) -> dict[str, Any] | None:
    if not parts:
        return None
    if len(parts) == 1:
        return {"type": kind, "coordinates": parts[0]}
    return {"type": f"Multi{kind}", "coordinates": parts}


def _polygons(rings: list[_Ring]) -> list[list[_Ring]]:
    """Rings as polygons: outer ones run clockwise, holes the other way, in any order.

    A hole belongs to the smallest outer ring around it; one without any is a polygon of its own,
    as of programs that wind rings wrongly.
    """
    outer = [ring for ring in rings if _signed_area(ring) <= 0]
    holes = [ring for ring in rings if _signed_area(ring) > 0]
    polygons: list[list[_Ring]] = [[ring] for ring in sorted(outer, key=_area)]
    for hole in holes:
        around = next((each for each in polygons if _contains(each[0], hole)), None)
        if around is None:
            polygons.append([hole])
        else:
            around.append(hole)
    return polygons


def _signed_area(ring: _Ring) -> float:
    """Twice the area, positive where the ring runs against the clock (the shoelace formula)."""
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(ring))


def _area(ring: _Ring) -> float:
    return abs(_signed_area(ring))


def _contains(ring: _Ring, hole: _Ring) -> bool:
    """True where most corners of a hole are within: it may touch the ring at some."""
    inside = sum(_holds(ring, *corner) for corner in hole[:-1])
    return 2 * inside > len(hole) - 1


def _holds(ring: _Ring, x: float, y: float) -> bool:
    """Even-odd rule."""
    crossings = 0
    for (x1, y1), (x2, y2) in pairwise(ring):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            crossings += 1
    return crossings % 2 == 1
