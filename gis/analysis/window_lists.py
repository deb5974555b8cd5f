"""Space-time permutation scan of listed windows: single places, or runs of places in a row.

Of the N cases that a window holds in all, c are in the last days where μ are expected of N:
LLR = c ln(c/μ) + (N−c) ln((N−c)/(N−μ)) for c > μ, binomial (Kulldorff 1997, Bernoulli model). Among
few cases it sees what the ratio of Poisson does not, for which nearly all cases of a small place
being new is little more than some of them. Its null is drawn as that of `stp_scan`: of one seed
both permute the days of the same events alike, so their maxima may be taken together.
"""

from collections.abc import Iterator

import numba
import numpy as np
import numpy.typing as npt
import pandas as pd

from gis.analysis.inputs import integers, whole
from gis.analysis.scan import (
    BATCH,
    NULL,
    Null,
    known_events,
    numbered,
    permuted_expectation,
    recent_counts,
    within_strata,
)
from gis.errors import BadInput

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def listed_scan(
    place: npt.ArrayLike,
    day: npt.ArrayLike,
    first: npt.ArrayLike,
    last: npt.ArrayLike,
    *,
    max_days: int,
    last_day: int | None = None,
    min_cases: int = 3,
    strata: npt.ArrayLike | None = None,
    max_clusters: int = 5,
) -> pd.DataFrame:
    """The most likely windows that share no place, over the last 1…`max_days` days.

    Event e of shape (E,) is at `place` (a number from 0; −1: in no window) on whole `day`. Window w
    of shape (W,) holds the places `first[w]` to `last[w]`. `strata` as of `stp_scan`. One row a
    window, the most likely first, of equally likely ones the shortest: window, days, observed,
    expected, llr. Raises BadInput for windows that end before they begin.
    """
    space = _Listed.of(place, day, first, last, max_days, last_day, min_cases, strata)
    llr, days = _best(space.counts(space.age), space.totals, space.expected, space.first,
                      space.last, min_cases)  # fmt: skip
    order = np.lexsort((space.first, space.last - space.first, -np.round(llr, 9)))
    taken = np.zeros(len(space.totals) + 1, bool)
    rows: list[dict[str, float]] = []
    for window in order[llr[order] > 0].tolist():
        inside = slice(space.first[window], space.last[window] + 1)
        if len(rows) < max_clusters and not taken[inside].any():
            taken[inside] = True
            recent = int(days[window]) - 1
            rows.append({
                "window": window,
                "days": recent + 1,
                "observed": int(space.counts(space.age)[inside, recent].sum()),
                "expected": float(space.expected[inside, recent].sum()),
                "llr": float(llr[window]),
            })  # fmt: skip
    return pd.DataFrame(rows, columns=["window", "days", "observed", "expected", "llr"])


def listed_maxima(
    place: npt.ArrayLike,
    day: npt.ArrayLike,
    first: npt.ArrayLike,
    last: npt.ArrayLike,
    *,
    max_days: int,
    last_day: int | None = None,
    min_cases: int = 3,
    strata: npt.ArrayLike | None = None,
    null: Null = NULL,
) -> Iterator[Floats]:
    """The highest LLR of each replicate of `listed_scan`, as many at a time as of `stp_maxima`."""
    space = _Listed.of(place, day, first, last, max_days, last_day, min_cases, strata)
    shuffled = within_strata(space.stratum, np.random.default_rng(null.seed))
    for begun in range(0, null.replicates, BATCH):
        maxima = np.empty(min(BATCH, null.replicates - begun))
        for drawn in range(len(maxima)):
            counts = space.counts(space.age[shuffled()])
            maxima[drawn] = _highest(counts, space.totals, space.expected, space.first, space.last,
                                     min_cases)  # fmt: skip
        yield maxima


class _Listed:
    """What all replicates share: places, what is expected there, and the windows."""

    def __init__(
        self, place: Counts, age: Counts, stratum: Counts, first: Counts, last: Counts, days: int
    ) -> None:
        self.place, self.age, self.stratum = place, age, stratum
        self.first, self.last, self._days = first, last, days
        self._places = int(max(place.max(initial=-1), last.max(initial=-1))) + 1
        inside = place >= 0
        self.totals = np.bincount(place[inside], minlength=self._places)
        # Events in no window are at the last place, which is in none.
        self._at = np.where(inside, place, self._places)
        expected = permuted_expectation(self._at, age, stratum, self._places + 1, days)
        self.expected = np.ascontiguousarray(expected[: self._places])

    @classmethod
    def of(
        cls,
        place: npt.ArrayLike,
        day: npt.ArrayLike,
        first: npt.ArrayLike,
        last: npt.ArrayLike,
        max_days: int,
        last_day: int | None,
        min_cases: int,
        strata: npt.ArrayLike | None,
    ) -> "_Listed":
        whole("max_days", max_days, 1)
        whole("min_cases", min_cases, 1)
        first = integers("first", first, least=0)
        last = integers("last", last, first.shape, least=0)
        if (last < first).any():
            raise BadInput("a window holds the places from `first` to `last`: last is before first")
        at = integers("place", place, least=-1)
        # −1 is no place of `known_events`, which numbers them from 0.
        at, age, stratum = known_events(at + 1, day, strata, last_day, int(at.max(initial=-1)) + 2)
        strata_of = numbered(stratum if stratum is not None else np.zeros(len(at), np.int64))
        return cls(at - 1, age, strata_of, first, last, max_days)

    def counts(self, age: Counts) -> Counts:
        """Events of each place in the last 1…D days, shape (places, D)."""
        return recent_counts(self._at, age, self._places + 1, self._days)[: self._places]


@numba.njit(cache=True)
def _llr(c: float, total: float, mu: float) -> float:
    if c <= mu or mu <= 0.0:
        return 0.0
    value = c * np.log(c / mu)
    if total > c:
        value += (total - c) * np.log((total - c) / (total - mu))
    return float(value)


@numba.njit(cache=True)
def _best(
    counts: Counts, totals: Counts, expected: Floats, first: Counts, last: Counts, least: int
) -> tuple[Floats, Counts]:
    """The highest LLR of each window, and its days."""
    windows, days = len(first), counts.shape[1]
    llr, best = np.zeros(windows), np.zeros(windows, np.int64)
    for window in range(windows):
        begin, end = first[window], last[window] + 1
        total = totals[begin:end].sum()
        if total < least or counts[begin:end, days - 1].sum() < least:
            continue
        for day in range(days):
            c = counts[begin:end, day].sum()
            if c >= least:
                value = _llr(float(c), float(total), expected[begin:end, day].sum())
                if value > llr[window] * (1 + 1e-12):
                    llr[window], best[window] = value, day + 1
    return llr, best


@numba.njit(cache=True)
def _highest(
    counts: Counts, totals: Counts, expected: Floats, first: Counts, last: Counts, least: int
) -> float:
    llr, _ = _best(counts, totals, expected, first, last, least)
    return float(llr.max()) if len(llr) else 0.0
