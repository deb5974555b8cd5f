"""Local statistics: Gi* as z, and its exact p for counts."""

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.special import comb

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def gi_star(values: Floats, weights: sparse.csr_array) -> Floats:
    """Gi* as a z-score for each place; NaN where the values have no spread.

    `values` has shape (n,), `weights` shape (n, n) with the place itself included.
    z_i = (Σ_j w_ij x_j − W_i m) / (s·√((n·S1_i − W_i²)/(n−1))), with m the mean and s² the variance
    by n. Source: Getis & Ord 1992; Ord & Getis 1995.
    """
    n = len(values)
    mean, spread = values.mean(), values.std()
    total = np.asarray(weights.sum(axis=1)).ravel()
    squares = np.asarray(weights.multiply(weights).sum(axis=1)).ravel()
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = spread * np.sqrt((n * squares - total**2) / (n - 1))
        z: Floats = (weights @ values - total * mean) / scale
    return np.where(np.isfinite(z), z, np.nan)


def exact_p(counts: Counts, sums: Counts, sizes: Counts) -> Floats:
    """P(sum of a random set of `sizes[i]` places ≥ `sums[i]`), all labels being permuted.

    `counts` has shape (n,) and holds the population; `sums` and `sizes` have shape (m,). The null
    distribution depends on the size alone: the coefficient of z^k x^s in Π_v (1 + z·x^v)^{M_v}
    over C(n, k), v the distinct counts and M_v how often each occurs.
    """
    p = np.ones(len(sums))
    for size in np.unique(sizes):
        tail = _upper_tail(counts, int(size))
        chosen = sizes == size
        p[chosen] = tail[np.minimum(sums[chosen], len(tail) - 1)]
    return p


def _upper_tail(counts: Counts, size: int) -> Floats:
    """tail[s] = P(sum ≥ s) of `size` places drawn without replacement."""
    values, multiplicity = np.unique(counts, return_counts=True)
    most = int(np.sort(counts)[-size:].sum())
    ways = np.zeros((size + 1, most + 1))
    ways[0, 0] = 1.0
    for value, times in zip(values.tolist(), multiplicity.tolist(), strict=True):
        ways = _with_value(ways, int(value), int(times))
    probability = ways[size] / comb(len(counts), size)
    tail: Floats = np.append(np.cumsum(probability[::-1])[::-1], 0.0)
    return np.clip(tail, 0.0, 1.0)


def _with_value(ways: Floats, value: int, times: int) -> Floats:
    """Allow up to `times` places that hold `value`."""
    size, most = ways.shape[0] - 1, ways.shape[1] - 1
    allowed = ways.copy()
    for taken in range(1, min(times, size) + 1):
        shift = taken * value
        if shift > most:
            break
        allowed[taken:, shift:] += comb(times, taken) * ways[: size + 1 - taken, : most + 1 - shift]
    return allowed


def benjamini_hochberg(p: Floats) -> Floats:
    """q of each p: the least false discovery rate at which it is a discovery.

    Source: Benjamini & Hochberg 1995; q ≤ α marks the same tests as their step-up rule with ≤.
    """
    n = len(p)
    order = np.argsort(p, kind="stable")
    scaled = p[order] * n / np.arange(1, n + 1)
    q = np.empty(n)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q
