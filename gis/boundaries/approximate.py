"""Approximate communes for a machine without a network: labelled so wherever they are shown.

Each hex goes to the old ward in whose box it lies nearest to the centre (elliptical distance), else
to the nearest centre within 4 km; the hexes of a commune's old wards are the commune. About three
quarters of the area are then in the right commune: good for a demo, not for an alert.
"""

from collections.abc import Sequence

import geopandas as gpd
import h3ronpy.vector
import numpy as np
import numpy.typing as npt
import shapely

from gis.boundaries.package_units import WardPlace, ward_places

_RESOLUTION = 8
_REACH = 4 / 111.2  # 4 km in degrees of latitude

Floats = npt.NDArray[np.float64]


def approximate_communes(province_code: str) -> gpd.GeoDataFrame:
    """Columns code, area_km2 (NaN), geometry (EPSG:4326) of the communes of today."""
    places = ward_places(province_code)
    cells = _cells_around(places)
    owner = _owners(places, *_centres(cells))
    assigned = owner >= 0
    codes = np.array([place.commune for place in places], object)[owner[assigned]]
    hexes = gpd.GeoDataFrame({"code": codes}, geometry=_hexagons(cells[assigned]), crs="EPSG:4326")
    communes = hexes.dissolve("code").reset_index()
    return communes.assign(area_km2=np.nan)


def _cells_around(places: Sequence[WardPlace]) -> npt.NDArray[np.uint64]:
    boxes = [shapely.box(*place.box.as_list()).buffer(_REACH) for place in places]
    return np.asarray(
        h3ronpy.vector.geometry_to_cells(shapely.union_all(boxes), _RESOLUTION), np.uint64
    )


def _centres(cells: npt.NDArray[np.uint64]) -> tuple[Floats, Floats]:
    centres = h3ronpy.vector.cells_to_coordinates(cells)
    return np.asarray(centres["lng"]), np.asarray(centres["lat"])


def _hexagons(cells: npt.NDArray[np.uint64]) -> npt.NDArray[np.object_]:
    wkb = np.asarray(h3ronpy.vector.cells_to_wkb_polygons(cells).to_pylist(), object)
    return np.asarray(shapely.from_wkb(wkb))


def _owners(places: Sequence[WardPlace], lon: Floats, lat: Floats) -> npt.NDArray[np.int64]:
    """The place of each point, -1 where none is near."""
    best = np.full(len(lon), np.inf)
    owner = np.full(len(lon), -1)
    for index, place in enumerate(places):
        distance = _distance(place, lon, lat)
        nearer = distance < best
        best[nearer], owner[nearer] = distance[nearer], index
    return owner


def _distance(place: WardPlace, lon: Floats, lat: Floats) -> Floats:
    """Distance of points from a place, without unit, to compare places.

    0–√2 inside its box, by the half axes; 10–11 outside it; infinite out of reach.
    """
    box = place.box
    east, north = lon - place.lon, lat - place.lat
    inside = (box.west <= lon) & (lon <= box.east) & (box.south <= lat) & (lat <= box.north)
    half_width = max((box.east - box.west) / 2, 1e-4)
    half_height = max((box.north - box.south) / 2, 1e-4)
    within: Floats = np.hypot(east / half_width, north / half_height)
    ground: Floats = np.hypot(east * np.cos(np.radians(lat)), north)
    beyond = np.where(ground <= _REACH, 10 + ground / _REACH, np.inf)
    return np.where(inside, within, beyond)
