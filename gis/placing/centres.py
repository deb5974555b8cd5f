"""Centres of communes: points that a sender gives to all records of a commune.

One record there is chance or a record of the centre; many, at several centres, tell that the sender
knows the commune alone. They count in it, and in no hex.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import shapely

Floats = npt.NDArray[np.float64]

MIN_RECORDS: Final = 20
MIN_CENTRES: Final = 3
_RADIUS_M = 30.0  # senders round to four decimals, and their borders differ a little
_METRES_PER_DEGREE = 111_320.0
_STEP_DEGREES = 0.001


def stand_for_communes(records: int, centres: int) -> bool:
    """True where so many records on so many centres tell that the sender knows no more."""
    return records >= MIN_RECORDS and centres >= MIN_CENTRES


def centres_at(lon: Floats, lat: Floats, shapes: npt.NDArray[np.object_]) -> npt.NDArray[np.intp]:
    """Index of the shape on whose centre each point is (degrees, WGS 84), -1 on none.

    A centre is the centroid, the middle of the box, or a point on the surface.
    """
    west, south, east, north = shapely.bounds(shapes).T
    centres = np.concatenate(
        [
            shapely.get_coordinates(shapely.centroid(shapes)),
            shapely.get_coordinates(shapely.point_on_surface(shapes)),
            np.column_stack([(west + east) / 2, (south + north) / 2]),
        ]
    )
    shape = np.full(len(lon), -1, np.intp)
    near = np.flatnonzero(np.isin(_cells(lon, lat), _cells_around(centres)))
    if len(near) == 0:
        return shape
    at, record_at = np.unique(lon[near] + 1j * lat[near], return_inverse=True)
    eastward = (at.real[:, None] - centres[:, 0]) * np.cos(np.radians(at.imag[:, None]))
    metres = np.hypot(eastward, at.imag[:, None] - centres[:, 1]) * _METRES_PER_DEGREE
    nearest = np.where(metres.min(axis=1) <= _RADIUS_M, metres.argmin(axis=1) % len(shapes), -1)
    shape[near] = nearest[record_at]
    return shape


def _cells(lon: Floats, lat: Floats) -> npt.NDArray[np.complex128]:
    return np.asarray(
        np.floor(lon / _STEP_DEGREES) + 1j * np.floor(lat / _STEP_DEGREES), np.complex128
    )


def _cells_around(centres: Floats) -> npt.NDArray[np.complex128]:
    """Cells of the grid that hold a centre, and their neighbours."""
    at = _cells(centres[:, 0], centres[:, 1])
    steps = np.array([east + 1j * north for east in (-1, 0, 1) for north in (-1, 0, 1)])
    return np.asarray((at[:, None] + steps).ravel(), np.complex128)
