"""Neighbourhoods of hexes as sparse matrices; every hex has a row, also one without neighbours."""

import h3ronpy
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import sparse

Cells = npt.NDArray[np.uint64]


def disk_matrix(cells: Cells, k: int = 1) -> sparse.csr_array:
    """Binary weights of the disks of `k` rings, the hex itself included; shape (n, n), float64.

    `cells` are distinct H3 cells of one resolution, in any order; neighbours that are not among
    them are left out.
    """
    order = np.argsort(cells)
    ordered = cells[order]
    disks = pa.array(h3ronpy.grid_disk(cells, k, flatten=False))
    rows = np.repeat(np.arange(len(cells)), np.asarray(disks.value_lengths()))
    near = np.asarray(disks.flatten(), np.uint64)
    at = np.minimum(np.searchsorted(ordered, near), max(len(cells) - 1, 0))
    known = ordered[at] == near
    columns = order[at[known]]
    ones = np.ones(len(columns))
    return sparse.csr_array((ones, (rows[known], columns)), shape=(len(cells), len(cells)))


def disk_size(k: int) -> int:
    """Hexes in a full disk of `k` rings (a disk around a pentagon has fewer)."""
    return 1 + 3 * k * (k + 1)
