"""Pieces of an area, cut along the hexes that it lies in."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from gis.hexes import FINEST, Cells, areas_km2, boundaries, cells_touching, parents_of

Floats = npt.NDArray[np.float64]
Shapes = npt.NDArray[np.object_]
_BATCH_RESOLUTION = 6  # of some 36 km²: pieces come by hexes of this size, to bound the memory


@dataclass(frozen=True)
class Pieces:
    """Parts of n cells of the finest resolution that lie in an area; shapes in EPSG:4326."""

    cells: Cells
    shapes: Shapes

    @property
    def areas_km2(self) -> Floats:
        """True areas (km²): a piece's share of its cell is the same as in degrees."""
        share = shapely.area(self.shapes) / shapely.area(boundaries(self.cells))
        return np.asarray(share * areas_km2(self.cells))


@dataclass(frozen=True)
class PeopleByCell:
    """Numbers of people by cell; a cell may come more than once."""

    cells: Cells
    people: Floats


def pieces_of(area: shapely.Geometry) -> Iterator[Pieces]:
    """All pieces of an area (EPSG:4326) in batches; together they are the area."""
    shapely.prepare(area)
    cells = np.sort(cells_touching(area, FINEST))
    _, starts = np.unique(parents_of(cells, _BATCH_RESOLUTION), return_index=True)
    return (_cut(area, some) for some in np.split(cells, starts[1:]))


def sum_by_cell(parts: list[PeopleByCell]) -> PeopleByCell:
    """Sum of parts: each cell that has people once, in the order of cells."""
    cells = np.concatenate([np.empty(0, np.int64), *(part.cells for part in parts)])
    people = np.concatenate([np.empty(0), *(part.people for part in parts)])
    unique, inverse = np.unique(cells, return_inverse=True)
    sums = np.bincount(inverse, people, len(unique))
    return PeopleByCell(unique[sums > 0], sums[sums > 0])


def _cut(area: shapely.Geometry, cells: Cells) -> Pieces:
    shapes = boundaries(cells)
    border = ~shapely.contains_properly(area, shapes)
    # A border that runs along a hex leaves lines beside polygons; a buffer of 0 drops them.
    shapes[border] = shapely.buffer(shapely.intersection(area, shapes[border]), 0)
    overlapping = shapely.area(shapes) > 0
    return Pieces(cells[overlapping], shapes[overlapping])
