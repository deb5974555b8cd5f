"""Neighbourhoods of hexes as sparse matrices; every hex has a row, also one without neighbours."""

import h3ronpy
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import sparse

from gis.analysis.inputs import integers, whole
from gis.errors import BadInput

Cells = npt.NDArray[np.uint64]


def disk_matrix(cells: npt.ArrayLike, k: int = 1) -> sparse.csr_array:
    """Binary weights of the disks of `k` rings, the hex itself included; shape (n, n), float64.

    `cells` are distinct H3 cells of one resolution, as whole numbers in any order; neighbours that
    are not among them are left out. Raises BadInput for other cells.
    """
    whole("k", k, 0)
    cells = checked_cells(cells)
    order = np.argsort(cells)
    ordered = cells[order]
    if (ordered[1:] == ordered[:-1]).any():
        raise BadInput("`cells` holds a cell twice: give each once")
    disks = pa.array(h3ronpy.grid_disk(cells, k, flatten=False))
    rows = np.repeat(np.arange(len(cells)), np.asarray(disks.value_lengths()))
    near = np.asarray(disks.flatten(), np.uint64)
    at = np.minimum(np.searchsorted(ordered, near), max(len(cells) - 1, 0))
    known = ordered[at] == near
    columns = order[at[known]]
    ones = np.ones(len(columns))
    return sparse.csr_array((ones, (rows[known], columns)), shape=(len(cells), len(cells)))


def checked_cells(given: npt.ArrayLike) -> Cells:
    """H3 cells of one resolution, shape (n,)."""
    cells = integers("cells", given).astype(np.uint64)
    valid = np.asarray(h3ronpy.cells_valid(cells, booleanarray=True), bool)
    if not valid.all():
        at = int(np.argmin(valid))
        raise BadInput(f"`cells` holds {cells[at]} at {at}, which is no H3 cell")
    resolution = cells >> np.uint64(52) & np.uint64(15)
    if len(cells) and (resolution != resolution[0]).any():
        raise BadInput("`cells` are of different resolutions: give those of one")
    return cells


def disk_size(k: int) -> int:
    """Hexes in a full disk of `k` rings (a disk around a pentagon has fewer)."""
    return 1 + 3 * k * (k + 1)
