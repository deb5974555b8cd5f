"""The calendar of a series: weekdays, public holidays and the days that a layer file names."""

from datetime import date, timedelta
from functools import lru_cache

import numpy as np

from gis import analysis
from gis.holidays import DayKind, day_kind
from layers.definition.model import RegressionOptions
from layers.detect.observations import date_of

_SUNDAY = 6
_RESTS = (DayKind.HOLIDAY, DayKind.TET)
_KINDS = tuple(kind for kind in DayKind if kind is not DayKind.ORDINARY)
# Of the logarithm of what a public holiday changes beside a Sunday, before any was seen: about half
# or one and a half times as many. Days around them are taken as ordinary until seen.
_UNKNOWN_REST = 0.5

type _Named = tuple[tuple[str, tuple[str, ...]], ...]


def is_ordinary(day: int) -> bool:
    """True for the number of a day that is neither a public holiday nor near one."""
    return day_kind(date_of(day)) is DayKind.ORDINARY


def marked_days(first_day: int, last_day: int, options: RegressionOptions) -> "analysis.MarkedDays":
    """The calendar of the days from `first_day` to `last_day`, by their numbers."""
    return _marked(first_day, last_day, tuple(options.local_days.items()))


@lru_cache(maxsize=8)
def _marked(first_day: int, last_day: int, local_days: _Named) -> "analysis.MarkedDays":
    dates = [date_of(day) for day in range(first_day, last_day + 1)]
    kinds = [day_kind(day) for day in dates]
    weekday = [
        _SUNDAY if kind in _RESTS else day.weekday() for day, kind in zip(dates, kinds, strict=True)
    ]
    named = [_named(days) for _, days in local_days]
    marks = [
        *([kind is one for kind in kinds] for one in _KINDS),
        *([day in some for day in dates] for some in named),
    ]
    unknown = [_UNKNOWN_REST * (kind in _RESTS) for kind in _KINDS] + [0.0] * len(named)
    return analysis.MarkedDays(np.array(weekday), np.array(marks, bool).T, np.array(unknown))


def _named(days: tuple[str, ...]) -> frozenset[date]:
    spans = [[date.fromisoformat(end) for end in text.split("/")] for text in days]
    return frozenset(
        span[0] + timedelta(days=n) for span in spans for n in range((span[-1] - span[0]).days + 1)
    )
