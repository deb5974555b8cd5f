"""Series of counts, one a stream: EARS C1–C3, Farrington, negative-binomial CUSUM."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import nbinom, norm, poisson

from gis.analysis.inputs import at_least, between, floats, integers, one_of, whole
from gis.analysis.regression import LEAST, reweighted
from gis.errors import BadInput

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def ears(
    counts: npt.ArrayLike,
    *,
    method: Literal["C1", "C2", "C3"] = "C1",
    baseline: int = 7,
    alpha: float | None = None,
    least_sd: float = 0.0,
) -> pd.DataFrame:
    """EARS of one series, shape (T,): one row a step, columns expected, bound, statistic, alarm.

    C1 compares with the mean and standard deviation (by n − 1, never below `least_sd`) of the
    `baseline` steps before, C2 leaves a gap of 2 steps; C3 lowers the bound of C2 by what the two
    steps before had in excess of 1 deviation. An alarm is a count above `bound` = mean +
    z(1 − α)·sd; `alpha` is .001, and .025 for C3, where it is not given. Steps with a past
    shorter than `baseline` (C2: + 2, C3: + 4) have NaN and no alarm. After zeros alone a single
    event alarms, unless `least_sd` is .5 or 1. Raises BadInput for a count missing or below 0 and
    for a baseline under 2, which has no spread. Source: Hutwagner et al. 2003; Fricker et al. 2008.
    """
    counts = floats("counts", counts, least=0)
    one_of("method", method, ("C1", "C2", "C3"))
    whole("baseline", baseline, 2)
    at_least("least_sd", least_sd, 0)
    if alpha is None:
        alpha = 0.025 if method == "C3" else 0.001
    between("alpha", alpha, 0, 1, open_ends=True)
    mean, deviation = _baselines(counts, baseline, 0 if method == "C1" else 2)
    deviation = np.maximum(deviation, least_sd)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = (counts - mean) / deviation
    limit = np.full(len(counts), norm.isf(alpha))
    if method == "C3":
        limit -= _excess_before(statistic, baseline + 2)
    with np.errstate(invalid="ignore"):
        bound = np.where(deviation > 0, np.maximum(mean + limit * deviation, 0.0), mean)
    bound[np.isnan(limit)] = np.nan
    alarm = counts > np.where(np.isnan(bound), np.inf, bound)
    return pd.DataFrame({"expected": mean, "bound": bound, "statistic": statistic, "alarm": alarm})


def _excess_before(statistic: Floats, first: int) -> Floats:
    """Σ max(0, C2 − 1) of the two steps before; NaN until both are known."""
    # 0/0, a level series: nothing in excess.
    excess = np.nan_to_num(np.maximum(statistic - 1.0, 0.0), nan=0.0, posinf=np.inf)
    excess[:first] = np.nan
    before = np.full(len(statistic), np.nan)
    before[2:] = excess[1:-1] + excess[:-2]
    return before


def _baselines(counts: Floats, baseline: int, gap: int) -> tuple[Floats, Floats]:
    """Mean and standard deviation of the steps before each step; NaN where too few."""
    mean, deviation = np.full(len(counts), np.nan), np.full(len(counts), np.nan)
    first = baseline + gap
    if len(counts) > first:
        windows = np.lib.stride_tricks.sliding_window_view(counts, baseline)[: len(counts) - first]
        mean[first:], deviation[first:] = windows.mean(axis=1), windows.std(axis=1, ddof=1)
    return mean, deviation


def farrington(
    counts: npt.ArrayLike,
    *,
    years: int = 4,
    half_window: int = 3,
    alpha: float = 0.01,
    period: int = 52,
    start: int | None = None,
) -> pd.DataFrame:
    """Farrington of one series: rows from step `start`, columns step, expected, bound, alarm.

    The reference of a step are the steps within `half_window` of the same week in each of `years`
    before. A quasi-Poisson regression with a linear trend (kept when significant at .05, with at
    least 3 years, and not beyond what was seen), refitted with less weight on past outbreaks, gives
    the mean; the bound is that of a 2/3-power transform, two-sided at `alpha`. No alarm with fewer
    than 5 cases in the last 4 steps. Steps with too short a past are left out; `start` counts
    from 0. Raises BadInput for counts that are no whole numbers from 0 and for windows that meet.
    Source: Farrington et al. 1996.
    """
    counts = integers("counts", counts, least=0)
    between("alpha", alpha, 0, 1, open_ends=True)
    past = SameWeeks(years, half_window, period)
    return _judged(counts, past, start, lambda usual: usual.bound(alpha))


def farrington_flexible(
    counts: npt.ArrayLike,
    *,
    years: int = 5,
    half_window: int = 3,
    levels: int = 10,
    gap: int = 26,
    alpha: float = 0.005,
    method: Literal["nb", "delta"] = "nb",
    period: int = 52,
    start: int | None = None,
) -> pd.DataFrame:
    """Farrington flexible of one series: as `farrington`, from all steps of `years`.

    The season is a factor of `levels`: the steps within `half_window` of the same week are one, the
    rest of the year the others, of nearly equal length; the last `gap` steps are left out. With at
    least 3 years there is a trend, whatever its p, unless it leads beyond the largest count. Only
    past counts with an Anscombe residual above 2.58 have less weight. `bound` is the quantile
    1 − `alpha` of a negative binomial of this mean μ and variance φμ (Poisson where φ is 1);
    `method="delta"` gives that of the 2/3 power, which knows the error of the mean too. `alpha` is
    one-sided: .005 is the .01 of `farrington`. Raises BadInput as `farrington` does.
    Source: Noufaily et al. 2013; Salmon et al. 2016.
    """
    counts = integers("counts", counts, least=0)
    between("alpha", alpha, 0, 0.5, open_ends=True)
    one_of("method", method, ("nb", "delta"))
    past = AllWeeks(years, half_window, period, levels, gap)
    if method == "delta":
        return _judged(counts, past, start, lambda usual: usual.bound(2 * alpha))
    return _judged(counts, past, start, lambda usual: usual.quantile(alpha))


@dataclass(frozen=True, slots=True)
class Expectation:
    """The count that Farrington expects of a step, and its spread."""

    mean: float
    error: float  # standard error of the mean
    dispersion: float

    def bound(self, alpha: float) -> float:
        """Upper bound of a new count, by the 2/3 power, two-sided."""
        return float((self.mean ** (2 / 3) + norm.isf(alpha / 2) * self._deviation()) ** 1.5)

    def p(self, values: Counts) -> Floats:
        """Probability of as many by chance, by the 2/3 power, one-sided."""
        p: Floats = norm.sf((values ** (2 / 3) - self.mean ** (2 / 3)) / self._deviation())
        return p

    def quantile(self, alpha: float) -> float:
        """The least count that chance exceeds no oftener than `alpha`: the mean taken as known."""
        law, of = _law_of_counts(self.mean, self.dispersion)
        return float(law.isf(alpha, *of))

    def count_p(self, values: Counts) -> Floats:
        """Probability of as many by chance, by a negative binomial that has also the variance of
        the estimated mean: a p far out in the tail would otherwise be too small.
        """
        law, of = _law_of_counts(self.mean, self._spread())
        p: Floats = law.sf(values - 1, *of)
        return p

    def _deviation(self) -> float:
        return float(np.sqrt(4 / 9 * self.mean ** (1 / 3) * self._spread()))

    def _spread(self) -> float:
        """Variance of a new count less its estimated mean, over the mean."""
        return self.dispersion + self.error**2 / self.mean


def _law_of_counts(mean: float, spread: float) -> tuple[Any, tuple[float, ...]]:
    """The distribution with variance `spread`·`mean`, and its parameters."""
    if spread < 1 + 1e-9:  # nearer to 1 the negative binomial is no longer exact
        return poisson, (mean,)
    return nbinom, (mean / (spread - 1), 1 / spread)


@dataclass(frozen=True, slots=True)
class SameWeeks:
    """The past of Farrington 1996: of `years`, the steps within `half_window` of the same week."""

    years: int
    half_window: int = 3
    period: int = 52

    def __post_init__(self) -> None:
        whole("years", self.years, 1)
        whole("period", self.period, 1)
        whole("half_window", self.half_window, 0, (self.period - 1) // 2)
        if self.years == 1 and self.half_window == 0:
            raise BadInput("one step has no spread: give more `years` or a wider `half_window`")

    @property
    def first(self) -> int:
        """The first step with a past long enough."""
        return self.years * self.period + self.half_window

    def times(self, step: int) -> Counts:
        around = np.arange(-self.half_window, self.half_window + 1)
        back = self.period * np.arange(self.years, 0, -1)
        times: Counts = (step - back[:, None] + around).ravel()
        return times

    def expectation(self, counts: Counts, step: int) -> Expectation:
        times = self.times(step)
        trend_p = 0.05 if self.years >= 3 else 0.0
        return _expectation(counts[times], times - step, np.zeros_like(times), 1.0, trend_p)


@dataclass(frozen=True, slots=True)
class AllWeeks(SameWeeks):
    """The past of Farrington flexible: all steps but the last `gap`, by `levels` of the season."""

    levels: int = 10
    gap: int = 26

    def __post_init__(self) -> None:
        SameWeeks.__post_init__(self)
        whole("levels", self.levels, 2, self.period - 2 * self.half_window)
        whole("gap", self.gap, 0, self.period - self.half_window - 1)

    def expectation(self, counts: Counts, step: int) -> Expectation:
        times = np.arange(step - self.first, step - self.gap)
        trend_p = np.inf if self.years >= 3 else 0.0
        return _expectation(counts[times], times - step, self.level_of(times - step), 2.58, trend_p)

    def level_of(self, offsets: Counts) -> Counts:
        """Level of the season of steps so far from the one judged, whose level is 0."""
        window = 2 * self.half_window + 1
        rest = np.array_split(np.arange(self.period - window), self.levels - 1)
        of_phase = np.repeat(np.arange(self.levels), [window, *map(len, rest)])
        level: Counts = of_phase[(offsets + self.half_window) % self.period]
        return level


def _judged(
    counts: Counts, past: SameWeeks, start: int | None, bound: Callable[[Expectation], float]
) -> pd.DataFrame:
    """Every step from `start` on that has a past long enough."""
    begin = past.first if start is None else max(past.first, whole("start", start, 0))
    steps = np.arange(begin, max(begin, len(counts)))
    usual = [past.expectation(counts, step) for step in steps.tolist()]
    bounds = np.array([bound(one) for one in usual])
    enough = np.array([counts[max(0, step - 3) : step + 1].sum() >= 5 for step in steps], bool)
    expected = np.array([one.mean for one in usual])
    alarm = (counts[steps] > bounds) & enough
    return pd.DataFrame({"step": steps, "expected": expected, "bound": bounds, "alarm": alarm})


def _expectation(
    past: Counts, offsets: Counts, level: Counts, outlying: float, trend_p: float
) -> Expectation:
    """By regression on time and on the level of the season, which of the step judged are 0.

    The trend is kept with a p below `trend_p` (0: none is tried), unless it leads beyond the past.
    """
    seen = np.bincount(level, weights=past) > 0
    if not seen[0]:
        return Expectation(LEAST, 0.0, 1.0)
    # The mean of a level without a case is 0, and that tells nothing of the others.
    used = seen[level]
    season = level[used, None] == np.flatnonzero(seen)[1:]
    design = np.column_stack([np.ones(len(season)), offsets[used], season])
    cases = past[used].astype(float)
    fit = reweighted(design, cases, outlying) if trend_p else None
    if fit is None or fit.trend_p() >= trend_p or fit.level() > cases.max():
        fit = reweighted(np.delete(design, 1, axis=1), cases, outlying)
    dispersion = max(fit.dispersion, 1.0)
    error = fit.level() * float(np.sqrt(dispersion * fit.covariance[0, 0]))
    return Expectation(fit.level(), error, dispersion)


def nb_cusum(
    counts: npt.ArrayLike,
    expected: npt.ArrayLike,
    *,
    dispersion: float = 0.0,
    ratio: float = 2.0,
    threshold: float = 4.0,
) -> pd.DataFrame:
    """CUSUM of the log likelihood ratio of `ratio`·`expected` against `expected`, shape (T,) each.

    Counts are negative binomial with variance μ + `dispersion`·μ² (0 is Poisson). One row a step:
    statistic C_t = max(0, C_{t−1} + ln LR_t), alarm (C_t ≥ `threshold`; the sum then starts again
    from 0). Raises BadInput for counts that are no whole numbers from 0, and unless expected > 0,
    ratio > 1, dispersion ≥ 0, threshold > 0. Source: Höhle & Paul 2008.
    """
    counts = integers("counts", counts, least=0)
    expected = floats("expected", expected, counts.shape)
    at_least("dispersion", dispersion, 0)
    between("ratio", ratio, 1, np.inf, open_ends=True)
    if not threshold > 0 or (expected <= 0).any():
        raise BadInput("CUSUM needs a `threshold` above 0, and each of `expected` above 0")
    gains = log_ratio(counts, expected, ratio, dispersion)
    statistic = np.empty(len(counts))
    level = 0.0
    for step, gain in enumerate(gains.tolist()):
        level = max(0.0, (0.0 if level >= threshold else level) + gain)
        statistic[step] = level
    return pd.DataFrame({"statistic": statistic, "alarm": statistic >= threshold})


def log_ratio(counts: Counts, expected: Floats, ratio: float, dispersion: float) -> Floats:
    """Of `ratio`·`expected` against `expected`; see nb_cusum."""
    if dispersion == 0:
        return np.asarray(counts * np.log(ratio) - expected * (ratio - 1))
    grown = np.log1p(dispersion * expected) - np.log1p(dispersion * ratio * expected)
    gain: Floats = counts * np.log(ratio) + (1 / dispersion + counts) * grown
    return gain
