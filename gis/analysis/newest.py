"""The newest step of a series, judged by a detector: how rarely chance brings so large a count.

A p that is to be as rare as once in years must hold far out in the tail, where few counts are not
normal. So each p is the larger of the detector's own and of the exact one of few counts: the count,
given its sum with those before, is binomial (Przyborowski & Wilenski 1940).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import binom, t

from gis.analysis.inputs import integers, one_of, whole
from gis.analysis.series import AllWeeks, SameWeeks, log_ratio, nb_cusum

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

_GAP = 2  # steps between baseline and count in C2 and C3
_WIDEST, _FINE = 60.0, 0.02  # of the law of C3, in standard deviations


@dataclass(frozen=True, slots=True)
class Newest:
    """`observed` and `expected` are of the last `steps` steps, `count` of the newest alone; `p_of`
    gives p for any counts in the newest step.
    """

    steps: int
    observed: int
    expected: float
    count: int
    p_of: Callable[[Counts], Floats] = field(compare=False)

    @property
    def p(self) -> float:
        return float(self.p_of(np.array([self.count]))[0])

    def bound(self, p: float, least: int = 1) -> int:
        """The least that `observed` would have to be for a p as small; from `least` on."""
        before = self.observed - self.count
        tried, size = np.arange(0), 64
        while not len(tried):
            counts = np.arange(max(least - before, 0), size)
            tried = counts[self.p_of(counts) <= p]
            size *= 8
        return before + int(tried[0])


def newest_ears(
    counts: npt.ArrayLike, *, method: Literal["C1", "C2", "C3"] = "C2", baseline: int = 28
) -> Newest | None:
    """EARS (see `ears`) of the last of `counts`, shape (T,); None where the past is too short.

    A new value of a normal series, less the mean of n before and over their standard deviation, is
    √(1 + 1/n) times Student's t with n − 1 degrees of freedom. C3 adds what the two steps before
    had in excess of 1 deviation; its law is that of the sum, the days taken as independent, and it
    is of three steps.
    """
    counts = integers("counts", counts, least=0)
    one_of("method", method, ("C1", "C2", "C3"))
    whole("baseline", baseline, 2)
    gap, steps = (0 if method == "C1" else _GAP), (3 if method == "C3" else 1)
    if len(counts) < baseline + gap + steps:
        return None
    past = counts[len(counts) - 1 - gap - baseline : len(counts) - 1 - gap]
    before = counts[len(counts) - steps : -1]
    excess = sum(_excess(counts[: len(counts) - ago], gap, baseline) for ago in range(1, steps))
    own = _tail_of_c3(baseline) if method == "C3" else _tail_of_t(baseline)

    def p_of(values: Counts) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            z = (values - past.mean()) / past.std(ddof=1)
        few = few_counts_p(values + before.sum(), past, steps)
        return np.maximum(own(np.nan_to_num(z, nan=0.0, posinf=np.inf) + excess), few)

    observed = int(counts[-1] + before.sum())
    return Newest(steps, observed, steps * float(past.mean()), int(counts[-1]), p_of)


def few_counts_p(values: Counts, past: Counts, steps: int = 1) -> Floats:
    """Exact p of Poisson counts in so many steps, given the sum of those with the past."""
    share = steps / (steps + len(past))
    p: Floats = binom.sf(values - 1, values + past.sum(), share)
    return p


def _excess(counts: Counts, gap: int, baseline: int) -> float:
    past = counts[len(counts) - 1 - gap - baseline : len(counts) - 1 - gap]
    deviation = past.std(ddof=1)
    above = counts[-1] - past.mean()
    if deviation == 0:
        return float(np.inf) if above > 0 else 0.0
    return float(max(above / deviation - 1, 0.0))


@cache
def _tail_of_t(baseline: int) -> Callable[[Floats], Floats]:
    law = t(baseline - 1, scale=np.sqrt(1 + 1 / baseline))
    return lambda z: np.asarray(law.sf(z), float)


@cache
def _tail_of_c3(baseline: int) -> Callable[[Floats], Floats]:
    """The upper tail of a C2 and twice the excess of another, by convolution on a grid."""
    law = t(baseline - 1, scale=np.sqrt(1 + 1 / baseline))
    grid = np.arange(-_WIDEST, _WIDEST, _FINE)
    mass = np.diff(law.cdf(np.append(grid, _WIDEST)))
    above = np.diff(law.cdf(1 + np.arange(0, _WIDEST, _FINE)), append=1.0)
    above[0] += law.cdf(1)
    sums = np.convolve(mass, np.convolve(above, above))
    tail = np.cumsum(sums[::-1])[::-1]
    at = -_WIDEST + _FINE * np.arange(len(tail))
    return lambda z: np.interp(z, at, tail, left=1.0, right=0.0)


def newest_farrington(
    counts: npt.ArrayLike, *, years: int = 4, flexible: bool = False
) -> Newest | None:
    """Farrington (see `farrington`) of the last week; None where the past is too short.

    p is that of the 2/3 power, one-sided; of `flexible` (see `farrington_flexible`) that of a
    negative binomial. It is 1 with fewer than 5 cases in the last 4 weeks.
    """
    counts = integers("counts", counts, least=0)
    past = AllWeeks(years) if flexible else SameWeeks(years)
    step = len(counts) - 1
    if step < past.first:
        return None
    usual = past.expectation(counts, step)
    own = usual.count_p if flexible else usual.p
    same, before = counts[past.times(step)], int(counts[-4:-1].sum())

    def p_of(values: Counts) -> Floats:
        p = np.maximum(own(values), few_counts_p(values, same))
        return np.where(values + before >= 5, p, 1.0)

    return Newest(1, int(counts[-1]), usual.mean, int(counts[-1]), p_of)


def newest_cusum(
    counts: npt.ArrayLike, *, baseline: int = 28, steps: int = 14, ratio: float = 2.0
) -> Newest | None:
    """NB-CUSUM (see `nb_cusum`) over the last `steps`; None where the past is too short.

    Expected and dispersion are those of the `baseline` steps before, and what these leave unknown
    of the mean is dispersion too. A sum of log likelihood ratios reaches C by chance no oftener
    than once in e^C steps (Lorden 1971): p is e^−C. It is of the steps since the sum was 0.
    """
    counts = integers("counts", counts, least=0)
    whole("baseline", baseline, 2)
    whole("steps", steps, 2)
    if len(counts) < baseline + steps:
        return None
    past, last = counts[-steps - baseline : -steps], counts[-steps:]
    mean, dispersion = _negative_binomial(past)
    usual = {"dispersion": dispersion, "ratio": ratio}
    sums = nb_cusum(last, np.full(steps, mean), threshold=np.inf, **usual)["statistic"].to_numpy()

    def p_of(values: Counts) -> Floats:
        gain = log_ratio(values, np.full(values.shape, mean), ratio, dispersion)
        p: Floats = np.exp(-np.maximum(sums[-2] + gain, 0.0))
        return p

    since = max(steps - 1 - int(np.flatnonzero(sums <= 0)[-1:].max(initial=-1)), 1)
    return Newest(since, int(last[-since:].sum()), since * mean, int(last[-1]), p_of)


def _negative_binomial(past: Counts) -> tuple[float, float]:
    """Mean (half a case is added, so that it is above 0) and dispersion of a new count."""
    total, n = float(past.sum()) + 0.5, len(past)
    mean = total / n
    spread = (float(past.var(ddof=1)) - mean) / mean**2
    return mean, max(spread, 1 / total)
