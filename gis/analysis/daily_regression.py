"""Daily counts by regression: level of the last weeks, weekdays, holidays and other marked days.

The newest day is judged by a quasi-Poisson regression on the days before: so a Sunday is compared
with what a Sunday has, and a week of holidays is no low level. Source: the adaptive regression of
Burkom, Murphy & Shmueli 2007, with the weights on past outbreaks of Noufaily et al. 2013 and the
ridge of Hoerl & Kennard 1970 on each term.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from gis.analysis.inputs import integers
from gis.analysis.newest import Newest
from gis.analysis.regression import Fit, reweighted
from gis.analysis.series import Expectation
from gis.errors import BadInput

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

GAP = 2  # days before the newest that are not its past: a rise does not hide itself
LEAST_PAST = 28  # days
RECENT = 56  # days of which level and trend are; the days before have levels of their own,
_BLOCK = 28  # so many days each
_OUTLYING = 2.58
# Within what each coefficient, a logarithm, is thought to be of 0 before any count is seen.
_TREND, _LEVEL, _WEEKDAY, _MARK = 0.3, 1.0, 0.7, 1.0
# Days of a mark from which its effect is known; with fewer the mark is without effect, give or take
# what the caller says.
_KNOWN = 5
# Records a day from which a series has weekdays and marks of its own.
_OWN = 2.0


@dataclass(frozen=True, slots=True)
class MarkedDays:
    """Calendar of a series, the newest day last: `weekday` (T,) 0–6, a public holiday being a 6.

    `marks` (T, K): which days have something in common that may change counts. `unknown` (K,):
    standard deviation of the logarithm of that change, while too few such days were seen.
    """

    weekday: Counts
    marks: npt.NDArray[np.bool_]
    unknown: Floats

    def newest(self, length: int) -> "MarkedDays":
        """The newest days alone."""
        return MarkedDays(self.weekday[-length:], self.marks[-length:], self.unknown)


@dataclass(frozen=True, slots=True)
class UsualDays:
    """What is usual of a series on each of its last days, by regression; the newest is `mean`.

    `error`: standard error of `mean`. `fitted`: means of the days that are the past of the newest,
    up to `RECENT`.
    """

    mean: float
    error: float
    dispersion: float
    fitted: Floats

    @property
    def relative_error(self) -> float:
        return self.error / self.mean


def usual_days(counts: npt.ArrayLike, days: MarkedDays) -> UsualDays | None:
    """What is usual of `counts`, shape (T,), by their own past; None where that is too short.

    None also for a past without any count. Raises BadInput for counts that are no whole numbers
    from 0, and for a calendar of another length.
    """
    counts = integers("counts", counts, least=0)
    if not len(counts) == len(days.weekday) == len(days.marks):
        raise BadInput(f"{len(counts)} counts have a calendar of {len(days.weekday)} days")
    past = len(counts) - 1 - GAP
    if past < LEAST_PAST or not counts[:past].any():
        return None
    design, ridge, doubt = _design(days, past)
    cases = counts[:past].astype(float)
    fit = reweighted(design[:past], cases, _OUTLYING, None, ridge)
    return _usual(fit, doubt, _spread_of_marks(fit, cases, days))


def newest_regression(
    counts: npt.ArrayLike, days: MarkedDays, of_stream: UsualDays | None = None
) -> Newest | None:
    """The newest of `counts`, shape (T,), by regression; None where the past is too short.

    A series of fewer than two records a day takes its calendar and level from `of_stream`, of which
    it has a share that does not change; None: it has its own. p is that of a negative binomial
    with the variance of the estimated mean too, or the exact one of few counts given their sum
    with those of the `RECENT` days, if that is larger. Raises BadInput as `usual_days` does.
    """
    counts = integers("counts", counts, least=0)
    past = counts[: len(counts) - 1 - GAP]
    if len(past) < LEAST_PAST:
        return None
    few = of_stream is not None and past[-RECENT:].mean() < _OWN
    usual = _share(past, of_stream) if few and of_stream else usual_days(counts, days)
    recent = past[-RECENT:]
    if usual is None:  # nothing ever: days are as good as each other
        share = 1 / (1 + len(recent))
        expectation = None
    else:
        share = usual.mean / (usual.mean + usual.fitted.sum())
        expectation = Expectation(usual.mean, usual.error, usual.dispersion)

    def p_of(values: Counts) -> Floats:
        p: Floats = binom.sf(values - 1, values + recent.sum(), share)
        return p if expectation is None else np.maximum(p, expectation.count_p(values))

    return Newest(1, int(counts[-1]), usual.mean if usual else 0.0, int(counts[-1]), p_of)


def _share(past: Counts, stream: UsualDays) -> UsualDays | None:
    """A part of a stream, whose share of it does not change from day to day."""
    recent = past[-len(stream.fitted) :].astype(float)
    if not recent.any():
        return None
    level = np.log(stream.fitted)
    fit = reweighted(np.ones((len(recent), 1)), recent, _OUTLYING, level - np.log(stream.mean))
    return _usual(fit, stream.relative_error**2)


def _spread_of_marks(fit: Fit, cases: Floats, days: MarkedDays) -> float:
    """The largest dispersion among past days with a mark of the newest, of those that say little
    of each other: holidays are more unlike than days after them.
    """
    square = (cases - fit.fitted) ** 2 / fit.fitted
    alike = days.marks[: len(cases), days.marks[-1] & (days.unknown > 0)]
    spreads = [square[of].sum() / (of.sum() - 1) for of in alike.T if of.sum() >= _KNOWN]
    return float(max(spreads, default=0.0))


def _usual(fit: Fit, doubt: float, least_dispersion: float = 0.0) -> UsualDays:
    """`doubt`: variance of the logarithm of the mean beyond that of the fit."""
    dispersion = max(fit.dispersion, least_dispersion, 1.0)
    mean = fit.level()
    error = mean * float(np.sqrt(dispersion * fit.covariance[0, 0] + doubt))
    return UsualDays(mean, error, dispersion, fit.fitted[-RECENT:])


def _design(days: MarkedDays, past: int) -> tuple[Floats, Floats, float]:
    """The terms of each day less those of the newest, their ridge, and the doubt of unknown marks.

    The first is the level; the trend is of the last `RECENT` days.
    """
    ago = np.arange(len(days.weekday))[::-1]
    block = (ago - RECENT - 1) // _BLOCK
    seen = days.marks[:past].sum(axis=0)
    terms = [
        (-np.minimum(ago, RECENT)[:, None] / RECENT, _TREND),
        (block[:, None] == np.arange(block[0] + 1), _LEVEL),
        (days.weekday[:, None] == np.arange(7), _WEEKDAY),
        (days.marks[:, seen > 0], _MARK),
    ]
    design = np.column_stack([np.ones(len(ago)), *(columns for columns, _ in terms)])
    ridge = np.concatenate([[0.0], *(np.full(c.shape[1], 1 / width**2) for c, width in terms)])
    newest = design[-1].copy()
    unknown = days.marks[-1] & (seen < _KNOWN)
    newest[design.shape[1] - (seen > 0).sum() :] *= seen[seen > 0] >= _KNOWN
    newest[0] = 0.0
    return design - newest, ridge, float((days.unknown[unknown] ** 2).sum())
