"""Suppression: shown counts of which no difference of two stands for fewer than k records.

A family is a number that is shown and the parts that it falls into. Its parts with fewer than k
records are hidden; where they would together stand for fewer than k, the smallest part that is
left is hidden too (complementary cell suppression; Hundepool et al. 2012, Statistical Disclosure
Control, ch. 4). So the hidden parts of a family stand together for no record or for at least k.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gis.hexes import COARSEST, Cells, parents_of

Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Counts:
    """Records by cell: two arrays of one length, in the order of cells; no count is 0."""

    cells: Cells
    records: Numbers

    def where(self, mask: Mask) -> "Counts":
        return Counts(self.cells[mask], self.records[mask])


type CountsByResolution = Mapping[int, Counts]


def may_be_shown(family: Numbers, records: Numbers, k: int) -> Mask:
    """Mask of the parts that are shown; each has a family and a number of records, at least 1."""
    shown = records >= k
    number, of_family = np.unique(family, return_inverse=True)
    hidden = np.bincount(of_family, np.where(shown, 0, records), len(number))
    bare = (hidden > 0) & (hidden < k)
    kept = np.flatnonzero(shown & bare[of_family])
    by_size = kept[np.lexsort((records[kept], of_family[kept]))]
    _, smallest = np.unique(of_family[by_size], return_index=True)
    shown[by_size[smallest]] = False
    return shown


def gathered(finest: Counts, resolution: int) -> CountsByResolution:
    """Counts at every resolution down to that of `finest`."""
    coarser = range(COARSEST, resolution + 1)
    return {r: summed(parents_of(finest.cells, r), finest.records) for r in coarser}


def summed(cells: Cells, records: Numbers) -> Counts:
    """Records by cell, from parts of cells."""
    unique, inverse = np.unique(cells, return_inverse=True)
    return Counts(unique, np.bincount(inverse, records, len(unique)).astype(np.int64))


def shown_tree(counts: CountsByResolution, k: int) -> CountsByResolution:
    """The cells that may be shown: each is a part of its parent, those of the coarsest resolution
    are parts of the whole. The parts of a hidden cell are hidden.
    """
    shown: dict[int, Counts] = {}
    for resolution in sorted(counts):
        all_of = counts[resolution]
        family = np.zeros(len(all_of.cells), dtype=np.int64)
        if resolution - 1 in shown:
            family = parents_of(all_of.cells, resolution - 1)
            seen = np.isin(family, shown[resolution - 1].cells)
            all_of, family = all_of.where(seen), family[seen]
        shown[resolution] = all_of.where(may_be_shown(family, all_of.records, k))
    return shown
