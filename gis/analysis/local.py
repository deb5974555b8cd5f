"""Local statistics: Gi* as z, its exact p for counts, local Moran, Empirical-Bayes rates."""

from typing import Literal

import numba
import numpy as np
import numpy.typing as npt
from scipy.stats import hypergeom, nbinom, poisson

from gis.analysis.inputs import at_least, flags, floats, integers, one_of, rows, square
from gis.errors import BadInput

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

_SETS_A_PLACE = 100
_LEAST_SETS = 9_999
EXACT_WORK = 1_000_000_000  # additions; more takes longer than random sets do
_ROUNDING = 1e-12  # of the largest value: what values that are all equal may differ by
_CELLS = 50_000_000  # of the table of exact sums; two of them are held, of 8 bytes each


def gi_star(values: npt.ArrayLike, weights: object) -> Floats:
    """Gi* as a z-score for each place; NaN where the values have no spread.

    `values` has shape (n,), `weights` shape (n, n), sparse or dense, with the place itself
    included. z_i = (Σ_j w_ij x_j − W_i m) / (s·√((n·S1_i − W_i²)/(n−1))), with m the mean and s²
    the variance by n. Values that differ by rounding alone, 10⁻¹² of the largest, have no spread.
    Raises BadInput for a missing value and for weights of another shape. Source: Getis & Ord 1992;
    Ord & Getis 1995.
    """
    x = floats("values", values)
    w = rows(weights, len(x))
    if not _spread(x):
        return np.full(len(x), np.nan)
    apart = x - x.mean()
    s = float(np.sqrt(np.square(apart).mean()))
    if (w.data == 1).all():
        return np.asarray(_binary_z(w.indptr, w.indices, apart, s))
    total, squares = w @ np.ones(len(x)), w.power(2) @ np.ones(len(x))
    return np.asarray((w @ apart) * _one_over(total, squares, len(x), s))


def _spread(values: Floats) -> bool:
    if len(values) < 2:
        return False
    least, most = float(values.min()), float(values.max())
    return most - least > _ROUNDING * max(most, -least)


@numba.vectorize(cache=True)  # type: ignore[no-untyped-call,untyped-decorator]
def _one_over(total: float, squares: float, n: int, s: float) -> float:
    """1/(s·√((n·S1 − W²)/(n−1))); NaN where no sum differs from another."""
    spread = s * np.sqrt(max(n * squares - total**2, 0.0) / (n - 1))
    return 1.0 / spread if spread > 0.0 else np.nan


@numba.njit(cache=True)
def _binary_z(start: Counts, near: Counts, apart: Floats, s: float) -> Floats:
    """In one pass; rows of as many neighbours, as most hexes have, share one root and division."""
    z = np.empty(len(apart))
    of, over = -1, np.nan
    for i in range(len(apart)):
        at, end = start[i], start[i + 1]
        if end - at != of:
            of = end - at
            over = _one_over(of, of, len(apart), s)  # each weight is its own square
        even = odd = 0.0  # two sums, neither of which waits for the other
        while at + 1 < end:
            even += apart[near[at]]
            odd += apart[near[at + 1]]
            at += 2
        if at < end:
            even += apart[near[at]]
        z[i] = (even + odd) * over
    return z


def exact_p(
    counts: npt.ArrayLike,
    sums: npt.ArrayLike,
    sizes: npt.ArrayLike,
    *,
    own: npt.ArrayLike | None = None,
    tail: Literal["upper", "lower"] = "upper",
) -> Floats:
    """P(sum of a random set of `sizes[i]` places ≥ `sums[i]`), all labels being permuted.

    `counts` (n whole numbers ≥ 0) is the population; `sums` and `sizes` have shape (m,). `tail`
    "lower" gives P(sum ≤ `sums[i]`). The null distribution depends on the size alone: the
    coefficient of z^k x^s in Π_v (1 + z·x^v)^{M_v} over C(n, k), v the distinct counts and M_v how
    often each occurs. With `own`, shape (m,), the set holds one place whose count is `own[i]` and
    stays, the others being permuted (the conditional form). Raises BadInput for a size beyond n,
    for an own count that no place has, and where the sums are too many to be listed
    (`permuted_p` takes any; see `exact_work`).
    """
    counts, sums = integers("counts", counts, least=0), integers("sums", sums)
    sizes = integers("sizes", sizes, sums.shape, least=0 if own is None else 1)
    one_of("tail", tail, ("upper", "lower"))
    if len(sizes) and int(sizes.max()) > len(counts):
        raise BadInput(f"a set of {sizes.max()} out of {len(counts)} places: give at most as many")
    if own is None:
        unit = max(int(np.gcd.reduce(counts)), 1)  # of all sums
        beyond = unit - 1 if tail == "upper" else 0
        return _set_p(counts // unit, (sums + beyond) // unit, sizes, tail)
    own = integers("own", own, sums.shape)
    p = np.ones(len(sums))
    for value in np.unique(own):
        fixed = own == value
        others = _without(counts, int(value))
        p[fixed] = _set_p(others, sums[fixed] - value, sizes[fixed] - 1, tail)
    return p


def bounded_p(
    counts: Counts, sums: Counts, sizes: Counts, *, tail: Literal["upper", "lower"] = "upper"
) -> Floats:
    """`exact_p` where it takes seconds at most, else the p of random orders (`permuted_p`).

    Counts that are large and alike differ by little: what all of them have in common is taken off,
    which changes no p.
    """
    most = int(sizes.max(initial=0))
    if len(counts) and (counts >= 0).all() and exact_work(counts, most) > EXACT_WORK:
        common = int(counts.min())
        counts, sums = counts - common, sums - sizes * common
    if not len(counts) or ((counts >= 0).all() and exact_work(counts, most) <= EXACT_WORK):
        return exact_p(counts, sums, sizes, tail=tail)
    upper = np.full(len(counts), tail == "upper")
    return permuted_p(counts.astype(float), sums.astype(float), sizes, upper, apart=False)


def exact_work(counts: Counts, size: int) -> int:
    """Additions that `exact_p` makes for sets of up to so many places: a second makes some 1e8."""
    scaled = counts // max(int(np.gcd.reduce(counts)), 1)
    return len(np.unique(scaled)) * (size + 1) * (size + 2) // 2 * (_most(scaled, size) + 1)


def _most(counts: Counts, size: int) -> int:
    """The greatest sum of so many places."""
    return int(np.sort(counts)[len(counts) - size :].sum())


def _without(counts: Counts, value: int) -> Counts:
    at = np.flatnonzero(counts == value)
    if not len(at):
        raise BadInput(f"no place has the count {value}: `own` holds counts of the places")
    return np.delete(counts, at[0])


def _set_p(counts: Counts, sums: Counts, sizes: Counts, tail: str) -> Floats:
    p = np.ones(len(sums))
    for size in np.unique(sizes):
        reach = _cumulated(set_sum_probabilities(counts, int(size)), tail)
        chosen = sizes == size
        p[chosen] = reach[np.clip(sums[chosen] + (tail == "lower"), 0, len(reach) - 1)]
    return p


def exposure_p(
    observed: npt.ArrayLike, expected: npt.ArrayLike, *, dispersion: float = 0.0
) -> Floats:
    """P(count ≥ `observed`) when `expected` is known from an exposure; both of shape (n,).

    Poisson, or with `dispersion` φ > 0 negative binomial of variance μ + φ·μ². Where nothing is
    expected, p is 1 for no events and 0 for any. Raises BadInput for values below 0.
    """
    at_least("dispersion", dispersion, 0)
    observed = integers("observed", observed, least=0)
    expected = floats("expected", expected, observed.shape, least=0)
    if dispersion == 0:
        return np.asarray(poisson.sf(observed - 1, expected))
    size = 1 / dispersion
    return np.asarray(nbinom.sf(observed - 1, size, size / (size + expected)))


def permuted_p(
    values: npt.ArrayLike,
    sums: npt.ArrayLike,
    sizes: npt.ArrayLike,
    upper: npt.ArrayLike,
    *,
    apart: bool = True,
    seed: int = 0,
) -> Floats:
    """P(sum of `sizes[i]` of the other places ≥ `sums[i]`), by random orders; all of shape (n,).

    For values that are no counts, or of which very many differ: else `exact_p` with `own` gives the
    exact one, and without `own` that of sets that may hold the place itself, as here without
    `apart`. Where `upper` is false, P(sum ≤ `sums[i]`). p is at least about 1 in 100·n, so that one
    place can pass a false discovery rate among n; 1 where the size is 0. Raises BadInput for a size
    beyond n.
    """
    values = floats("values", values)
    n = (len(values),)
    sums, sizes = floats("sums", sums, n), integers("sizes", sizes, n, least=0)
    upper = flags("upper", upper, n)
    if n[0] and int(sizes.max()) > n[0]:
        raise BadInput(f"a set of {sizes.max()} out of {n[0]} places: give at most as many")
    random = np.random.default_rng(seed)
    p = np.ones(len(values))
    for size in np.unique(sizes[sizes > 0]).tolist():
        chosen = np.flatnonzero(sizes == size)
        p[chosen] = _permuted_set_p(
            values, sums[chosen], chosen, upper[chosen], size, random, apart
        )
    return p


def _permuted_set_p(
    values: Floats,
    sums: Floats,
    places: npt.NDArray[np.intp],
    upper: npt.NDArray[np.bool_],
    size: int,
    random: np.random.Generator,
    apart: bool,
) -> Floats:
    """Each order of the values is cut into sets of one size."""
    n = len(values)
    sets = n // size
    slack = 1e-12 * float(np.abs(values).sum())  # sums in another order are equal
    reached, drawn = np.zeros(len(places), np.int64), np.zeros(len(places), np.int64)
    for _ in range(-(-max(_LEAST_SETS, _SETS_A_PLACE * n) // sets)):
        order = random.permutation(n)
        totals = values[order[: sets * size]].reshape(sets, size).sum(axis=1)
        ordered = np.sort(totals)
        more = sets - np.searchsorted(ordered, sums - slack)
        less = np.searchsorted(ordered, sums + slack, side="right")
        set_of = np.empty(n, np.intp)
        set_of[order] = np.arange(n) // size
        inside = apart & (set_of[places] < sets)  # the rest of an order is in no set
        own = totals[np.minimum(set_of[places], sets - 1)]
        counted = np.where(upper, own >= sums - slack, own <= sums + slack)
        reached += np.where(upper, more, less) - (inside & counted)
        drawn += sets - inside
    p: Floats = (1 + reached) / (1 + drawn)
    return p


def _cumulated(probability: Floats, tail: str) -> Floats:
    """Upper: at s, P(sum ≥ s). Lower: at s + 1, P(sum ≤ s)."""
    if tail == "lower":
        reach = np.append(0.0, np.cumsum(probability))
    else:
        reach = np.append(np.cumsum(probability[::-1])[::-1], 0.0)
    # What rounding alone keeps from certainty is certain.
    return np.asarray(np.where(reach > 1 - 1e-11, 1.0, reach))


def set_sum_probabilities(counts: Counts, size: int) -> Floats:
    """P(sum = s) for s = 0, 1, … of `size` places drawn without replacement.

    Distinct counts enter one by one, how many places hold each being hypergeometric; so only
    probabilities are added, and far tails keep their digits where binomials would overflow.
    """
    values, multiplicity = np.unique(counts, return_counts=True)
    most = _most(counts, size)
    if (size + 1) * (most + 1) > _CELLS:
        raise BadInput(
            f"sums of {size} places reach {most:,}, too many to list: `permuted_p` takes any"
        )
    state = np.zeros((size + 1, most + 1))  # [places still to draw, sum so far]
    state[size, 0] = 1.0
    left = len(counts)
    for value, times in zip(values.tolist(), multiplicity.tolist(), strict=True):
        state = _with_value(state, value, times, left)
        left -= times
    probability: Floats = state[0]
    return probability


def _with_value(state: Floats, value: int, times: int, left: int) -> Floats:
    """Draw the places that hold `value`: `times` among the `left` that remain."""
    size, most = state.shape[0] - 1, state.shape[1] - 1
    drawn = np.arange(size + 1)
    after = np.zeros_like(state)
    for needed in range(size + 1):
        chance = hypergeom.pmf(drawn[: min(times, needed) + 1], left, times, needed)
        for taken in np.flatnonzero(chance).tolist():
            shift = taken * value
            if shift <= most:
                after[needed - taken, shift:] += chance[taken] * state[needed, : most + 1 - shift]
    return after


def local_moran(values: npt.ArrayLike, weights: object) -> Floats:
    """Local Moran's I: (n−1)·z_i·Σ_j w_ij z_j / Σ z², rows of the weights made to sum to 1.

    `values` has shape (n,), `weights` shape (n, n), sparse or dense, 0 or more, without the place
    itself. Places without neighbours get 0; NaN where the values have no spread (as in `gi_star`).
    Raises BadInput for a missing value and for weights of another shape or below 0. Source: Anselin
    1995, with esda's n − 1 (spdep divides by the variance by n: n/(n−1) times as much).
    """
    x = floats("values", values)
    w = square(weights, len(x))
    if not _spread(x):
        return np.full(len(x), np.nan)
    z = x - x.mean()
    total = np.asarray(w.sum(axis=1)).ravel()
    lag = np.divide(w @ z, total, out=np.zeros(len(z)), where=total > 0)
    return np.asarray((len(z) - 1) * z * lag / float(z @ z))


def empirical_bayes(events: npt.ArrayLike, population: npt.ArrayLike) -> Floats:
    """Rates shrunk towards the common rate, most where the population is small.

    Both of shape (n,), 0 or more. r_i = b + C_i·(e_i/n_i − b), C_i = a/(a + b/n_i), b = Σe/Σn and
    a = max(0, Σ n_i(e_i/n_i − b)²/Σn − b/mean(n)): clipped, so no rate falls below 0. A place
    without population gets b. Raises BadInput when nobody lives anywhere, and for a missing number
    or one below 0. Source: Marshall 1991.
    """
    events = floats("events", events, least=0)
    population = floats("population", population, events.shape, least=0)
    everyone = float(population.sum())
    if everyone <= 0:
        raise BadInput("empirical Bayes needs a population: all are 0")
    common = float(events.sum()) / everyone
    raw = np.divide(events, population, out=np.full(len(events), common), where=population > 0)
    spread = float((population * (raw - common) ** 2).sum()) / everyone
    prior = max(0.0, spread - common / float(population.mean()))
    weight = prior * population
    trust = np.divide(weight, weight + common, out=np.zeros(len(raw)), where=weight > 0)
    smoothed: Floats = common + trust * (raw - common)
    return smoothed


def benjamini_hochberg(p: npt.ArrayLike) -> Floats:
    """q of each p, shape (n,): the least false discovery rate at which it is a discovery.

    Raises BadInput for a p that is missing or not from 0 to 1.
    Source: Benjamini & Hochberg 1995; q ≤ α marks the same tests as their step-up rule with ≤.
    """
    p = floats("p", p, least=0, most=1)
    n = len(p)
    order = np.argsort(p, kind="stable")
    scaled = p[order] * n / np.arange(1, n + 1)
    q = np.empty(n)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q
