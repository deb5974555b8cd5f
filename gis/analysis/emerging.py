"""Emerging hot spots: how each hex became what it is, over equal steps of time.

A planning map, not an alarm. The z-series of neighbours are autocorrelated, for they share events:
trends of adjacent hexes are not independent findings.
"""

from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from gis.analysis.inputs import Flags, above, between, flags, integers, square
from gis.analysis.local import benjamini_hochberg, bounded_p
from gis.analysis.trend import mann_kendall
from gis.errors import BadInput

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EmergingRules:
    """Bounds of the classes: shares of steps, and levels of the two tests."""

    share: float = 0.9
    bin_alpha: float = 0.05  # after the false discovery rate over all bins
    trend_alpha: float = 0.05

    def __post_init__(self) -> None:
        above("share", self.share, 0)
        between("share", self.share, 0, 1)
        between("bin_alpha", self.bin_alpha, 0, 1)
        between("trend_alpha", self.trend_alpha, 0, 1)


RULES = EmergingRules()


def emerging_hot_spots(
    counts: npt.ArrayLike,
    weights: object,
    *,
    edge: npt.ArrayLike | None = None,
    rules: EmergingRules = RULES,
) -> pd.DataFrame:
    """The class of each hex from its `counts`, shape (n, T), oldest step first.

    `weights` (n, n) are the binary disks, the hex itself included (`disk_matrix`); a bin's
    neighbours are its disk in its own step and in the step before. Bins are hot or cold by exact p
    (of counts that are too many to list, by that of random sets) after Benjamini–Hochberg over all
    bins; those at an `edge` of the domain are never cold. One row a hex: category, hot_share,
    cold_share, hot_now, last_run (steps), z (of the last step), s, trend_p, trend. Raises BadInput
    for counts below 0, no hexes or steps, and other weights.
    """
    counts = integers("counts", counts, (None, None), least=0)
    if not counts.size:
        raise BadInput(f"`counts` has shape {counts.shape}: give a hex and a step at least")
    weights = _disks(weights, len(counts))
    sums, sizes = _neighbourhoods(counts, weights)
    z = _z_scores(counts, sums, sizes)
    hot = _significant(counts, sums, sizes, "upper", rules.bin_alpha) & (z > 0)
    cold = _significant(counts, sums, sizes, "lower", rules.bin_alpha) & (z < 0)
    if edge is not None:
        cold[flags("edge", edge, (len(counts),))] = False
    trend = mann_kendall(np.nan_to_num(z), alpha=rules.trend_alpha)
    return pd.DataFrame(
        {
            "category": categories(hot, cold, trend["trend"].to_numpy(), rules),
            "hot_share": hot.mean(axis=1),
            "cold_share": cold.mean(axis=1),
            "hot_now": hot[:, -1],
            "last_run": [_last_run(row) for row in hot],
            "z": z[:, -1],
            "s": trend["s"],
            "trend_p": trend["p"],
            "trend": trend["trend"],
        }
    )


def categories(
    hot: npt.ArrayLike, cold: npt.ArrayLike, trend: npt.ArrayLike, rules: EmergingRules = RULES
) -> list[str]:
    """`hot_…`, `cold_…` or `none` for each row; `hot`, `cold` (n, T), `trend` (n,) in −1, 0, 1.

    Where a hex has both a hot and a cold history worth a name, the hot one is given.
    """
    hot = flags("hot", hot, (None, None))
    cold = flags("cold", cold, hot.shape)
    trend = integers("trend", trend, (len(hot),), least=-1, most=1)
    if not hot.shape[1]:
        raise BadInput("`hot` and `cold` have no step: give one at least")
    return [
        _prefixed("hot_", _category(h, c, t, rules.share))
        or _prefixed("cold_", _category(c, h, -t, rules.share))
        or "none"
        for h, c, t in zip(hot.tolist(), cold.tolist(), trend.tolist(), strict=True)
    ]


def _disks(weights: object, n: int) -> sparse.csr_array:
    disks = square(weights, n)
    if not np.isin(disks.data, (0.0, 1.0)).all():
        raise BadInput("`weights` are binary disks, of 0 and 1 alone, as `disk_matrix` gives them")
    return disks


def _prefixed(kind: str, name: str | None) -> str | None:
    return kind + name if name else None


def _category(here: list[bool], other: list[bool], trend: int, share: float) -> str | None:
    """The class of one history; `trend` is positive when it grows more so."""
    mostly = sum(here) / len(here) >= share
    if not here[-1]:
        return "historical" if mostly else None
    if sum(here) == 1:
        return "new"
    if mostly:
        return {1: "intensifying", 0: "persistent", -1: "diminishing"}[trend]
    if sum(here) == _last_run(here):
        return "consecutive"
    return "oscillating" if any(other) else "sporadic"


def _last_run(flags: list[bool] | Flags) -> int:
    """Length of the run of True that ends the series."""
    value, run = next(groupby(reversed(flags)), (False, iter(())))
    return len(list(run)) if value else 0


def _neighbourhoods(counts: Counts, weights: sparse.csr_array) -> tuple[Counts, Counts]:
    """Events and bins of each bin's neighbourhood; the first step has none before it."""
    sums = np.rint(weights @ counts.astype(float)).astype(np.int64)
    disk = np.rint(np.asarray(weights.sum(axis=1)).ravel()).astype(np.int64)
    sizes = np.repeat(disk[:, None], counts.shape[1], axis=1)
    both, all_sizes = sums.copy(), sizes.copy()
    both[:, 1:] += sums[:, :-1]
    all_sizes[:, 1:] += sizes[:, :-1]
    return both, all_sizes


def _z_scores(counts: Counts, sums: Counts, sizes: Counts) -> Floats:
    """Gi* over all bins; 0 without spread, so that a level series has no trend."""
    n = counts.size
    scale = counts.std() * np.sqrt((n * sizes - sizes.astype(float) ** 2) / max(n - 1, 1))
    z: Floats = np.zeros(sums.shape)
    np.divide(sums - sizes * counts.mean(), scale, out=z, where=scale > 0)
    return z


def _significant(counts: Counts, sums: Counts, sizes: Counts, tail: str, alpha: float) -> Flags:
    p = bounded_p(
        counts.ravel(), sums.ravel(), sizes.ravel(), tail="upper" if tail == "upper" else "lower"
    )
    return np.asarray(benjamini_hochberg(p) <= alpha).reshape(counts.shape)
