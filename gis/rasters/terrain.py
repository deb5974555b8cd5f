"""Terrain of heights in metres: its gradient, and light on it.

Arrays have rows from the north; `pixel_x_m` and `pixel_y_m` are the size of a pixel on the ground.
NaN is no height, and whatever needs one gives NaN.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def pixel_metres(
    crs: Any, x: float, y: float, pixel_x: float, pixel_y: float
) -> tuple[float, float]:
    """Size in metres on the ellipsoid of WGS 84 of a pixel at a point of a CRS."""
    from pyproj import CRS, Geod, Transformer

    to_degrees = Transformer.from_crs(CRS.from_user_input(crs), "EPSG:4326", always_xy=True)
    lon, lat = to_degrees.transform(
        [x - pixel_x / 2, x + pixel_x / 2, x, x], [y, y, y - pixel_y / 2, y + pixel_y / 2]
    )
    earth = Geod(ellps="WGS84")
    _, _, width = earth.inv(lon[0], lat[0], lon[1], lat[1])
    _, _, height = earth.inv(lon[2], lat[2], lon[3], lat[3])
    return float(width), float(height)


def gradient(heights: Floats, pixel_x_m: float, pixel_y_m: float) -> tuple[Floats, Floats]:
    """Rise to the east and to the north, metres a metre, by Horn's weights of eight neighbours
    (Horn 1981, Proc. IEEE 69:14–47). The outermost pixels have none.
    """
    z = np.asarray(heights, np.float64)
    east, north = np.full(z.shape, np.nan), np.full(z.shape, np.nan)
    nw, n, ne = z[:-2, :-2], z[:-2, 1:-1], z[:-2, 2:]
    w, here, e = z[1:-1, :-2], z[1:-1, 1:-1], z[1:-1, 2:]
    sw, s, se = z[2:, :-2], z[2:, 1:-1], z[2:, 2:]
    missing = np.isnan(here)
    rise = ((ne + 2 * e + se) - (nw + 2 * w + sw)) / (8 * pixel_x_m)
    east[1:-1, 1:-1] = np.where(missing, np.nan, rise)
    rise = ((nw + 2 * n + ne) - (sw + 2 * s + se)) / (8 * pixel_y_m)
    north[1:-1, 1:-1] = np.where(missing, np.nan, rise)
    return east, north


def slope(east: Floats, north: Floats) -> Floats:
    """Slope in degrees of a rise to the east and to the north: 0 is flat."""
    return np.degrees(np.arctan(np.hypot(east, north)))


def aspect(east: Floats, north: Floats) -> Floats:
    """Where a rise to the east and to the north faces, downhill, in degrees from north by east;
    NaN where it is flat.
    """
    facing = np.degrees(np.arctan2(-east, -north)) % 360
    return np.where((east == 0) & (north == 0), np.nan, facing)


def hillshade(
    heights: Floats, pixel_x_m: float, pixel_y_m: float, azimuth: float, altitude: float
) -> Floats:
    """Light on the ground from 0 to 1: the cosine between its normal and the sun.

    `azimuth` of the sun in degrees from north by east, `altitude` above the horizon.
    """
    east, north = gradient(heights, pixel_x_m, pixel_y_m)
    towards = math.radians(azimuth)
    up = math.radians(altitude)
    sun_east, sun_north = math.sin(towards) * math.cos(up), math.cos(towards) * math.cos(up)
    light = (math.sin(up) - east * sun_east - north * sun_north) / np.sqrt(
        1 + east * east + north * north
    )
    return np.clip(light, 0, 1)
