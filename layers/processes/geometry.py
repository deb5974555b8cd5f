"""SQL of distances and sizes in metres, for geometries in EPSG:4326.

Distances, lengths and areas are geodesic (PostGIS geography, WGS 84). Shapes at a distance are made
in VN-2000 / TM-3 of the province (EPSG:9208), whose scale is true to 0.05 % within it.
"""

from typing import Any

import orjson
from geoalchemy2 import Geography, Geometry
from sqlalchemy import bindparam, cast, func, literal_column
from sqlalchemy.sql.elements import ColumnElement

PLANE = 9208
_METRES_A_DEGREE = 110_574  # of latitude at the equator, where it is shortest


def metres_between(one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.ST_Distance(geography(one), geography(other))


def length_km(geometry: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.ST_Length(geography(geometry)) / 1000


def area_km2(geometry: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.ST_Area(geography(geometry)) / 1_000_000


def geography(geometry: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(geometry, Geography(srid=4326))


def are_near(
    one: ColumnElement[Any], other: ColumnElement[Any], metres: ColumnElement[Any] | float
) -> ColumnElement[bool]:
    """True where they are at most so many metres apart; an index on `one` finds them.

    The box around `other` is as wide in degrees as the distance is on its parallel farthest from
    the equator.
    """
    high = func.greatest(func.abs(func.ST_YMin(other)), func.abs(func.ST_YMax(other)))
    degrees = metres / literal_column(str(_METRES_A_DEGREE))
    wide = degrees / func.greatest(func.cos(func.radians(high + degrees)), literal_column("0.01"))
    box = func.ST_Expand(other, wide, degrees)
    within = func.ST_DWithin(geography(one), geography(other), metres)
    return one.op("&&", is_comparison=True)(box) & within


def buffered(geometry: ColumnElement[Any], metres: float) -> ColumnElement[Any]:
    """The area at most so many metres from a geometry; its circles have 64 corners."""
    moved = func.ST_Transform(geometry, PLANE)
    return func.ST_Transform(func.ST_Buffer(moved, metres, 16), 4326)


def shape_of(document: dict[str, Any]) -> ColumnElement[Any]:
    """A GeoJSON geometry of a request."""
    value: ColumnElement[Any] = bindparam(None, orjson.dumps(document).decode(), unique=True)
    return func.ST_SetSRID(func.ST_GeomFromGeoJSON(value), 4326, type_=Geometry())
