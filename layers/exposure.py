"""What is exposed to a danger, by hex: inhabitants, kilometres of roads, records."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Select

from gis.hexes import Cells, boundaries, resolution_of
from gis.population.store import people_of, stored_population
from layers.processes.geometry import PLANE

type Floats = npt.NDArray[np.float64]


def people_in(connection: Connection, cells: Cells) -> Floats:
    """Inhabitants of each hex; NaN where no population is loaded."""
    if stored_population(connection) is None:
        return np.full(len(cells), np.nan)
    return people_of(connection, cells)


def kilometres_in(connection: Connection, lines: Select[Any], cells: Cells) -> Floats:
    """Length of lines (a statement for their WKB, EPSG:4326) in each hex, in VN-2000."""
    import pyproj
    import shapely

    found = connection.execute(lines).scalars()
    shapes = shapely.from_wkb(np.array([bytes(each) for each in found], dtype=object))
    to_plane = pyproj.Transformer.from_crs("OGC:CRS84", f"EPSG:{PLANE}", always_xy=True)
    parts, hexes = (
        shapely.transform(each, to_plane.transform, interleaved=False)
        for each in (shapely.get_parts(shapes), boundaries(cells))
    )
    at, of = shapely.STRtree(parts).query(hexes, predicate="intersects")
    metres = shapely.length(shapely.intersection(parts[of], hexes[at]))
    return np.bincount(at, metres, minlength=len(cells)) / 1000


def records_in(connection: Connection, places: Select[Any], cells: Cells) -> Floats:
    """Number of points (a statement for longitude, latitude) in each of some hexes, sorted."""
    import h3ronpy.vector

    found = np.array([tuple(row) for row in connection.execute(places)], float).reshape(-1, 2)
    if not len(found) or not len(cells):
        return np.zeros(len(cells))
    resolution = resolution_of(int(cells[0]))
    hexes = h3ronpy.vector.coordinates_to_cells(found[:, 1], found[:, 0], resolution)
    hexes = np.asarray(hexes).astype(np.int64)
    place = np.minimum(np.searchsorted(cells, hexes), len(cells) - 1)
    return np.bincount(place[cells[place] == hexes], minlength=len(cells)).astype(np.float64)
