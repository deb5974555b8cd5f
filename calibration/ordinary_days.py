"""Series of ordinary days and holidays: how often each kind of day alarms, and what it finds.

The counts of a made-up province for years, with weekdays, season and the public holidays of
Vietnam, each day judged as the service judges it at the end of the day, by what came before.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

from gis.analysis import Newest, newest_ears, newest_regression
from gis.holidays import DayKind, day_kind
from layers.definition.model import RegressionOptions
from layers.detect.commune_series import days_read
from layers.detect.day_marks import is_ordinary, marked_days
from layers.detect.observations import date_of

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

FIRST, LAST = date(2004, 1, 1), date(2026, 11, 30)
OPTIONS = RegressionOptions(detector="regression")
WEEK = np.array([1.35, 1.1, 1.05, 1.0, 1.0, 0.9, 0.6])  # Monday first
SEASON = 0.3  # amplitude over a year
# Of the day's usual; a holiday has its share of a Sunday.
HOLIDAYS = {
    DayKind.TET: 0.2,
    DayKind.HOLIDAY: 0.7,
    DayKind.AFTER_HOLIDAY: 1.2,
    DayKind.AFTER_TET: 0.8,
    DayKind.BEFORE_TET: 1.1,
}
_SUNDAY = 6
_RESTS = (DayKind.HOLIDAY, DayKind.TET)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
KINDS = (*WEEKDAYS, *(kind.replace("_", " ") for kind in DayKind if kind is not DayKind.ORDINARY))
LEVEL = 0.05
RARE = 0.001
# Of the one series among 101 that alarms at the least tier, once in 30 days.
WATCH = 1 / (30 * 101 * 4 / 3)
RISE = 5  # standard deviations of a day of its kind


@dataclass(frozen=True, slots=True)
class DaysOfKind:
    """Quiet days of one kind: how many had p ≤ .05, and how many a rise of 5 sd made rare.

    p is made continuous: of counts as large, a random part (so that .05 is reached exactly).
    """

    kind: str
    days: int
    small: int  # p ≤ .05
    rare: int  # with the rise, p ≤ .001
    watched: int  # with the rise, an alert of the least tier
    ears_small: int
    ears_rare: int

    def share(self) -> float:
        """Of quiet days with p ≤ .05."""
        return self.small / self.days

    def interval(self) -> tuple[float, float]:
        """The 95 % interval of `share`. Source: Clopper & Pearson 1934."""
        low = beta.ppf(0.025, self.small, self.days - self.small + 1) if self.small else 0.0
        return float(low), float(beta.ppf(0.975, self.small + 1, self.days - self.small))

    def power(self) -> float:
        """Of days with the rise on which p ≤ .001."""
        return self.rare / self.days

    def __add__(self, other: "DaysOfKind") -> "DaysOfKind":
        return DaysOfKind(
            self.kind, self.days + other.days, self.small + other.small, self.rare + other.rare,
            self.watched + other.watched, self.ears_small + other.ears_small,
            self.ears_rare + other.ears_rare,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class OrdinaryDays:
    """Quiet days of series of so many reports a day, with so much variance over the mean."""

    per_day: float
    dispersion: float
    kinds: tuple[DaysOfKind, ...]


def ordinary_days(
    per_day: float,
    dispersion: float,
    seed: int,
    first: date = FIRST,
    last: date = LAST,
    every: int = 3,
) -> dict[str, DaysOfKind]:
    """The days from `first` to `last`, by weekday and by kind of holiday.

    Of ordinary days one in so many is judged, of the others each.
    """
    random = np.random.default_rng([seed, int(per_day), int(10 * dispersion)])
    begin, end = _number(first) - days_read(OPTIONS), _number(last)
    mean = _means(begin, end, per_day, random.uniform(0, 365))
    counts = _counts(mean, dispersion, random)
    found: dict[str, DaysOfKind] = {}
    for day in range(_number(first), end + 1):
        if is_ordinary(day) and day % every:
            continue
        until = day - begin + 1
        rise = math.ceil(RISE * math.sqrt(dispersion * mean[until - 1]))
        one = _judged(_kind(day), counts[:until], day, rise, random.uniform())
        found[one.kind] = found[one.kind] + one if one.kind in found else one
    return {kind: found[kind] for kind in KINDS if kind in found}


def together(parts: Iterable[dict[str, DaysOfKind]]) -> tuple[DaysOfKind, ...]:
    """The days of several series as those of one."""
    sums: dict[str, DaysOfKind] = {}
    for part in parts:
        for kind, one in part.items():
            sums[kind] = sums[kind] + one if kind in sums else one
    return tuple(sums[kind] for kind in KINDS if kind in sums)


def _judged(kind: str, counts: Counts, day: int, rise: int, part: float) -> DaysOfKind:
    known = counts[-days_read(OPTIONS, day) :]
    days = marked_days(day - len(known) + 1, day, OPTIONS)
    regression = newest_regression(known, days)
    ears = newest_ears(known[-64:])
    assert regression is not None and ears is not None
    risen = np.array([counts[-1] + rise])
    p = float(regression.p_of(risen)[0])
    return DaysOfKind(
        kind, 1, _continuous(regression, part) <= LEVEL, p <= RARE, p <= WATCH,
        _continuous(ears, part) <= LEVEL, bool(ears.p_of(risen)[0] <= RARE),
    )  # fmt: skip


def _continuous(found: Newest, part: float) -> float:
    as_many, more = found.p_of(np.array([found.count, found.count + 1]))
    return float(more + part * (as_many - more))


def _kind(day: int) -> str:
    at = date_of(day)
    kind = day_kind(at)
    return WEEKDAYS[at.weekday()] if kind is DayKind.ORDINARY else kind.replace("_", " ")


def _means(first: int, last: int, per_day: float, phase: float) -> Floats:
    at = np.arange(first, last + 1)
    season = 1 + SEASON * np.sin(2 * np.pi * (at + phase) / 365)
    factors = np.array([_factor(day) for day in at.tolist()])
    return np.asarray(per_day * season * factors, float)


@cache
def _factor(day: int) -> float:
    """Of the usual, by weekday and holiday."""
    at = date_of(day)
    kind = day_kind(at)
    weekday = _SUNDAY if kind in _RESTS else at.weekday()
    return float(WEEK[weekday] * HOLIDAYS.get(kind, 1.0))


def _counts(mean: Floats, dispersion: float, random: np.random.Generator) -> Counts:
    if dispersion == 1:
        return random.poisson(mean)
    return random.negative_binomial(mean / (dispersion - 1), 1 / dispersion)


def _number(day: date) -> int:
    return (day - date(1970, 1, 1)) // timedelta(days=1)
