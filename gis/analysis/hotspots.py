"""Hotspots of counts on hexes: Gi* with exact p-values and a false discovery rate."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from gis.analysis.inputs import floats, integers
from gis.analysis.local import (
    benjamini_hochberg,
    bounded_p,
    empirical_bayes,
    exposure_p,
    gi_star,
)
from gis.analysis.weights import checked_cells, disk_matrix, disk_size


def hex_hotspots(
    cells: npt.ArrayLike,
    counts: npt.ArrayLike,
    *,
    exposure: npt.ArrayLike | None = None,
    k: int = 1,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Hexes that have more in their disk of `k` rings than chance explains.

    `cells` (n distinct H3 cells of one resolution) are all hexes where an event could happen, zeros
    included; `counts` their events. One row a hex: cell, count, neighbours_count (events in the
    disk, the hex itself included), k (hexes of the disk in the domain), expected (events in the
    disk, were they spread at random), z (Gi*; NaN without spread), p (one-sided; exact, but of sums
    that are too many to list, such as money, by 100 n random sets), q (Benjamini–Hochberg), hot
    (q ≤ `alpha` and more than expected), edge (the disk leaves the domain). The analytic p of z
    would mark noise as hot on sparse counts; so z is for maps alone.
    With `exposure` (n, people or road length, ≥ 0) the rate is the same everywhere by chance:
    expected is the disk's share of all exposure, p Poisson's (1 in a disk without any, which has no
    rate), z that of Empirical-Bayes rates.
    """
    cells = checked_cells(cells)
    counts = integers("counts", counts, cells.shape)
    weights = disk_matrix(cells, k)
    sums = np.rint(weights @ counts.astype(float)).astype(np.int64)
    sizes = np.rint(np.asarray(weights.sum(axis=1)).ravel()).astype(np.int64)
    if exposure is None:
        expected = sizes * (counts.mean() if len(counts) else 0.0)
        p, measure = bounded_p(counts, sums, sizes), counts.astype(float)
    else:
        exposure = floats("exposure", exposure, cells.shape, least=0)
        measure = empirical_bayes(counts.astype(float), exposure)
        expected = weights @ exposure * (counts.sum() / exposure.sum())
        p = np.where(expected > 0, exposure_p(sums, expected), 1.0)
    q = benjamini_hochberg(p)
    return pd.DataFrame(
        {
            "cell": cells,
            "count": counts,
            "neighbours_count": sums,
            "k": sizes,
            "expected": expected,
            "z": gi_star(measure, weights),
            "p": p,
            "q": q,
            "hot": (q <= alpha) & (sums > expected),
            "edge": sizes < disk_size(k),
        }
    )
