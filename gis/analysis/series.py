"""Series of counts, one a stream: EARS C1–C3, Farrington, negative-binomial CUSUM."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import xlogy
from scipy.stats import norm, t

from gis.errors import BadInput

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def ears(
    counts: Counts,
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
    event alarms, unless `least_sd` is .5 or 1. Raises BadInput for a baseline under 2.
    Source: Hutwagner et al. 2003; Fricker et al. 2008.
    """
    if baseline < 2:
        raise BadInput(f"a baseline of {baseline} steps has no spread: give at least 2")
    mean, deviation = _baselines(counts, baseline, 0 if method == "C1" else 2)
    deviation = np.maximum(deviation, least_sd)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = (counts - mean) / deviation
    if alpha is None:
        alpha = 0.025 if method == "C3" else 0.001
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


def _baselines(counts: Counts, baseline: int, gap: int) -> tuple[Floats, Floats]:
    """Mean and standard deviation of the steps before each step; NaN where too few."""
    mean, deviation = np.full(len(counts), np.nan), np.full(len(counts), np.nan)
    first = baseline + gap
    if len(counts) > first:
        windows = np.lib.stride_tricks.sliding_window_view(counts, baseline)[: len(counts) - first]
        mean[first:], deviation[first:] = windows.mean(axis=1), windows.std(axis=1, ddof=1)
    return mean, deviation


def farrington(
    counts: Counts,
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
    from 0. Source: Farrington et al. 1996.
    """
    first = years * period + half_window
    steps = range(max(first, start or 0), len(counts))
    rows = [expectation(counts, step, years, half_window, period) for step in steps]
    bounds = [row.bound(alpha) for row in rows]
    enough = [counts[max(0, step - 3) : step + 1].sum() >= 5 for step in steps]
    above = [counts[step] > bound for step, bound in zip(steps, bounds, strict=True)]
    return pd.DataFrame(
        {
            "step": list(steps),
            "expected": [row.mean for row in rows],
            "bound": bounds,
            "alarm": np.array(above, bool) & np.array(enough, bool),
        }
    )


@dataclass(frozen=True, slots=True)
class Expectation:
    """What Farrington expects of a step."""

    mean: float
    error: float  # standard error of the mean
    dispersion: float

    def bound(self, alpha: float) -> float:
        """Upper bound of a new count, by the 2/3 power."""
        return float((self.mean ** (2 / 3) + norm.isf(alpha / 2) * self._deviation()) ** 1.5)

    def p(self, values: Counts) -> Floats:
        """How rarely chance brings as many, by the 2/3 power, one-sided."""
        p: Floats = norm.sf((values ** (2 / 3) - self.mean ** (2 / 3)) / self._deviation())
        return p

    def _deviation(self) -> float:
        spread = self.dispersion + self.error**2 / self.mean
        return float(np.sqrt(4 / 9 * self.mean ** (1 / 3) * spread))


def expectation(counts: Counts, step: int, years: int, half: int, period: int) -> Expectation:
    """That of one step, from the steps within `half` of it a whole number of periods before."""
    around = np.arange(-half, half + 1)
    times = np.concatenate([step - period * back + around for back in range(years, 0, -1)])
    past = counts[times].astype(float)
    if not past.any():
        return Expectation(1e-9, 0.0, 1.0)
    offsets = (times - step).astype(float)
    with_trend = np.column_stack([np.ones(len(times)), offsets])
    fit = _reweighted(with_trend, past)
    kept = years >= 3 and fit.trend_p() < 0.05 and fit.level() <= past.max()
    fit = fit if kept else _reweighted(with_trend[:, :1], past)
    dispersion = max(fit.dispersion, 1.0)
    error = fit.level() * float(np.sqrt(dispersion * fit.covariance[0, 0]))
    return Expectation(fit.level(), error, dispersion)


@dataclass(frozen=True, slots=True)
class _Fit:
    """A quasi-Poisson regression with log link; time 0 is the step being judged."""

    coefficients: Floats
    covariance: Floats  # before the dispersion
    fitted: Floats
    leverage: Floats
    dispersion: float
    freedom: int

    def level(self) -> float:
        return float(np.exp(self.coefficients[0]))

    def trend_p(self) -> float:
        error = np.sqrt(max(self.dispersion, 1e-12) * self.covariance[1, 1])
        return float(2 * t.sf(abs(self.coefficients[1] / error), self.freedom))


def _reweighted(design: Floats, past: Floats) -> _Fit:
    first = _fit(design, past, np.ones(len(past)))
    scale = np.sqrt(max(first.dispersion, 1.0) * (1 - first.leverage))
    anscombe = 1.5 * (past ** (2 / 3) * first.fitted ** (-1 / 6) - np.sqrt(first.fitted)) / scale
    weight = np.where(anscombe > 1, 1 / np.maximum(anscombe, 1) ** 2, 1.0)
    return _fit(design, past, weight * len(past) / weight.sum())


def _fit(design: Floats, past: Floats, weight: Floats) -> _Fit:
    """Iteratively reweighted least squares (McCullagh & Nelder 1989, §2.5).

    Stops at a relative change of deviance of 1e-8, with the covariance of the last working weights,
    as R's glm does: published bounds depend on it in their sixth digit.
    """
    mean, deviance = past + 0.1, np.inf
    for _ in range(25):
        working = weight * mean
        information = design.T @ (working[:, None] * design)
        target = design.T @ (working * (np.log(mean) + (past - mean) / mean))
        coefficients = np.linalg.solve(information, target)
        mean = np.exp(design @ coefficients)
        before, deviance = deviance, _deviance(past, mean, weight)
        if abs(deviance - before) / (abs(deviance) + 0.1) < 1e-8:
            break
    covariance = np.linalg.inv(information)
    leverage = working * np.einsum("ij,jk,ik->i", design, covariance, design)
    freedom = len(past) - design.shape[1]
    dispersion = float((working * ((past - mean) / mean) ** 2).sum()) / freedom
    return _Fit(coefficients, covariance, mean, leverage, dispersion, freedom)


def _deviance(past: Floats, mean: Floats, weight: Floats) -> float:
    return float(2 * (weight * (xlogy(past, past / mean) - (past - mean))).sum())


def nb_cusum(
    counts: Counts,
    expected: Floats,
    *,
    dispersion: float = 0.0,
    ratio: float = 2.0,
    threshold: float = 4.0,
) -> pd.DataFrame:
    """CUSUM of the log likelihood ratio of `ratio`·`expected` against `expected`, shape (T,) each.

    Counts are negative binomial with variance μ + `dispersion`·μ² (0 is Poisson). One row a step:
    statistic C_t = max(0, C_{t−1} + ln LR_t), alarm (C_t ≥ `threshold`; the sum then starts again
    from 0). Raises BadInput unless expected > 0, ratio > 1, dispersion ≥ 0. Source: Höhle & Paul
    2008.
    """
    if (expected <= 0).any() or ratio <= 1 or dispersion < 0:
        raise BadInput("CUSUM needs expected counts above 0, ratio above 1, dispersion from 0")
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
