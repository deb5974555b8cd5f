"""H3 cells: int64 in SQL and arrays, 15 hexadecimal digits for people."""

from collections.abc import Iterable
from dataclasses import dataclass

import h3
import h3ronpy
import h3ronpy.vector
import numpy as np
import numpy.typing as npt
import shapely

from gis.errors import BadInput
from gis.values import BBox

Cells = npt.NDArray[np.int64]

# Average hexagon edge length, km, by resolution (https://h3geo.org/docs/core-library/restable).
EDGE_KM = {5: 9.854, 6: 3.725, 7: 1.406, 8: 0.531, 9: 0.201, 10: 0.0759}
COARSEST, FINEST = 5, 10


def cell_of(text: str) -> int:
    """The cell that 15 hexadecimal digits name; raises BadInput when there is none."""
    if not (text.isascii() and len(text) == 15 and h3.is_valid_cell(text.lower())):
        raise BadInput(
            f"{text!r} is no H3 cell: give its 15 hexadecimal digits, such as 8865a6d3b5fffff"
        )
    return int(text, 16)


def cell_text(cell: int) -> str:
    """The 15 hexadecimal digits of a cell."""
    return f"{cell:x}"


def resolution_of(cell: int) -> int:
    """The resolution of a cell, bits 52–55 of an H3 index."""
    return (cell >> 52) & 15


def parent_of(cell: int, resolution: int) -> int:
    """The ancestor at a coarser resolution; the same bits as gis.h3_parent."""
    cleared = (cell & ~(15 << 52)) | (resolution << 52)
    return cleared | ((1 << 3 * (15 - resolution)) - 1)


def parents_of(cells: Cells, resolution: int) -> Cells:
    """The ancestors of cells at a coarser or the same resolution, in the order of the cells."""
    cleared = (cells & ~np.int64(15 << 52)) | np.int64(resolution << 52)
    return cleared | np.int64((1 << 3 * (15 - resolution)) - 1)


def areas_km2(cells: Cells) -> npt.NDArray[np.float64]:
    """True areas of cells on the sphere of H3, km²: they differ by half from place to place."""
    return np.asarray(h3ronpy.cells_area_km2(cells.astype(np.uint64)), dtype=np.float64)


def children_of(cell: int, resolution: int) -> Cells:
    """The descendants of a cell at a finer or the same resolution, sorted."""
    children = h3ronpy.change_resolution(np.array([cell], dtype=np.uint64), resolution)
    return np.sort(np.asarray(children).astype(np.int64))


def compacted(cells: Cells) -> Cells:
    """Cells of one resolution, compacted: whole sets of children replaced by their parent.

    Coarser cells come first.
    """
    if len(cells) == 0:
        return cells
    cells_by_size = np.asarray(h3ronpy.compact(cells.astype(np.uint64))).astype(np.int64)
    return cells_by_size[np.lexsort((cells_by_size, cells_by_size >> 52 & 15))]


@dataclass(frozen=True, slots=True)
class CellSpan:
    """All cells of one resolution from `first` to `last`, both included."""

    first: int
    last: int


def descendants(cell: int, resolution: int) -> CellSpan:
    """The span that holds the descendants of a cell, and only those: they sort together."""
    finer = 3 * (15 - resolution)
    digits = 3 * (15 - resolution_of(cell)) - finer
    filled = (cell & ~(15 << 52)) | (resolution << 52)
    first = filled & ~(((1 << digits) - 1) << finer)
    largest = int("6" * (digits // 3) or "0", 8)
    return CellSpan(first, first | largest << finer)


def cells_of_resolution(resolution: int) -> CellSpan:
    """The span that holds all cells of a resolution: its bits lie above those of the place."""
    first = 1 << 59 | resolution << 52
    return CellSpan(first, first | (1 << 52) - 1)


def boundaries(cells: Iterable[int] | Cells) -> npt.NDArray[np.object_]:
    """Polygons of cells, degrees, WGS 84, longitude first."""
    array = np.asarray(cells, dtype=np.int64).astype(np.uint64)
    polygons = h3ronpy.vector.cells_to_wkb_polygons(array)
    return np.asarray(shapely.from_wkb(np.asarray(polygons, dtype=object)), dtype=object)


def cells_over(bbox: BBox, resolution: int) -> Cells:
    """The cells that touch a box in degrees, WGS 84."""
    return cells_touching(shapely.box(*bbox.as_list()), resolution)


def cells_touching(area: shapely.Geometry, resolution: int) -> Cells:
    """The cells that touch an area in degrees, WGS 84."""
    cells = h3ronpy.vector.wkb_to_cells(
        [shapely.to_wkb(area)],
        resolution,
        containment_mode=h3ronpy.ContainmentMode.Covers,
        flatten=True,
    )
    return np.asarray(cells).astype(np.int64)
