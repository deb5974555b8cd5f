"""Hexes like or unlike those around them: local Moran with p and a false discovery rate."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from gis.analysis.inputs import between, floats, integers, whole
from gis.analysis.local import (
    Counts,
    Floats,
    benjamini_hochberg,
    empirical_bayes,
    local_moran,
    permuted_p,
)
from gis.analysis.weights import checked_cells, disk_matrix, disk_size

CATEGORIES = ("high_high", "low_low", "high_low", "low_high")  # the hex, then those around it


def hex_outliers(
    cells: npt.ArrayLike,
    counts: npt.ArrayLike,
    *,
    exposure: npt.ArrayLike | None = None,
    k: int = 1,
    alpha: float = 0.05,
    seed: int = 0,
) -> pd.DataFrame:
    """Hexes that have many or few beside neighbours within `k` rings that have many or few.

    `cells` (n distinct H3 cells of one resolution) are all hexes where an event could happen, zeros
    included; `counts` their events. One row a hex: cell, count, expected (were all spread at
    random), neighbours_count and neighbours_expected (of those around it alone), k (how many these
    are), moran (local Moran's I, esda's convention; NaN without spread), p (two-sided: the hex is
    kept, the others in random orders by `seed`; 1 without neighbours), q (Benjamini–Hochberg),
    category (one of CATEGORIES where q ≤ `alpha`, else "none"), edge (neighbours lie outside).
    With `exposure` (n, ≥ 0) the values are Empirical-Bayes rates; hexes without any have no rate,
    and no row. Raises BadInput when all are without. Source: Anselin 1995, on the rates of Marshall
    1991.
    """
    between("alpha", alpha, 0, 1)
    whole("seed", seed, 0)
    cells = checked_cells(cells)
    counts = integers("counts", counts, cells.shape, least=0)
    if exposure is not None:
        exposure = floats("exposure", exposure, cells.shape, least=0)
        exposed = exposure > 0
        cells, counts, exposure = cells[exposed], counts[exposed], exposure[exposed]
    around = disk_matrix(cells, k)
    around.setdiag(0)
    around.eliminate_zeros()
    sizes = np.diff(around.indptr).astype(np.int64)
    values, expected = _values(counts, exposure)
    mean = values.mean() if len(values) else 0.0
    crowded = around @ values > sizes * mean
    p = 2 * permuted_p(values, around @ values, sizes, crowded, seed=seed)
    p = np.minimum(p, 1.0)
    q = benjamini_hochberg(p)
    return pd.DataFrame(
        {
            "cell": cells,
            "count": counts,
            "expected": expected,
            "neighbours_count": np.rint(around @ counts).astype(np.int64),
            "neighbours_expected": around @ expected,
            "k": sizes,
            "moran": local_moran(values, around),
            "p": p,
            "q": q,
            "category": np.where(q <= alpha, _categories(values - mean, crowded), "none"),
            "edge": sizes + 1 < disk_size(k),
        }
    )


def _values(counts: Counts, exposure: Floats | None) -> tuple[Floats, Floats]:
    """The values compared, and the events that each hex would have by chance."""
    if exposure is None:
        return counts.astype(float), np.full(len(counts), counts.mean() if len(counts) else 0.0)
    rates = empirical_bayes(counts.astype(float), exposure)
    return rates, exposure * (counts.sum() / exposure.sum())


def _categories(above: Floats, crowded: npt.NDArray[np.bool_]) -> npt.NDArray[np.object_]:
    """By the hex's own distance from the mean, and whether its neighbours lie above it."""
    here = np.select([above > 0, above < 0], ["high", "low"], "")
    around = np.where(crowded, "_high", "_low")
    labels = here.astype(object) + around
    return np.where(here == "", "none", labels)
