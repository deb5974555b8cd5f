"""Shapes of a source in degrees, WGS 84: every vertex is checked, not one point of each."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from gis.placing.source_crs import SourceCrs, to_wgs84
from gis.values import BBox

Shapes = npt.NDArray[np.object_]
Floats = npt.NDArray[np.float64]

NEAR_DEGREES = 2.0  # a road or river of the province may go on for 200 km beyond its border


@dataclass(frozen=True)
class CheckedShapes:
    """n shapes (EPSG:4326), None where there is none or it is at fault; faults by index."""

    shapes: Shapes
    faults: dict[int, str]


def plausible_area(envelope: BBox) -> BBox:
    """The box in which vertices of a province's shapes may lie; `envelope` is its box (degrees)."""
    return BBox(
        envelope.west - NEAR_DEGREES,
        envelope.south - NEAR_DEGREES,
        envelope.east + NEAR_DEGREES,
        envelope.north + NEAR_DEGREES,
    )


def is_usable(shapes: Shapes) -> npt.NDArray[np.bool_]:
    """Mask of the shapes that are there, not empty, and have finite coordinates."""
    xy, owner = shapely.get_coordinates(shapes, return_index=True)
    usable = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    usable[owner[~np.isfinite(xy).all(axis=1)]] = False
    return np.asarray(usable, np.bool_)


def points_on(shapes: Shapes) -> Shapes:
    """A point on each usable shape, None for others and where its lines cross too badly."""
    points = np.full(len(shapes), None, object)
    usable = is_usable(shapes)
    with np.errstate(over="ignore", invalid="ignore"):  # of coordinates such as 1e308
        try:
            points[usable] = shapely.point_on_surface(shapes[usable])
        except shapely.errors.GEOSException:
            for i in np.flatnonzero(usable & shapely.is_valid(shapes)):
                points[i] = shapely.point_on_surface(shapes[i])
    return points


def shapes_in_degrees(
    shapes: Shapes, crs: SourceCrs | None, area: BBox | None = None
) -> CheckedShapes:
    """Shapes from `crs` to degrees; `crs` None: no usable shape is expected.

    At fault are shapes that are empty, have a vertex that is no number, is not on the earth or
    lies beyond `near`, and shapes that are not valid. None is neither a shape nor a fault.
    """
    xy, owner = shapely.get_coordinates(shapes, return_index=True)
    lonlat = np.full_like(xy, np.nan)
    if crs is not None:
        lonlat = np.column_stack(to_wgs84(xy[:, 0], xy[:, 1], crs))
    faults = {int(i): _EMPTY for i in np.flatnonzero(shapely.is_empty(shapes))}
    lost = np.isnan(lonlat).any(axis=1)
    faults |= _vertex_faults(xy, owner, lost, _NOT_ON_EARTH)
    if area is not None:
        faults |= _vertex_faults(xy, owner, ~lost & _is_beyond(lonlat, area), _FAR)
    moved = np.full(len(shapes), None, object)
    good = ~shapely.is_missing(shapes)
    good[list(faults)] = False
    moved[good] = shapely.set_coordinates(shapes[good].copy(), lonlat[good[owner]])
    moved = shapely.orient_polygons(moved)  # exteriors counter-clockwise: RFC 7946, 3.1.6
    for i in np.flatnonzero(good & ~shapely.is_valid(moved)):
        invalid_reason = shapely.is_valid_reason(moved[i])
        faults[int(i)] = f"hình không hợp lệ / invalid geometry: {invalid_reason}"
        moved[i] = None
    return CheckedShapes(moved, faults)


def vertex_fault(shape: shapely.Geometry, area: BBox | None = None) -> str | None:
    """Message on the first wrong vertex of a shape (EPSG:4326); None where all are right."""
    xy, owner = shapely.get_coordinates([shape], return_index=True)
    lost = ~((np.abs(xy[:, 0]) <= 180) & (np.abs(xy[:, 1]) <= 90))
    faults = _vertex_faults(xy, owner, lost, _NOT_ON_EARTH)
    if area is not None and not faults:
        faults = _vertex_faults(xy, owner, _is_beyond(xy, area), _FAR)
    return faults.get(0)


def _is_beyond(lonlat: Floats, area: BBox) -> npt.NDArray[np.bool_]:
    lon, lat = lonlat[:, 0], lonlat[:, 1]
    inside = (area.west <= lon) & (lon <= area.east) & (area.south <= lat) & (lat <= area.north)
    return np.asarray(~inside, np.bool_)


def _vertex_faults(
    xy: Floats, owner: npt.NDArray[np.intp], wrong: npt.NDArray[np.bool_], message: str
) -> dict[int, str]:
    """Messages on the first wrong vertex of each shape, in its own coordinates, by index."""
    at = np.flatnonzero(wrong)
    shapes, first = np.unique(owner[at], return_index=True)
    return {
        int(shape): message.format(
            vertex=int(at[i] - np.searchsorted(owner, shape)) + 1,
            x=f"{xy[at[i], 0]:.10g}",
            y=f"{xy[at[i], 1]:.10g}",
        )
        for shape, i in zip(shapes, first, strict=True)
    }


_EMPTY = "hình trống / the geometry is empty"
_NOT_ON_EARTH = (
    "đỉnh thứ {vertex} ({x} {y}) không nằm trên trái đất / "
    "its vertex {vertex} ({x} {y}) is not on the earth"
)
_FAR = (
    "đỉnh thứ {vertex} ({x} {y}) ở quá xa tỉnh / "
    "its vertex {vertex} ({x} {y}) lies far from the province"
)
