"""Spatial functions: two geometries, of which either may be a property or written out."""

import math
from typing import Any

import numpy as np
import shapely
from shapely.geometry import box as shapely_box
from shapely.geometry import shape
from sqlalchemy import LargeBinary, bindparam, func
from sqlalchemy.sql.elements import ColumnElement

from gis.errors import BadFilter
from layers.cql2.operands import OperandKind, Sql
from layers.cql2.scalars import Properties, property_named
from layers.items.crs import CRS84, Crs

RELATIONS = {
    "s_intersects": "ST_Intersects",
    "s_equals": "ST_Equals",
    "s_disjoint": "ST_Disjoint",
    "s_touches": "ST_Touches",
    "s_within": "ST_Within",
    "s_overlaps": "ST_Overlaps",
    "s_crosses": "ST_Crosses",
    "s_contains": "ST_Contains",
}
_TYPES = (
    "Point",
    "LineString",
    "Polygon",
    "MultiPoint",
    "MultiLineString",
    "MultiPolygon",
    "GeometryCollection",
)
_WITH_COLLECTIONS = ("s_intersects", "s_disjoint")
_EDGE_PARTS = 64  # straight edges bend in another CRS: parts of one across the whole geometry
_MOST_PARTS = 4_096  # of all edges: a line may go to and fro a thousand times
_BAD_SHAPE = (
    shapely.errors.ShapelyError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
)


def spatial(op: str, args: Any, properties: Properties, crs: Crs) -> ColumnElement[bool]:
    """The condition of a spatial function; coordinates written out are in `crs`.

    Raises BadFilter for arguments that are no geometries, or geometries that are not valid.
    """
    if not isinstance(args, list) or len(args) != 2:
        raise BadFilter(f"{op.upper()} takes two geometries")
    if op not in _WITH_COLLECTIONS and any(_is_collection(arg) for arg in args):
        raise BadFilter(
            f"{op.upper()} does not take a GEOMETRYCOLLECTION: only S_INTERSECTS and S_DISJOINT do"
        )
    left, right = (geometry_operand(arg, properties, crs) for arg in args)
    return getattr(func, RELATIONS[op])(left, right)  # type: ignore[no-any-return]


def _is_collection(node: Any) -> bool:
    return isinstance(node, dict) and node.get("type") == "GeometryCollection"


def geometry_operand(node: Any, properties: Properties, crs: Crs) -> Sql:
    """A geometry of a filter, in CRS84; raises BadFilter for what is none."""
    if isinstance(node, dict) and "property" in node:
        named = property_named(node["property"], properties)
        if named.kind is not OperandKind.GEOMETRY:
            raise BadFilter(f"the property {node['property']!r} is a {named.kind}, not a geometry")
        return named.sql
    if isinstance(node, dict) and "bbox" in node:
        return _bound(_box(node["bbox"], crs), crs)
    if isinstance(node, dict) and node.get("type") in _TYPES:
        return _bound(_written_out(node, crs), crs)
    raise BadFilter(
        "a spatial function takes a geometry property, a geometry such as POINT(103.97 22.48), or "
        "BBOX(west,south,east,north)"
    )


def _written_out(node: dict[str, Any], crs: Crs) -> shapely.Geometry:
    try:
        with np.errstate(all="ignore"):  # what is not finite is refused below
            geometry = shapely.force_2d(shape(node))
        problem = None if geometry.is_valid else shapely.is_valid_reason(geometry)
    except _BAD_SHAPE:
        raise BadFilter(f"the {node['type']} in the filter has wrong coordinates") from None
    if not np.isfinite(shapely.get_coordinates(geometry)).all():
        raise BadFilter(f"a coordinate of the {node['type']} in the filter is no finite number")
    if geometry.is_empty:
        raise BadFilter(f"the {node['type']} in the filter is empty")
    if problem is not None:
        raise BadFilter(f"the {node['type']} in the filter is not valid: {problem}")
    return shapely.transform(geometry, lambda yx: yx[:, ::-1]) if crs.yx else geometry


def _box(values: Any, crs: Crs) -> shapely.Geometry:
    numbers = _four(values)
    if crs.yx:
        numbers = [numbers[1], numbers[0], numbers[3], numbers[2]]
    west, south, east, north = numbers
    if south > north or (west > east and crs.srid != CRS84.srid):
        raise BadFilter("BBOX is empty: write BBOX(west,south,east,north)")
    if west <= east:
        return shapely_box(west, south, east, north)
    parts = (shapely_box(west, south, 180, north), shapely_box(-180, south, east, north))
    return shapely.union_all(parts)


def _four(values: Any) -> list[float]:
    if isinstance(values, list) and len(values) == 6:
        values = [*values[0:2], *values[3:5]]
    is_list_of_four = isinstance(values, list) and len(values) == 4
    if not is_list_of_four or not all(is_number(value) for value in values):
        raise BadFilter("BBOX takes four numbers: west, south, east, north")
    return [float(value) for value in values]


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _bound(geometry: shapely.Geometry, crs: Crs) -> Sql:
    """The geometry as a bound value in CRS84; edges are densified where `crs` differs."""
    bound = func.ST_GeomFromWKB(bindparam(None, geometry.wkb, LargeBinary()), crs.srid)
    if crs.srid == CRS84.srid:
        return bound
    west, south, east, north = geometry.bounds
    across = max(east - west, north - south) / _EDGE_PARTS
    longest = max(across, geometry.length / _MOST_PARTS) or 1.0
    return func.ST_Transform(func.ST_Segmentize(bound, longest), CRS84.srid)
