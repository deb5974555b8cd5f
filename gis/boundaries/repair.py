"""Repair of communes' polygons for placing: valid rings, and each patch in one commune only."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
from pyproj import Geod

_GEOD = Geod(ellps="WGS84")
_MIN_KM2 = 1e-6  # one square metre: less is rounding of coordinates
_MIN_DEGREES2 = 1e-11


@dataclass(frozen=True, slots=True)
class Overlap:
    """A patch that several polygons claimed, and the commune that keeps it."""

    kept_by: str
    taken_from: str
    area_km2: float


def area_km2(geometry: shapely.Geometry) -> float:
    """Geodesic area (km²) on WGS 84 of a geometry in degrees."""
    area, _ = _GEOD.geometry_area_perimeter(shapely.orient_polygons(geometry))
    return abs(float(area)) / 1e6


def make_valid(communes: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The same frame with valid polygons; lines and points that a repair leaves are dropped."""
    repaired = shapely.make_valid(communes.geometry.to_numpy(), method="structure")
    return communes.set_geometry(gpd.GeoSeries(repaired, index=communes.index, crs=communes.crs))


def resolve_overlaps(
    communes: gpd.GeoDataFrame,
) -> tuple[gpd.GeoDataFrame, tuple[Overlap, ...]]:
    """Give each patch that two communes claim to the one that needs it for its official area.

    `communes` has columns code, area_km2 (official, NaN when unknown) and geometry (EPSG:4326).
    The commune whose polygon without the patch falls shorter of its official area keeps it; where
    no official area is known, the one with the lesser code.
    """
    shapes = communes.geometry.to_numpy().copy()
    official = communes["area_km2"].to_numpy(float)
    codes = communes["code"].tolist()
    overlaps = []
    for first, second in _claims(shapes):
        patch = _polygons(shapely.intersection(shapes[first], shapes[second]))
        size = area_km2(patch)
        if size < _MIN_KM2:
            continue
        short = [official[i] - (area_km2(shapes[i]) - size) for i in (first, second)]
        keeper, loser = (second, first) if short[1] > short[0] else (first, second)
        shapes[loser] = _polygons(shapely.difference(shapes[loser], patch))
        overlaps.append(Overlap(codes[keeper], codes[loser], size))
    series = gpd.GeoSeries(shapes, index=communes.index, crs=communes.crs)
    return communes.set_geometry(series), tuple(overlaps)


def _claims(shapes: np.ndarray) -> list[tuple[int, int]]:
    """Index pairs of shapes whose interiors meet, those with the largest patch first."""
    tree = shapely.STRtree(shapes)
    first, second = tree.query(shapes, predicate="intersects")
    pairs = [(int(i), int(j)) for i, j in zip(first, second, strict=True) if i < j]
    sizes = {
        pair: shapely.area(shapely.intersection(shapes[pair[0]], shapes[pair[1]])) for pair in pairs
    }
    claimed = [pair for pair in pairs if sizes[pair] > _MIN_DEGREES2]
    return sorted(claimed, key=lambda pair: (-sizes[pair], pair))


def _polygons(geometry: shapely.Geometry) -> shapely.Geometry:
    """The polygons of a geometry; an overlay may also give lines where borders only touch."""
    parts = shapely.get_parts(geometry)
    polygons = [part for part in parts if part.geom_type in ("Polygon", "MultiPolygon")]
    return shapely.union_all(polygons) if polygons else shapely.Polygon()
