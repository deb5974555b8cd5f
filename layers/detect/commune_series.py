"""Alarms by commune: for each stream a series of counts a commune, and one of the whole province.

What a scan cannot see, a rise everywhere, is seen by the series of the province. Communes also
count the records whose place is known to the commune alone.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, fields, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from gis import analysis
from layers.definition.model import (
    CusumOptions,
    EarsOptions,
    FarringtonOptions,
    RegressionOptions,
    SeriesOptions,
)
from layers.detect.day_marks import is_ordinary, marked_days
from layers.detect.observations import Observations, day_numbers, evidence_rows, minutes_of_day
from layers.detect.scan import LONGEST_DAYS

Counts = npt.NDArray[np.int64]

PROVINCE = ""  # in place of a commune's code
_WEEK = 7
_BEGINNING = 35  # days before those compared, so that a stream's first record tells when it began
_YEAR = 366
_GAP = 2  # days between the past and the day judged, of EARS and regression
END_OF_DAY = 24 * 60  # minutes
# A day under way is compared with the same hours of other days, in parts of six hours; so a day is
# judged four times. Three quarters of the false alarms that the budget allows are left to the whole
# day, of which most is known; the parts share the rest: 3/12 + 1/(4/3) = 1.
_PART = 6 * 60
_LOOKS_OF_PART, _LOOKS_OF_DAY = 12.0, 4 / 3


@dataclass(frozen=True, slots=True)
class SeriesResult:
    """One series in its last `days`: `observed` records (after the quality filter), and how many
    are `expected` by its past.

    `p` is of this series alone, `recurrence_days` of the like in any series of its stream.
    `records` are the ids of all evidence, repeats included. `apart`: the commune whose rise,
    of `elsewhere` records, `recurrence_days` leaves out.
    """

    stream: str
    commune: str  # code; PROVINCE is the whole of it
    days: int
    observed: int
    expected: float
    p: float
    recurrence_days: float
    records: tuple[int, ...]
    newest: "analysis.Newest" = field(compare=False)
    apart: str | None = None
    elsewhere: int = 0
    until_hour: int = 24  # of the newest day; 24: all of it

    @property
    def rise(self) -> float:
        """Records beyond what is usual."""
        return max(self.observed - self.expected, 0.0)

    def without(self, commune: "SeriesResult", size: float) -> "SeriesResult":
        """The province without the rise of a commune that is a finding by itself."""
        elsewhere = min(int(commune.rise), self.newest.count)
        left = np.array([self.newest.count - elsewhere])
        rarity = recurrence_days(float(self.newest.p_of(left)[0]), size)
        return replace(self, recurrence_days=rarity, apart=commune.commune, elsewhere=elsewhere)


def recurrence_days(p: float, size: float) -> float:
    """Days between the like in any of so many series by chance; a century says all."""
    return 1 / max(p * size, 1 / LONGEST_DAYS)


@dataclass(frozen=True, slots=True)
class StreamSeries:
    """The series of one stream at one evaluation that have a record, of `size` in all.

    `looks`: evaluations a day that share the chance of a false alarm, as this one weighs.
    """

    stream: str
    size: int
    judged: tuple[SeriesResult, ...]
    looks: float = 1.0

    @property
    def tries(self) -> float:
        """Chances a day of a p as small as one that is found here."""
        return self.size * self.looks

    @property
    def p(self) -> float | None:
        """Probability that chance makes any of the series as unusual; None without any record."""
        each = [one.p for one in self.judged]
        return min(1.0, self.size * min(each)) if each else None


def days_read(options: SeriesOptions, last_day: int | None = None) -> int:
    """Days of records that a run of `last_day` reads, that one included; None: at most."""
    if isinstance(options, RegressionOptions):
        years = 0 if last_day is not None and is_ordinary(last_day) else options.years
        return _YEAR * years + options.baseline_days + _GAP + 1 + _BEGINNING
    if isinstance(options, FarringtonOptions):
        return _WEEK * (52 * options.years + 4) + _BEGINNING
    summed = _span(options) + (_GAP if isinstance(options, EarsOptions) else 0)
    return options.baseline_days + summed + _BEGINNING


def series_input(records: Observations) -> pd.DataFrame:
    """The input of the series, to be stored: id, stream, commune, day, minute, counted.

    Days are numbered, and those on which records were received, as are the minutes of the day.
    """
    rows = pd.concat(
        [evidence_rows(records.rows), records.rows[records.rows["reason"] == "coarse"]]
    )
    return pd.DataFrame(
        {
            "id": rows["id"].astype(np.int64),
            "stream": rows["category"].astype(str),
            "commune": rows["commune"].fillna(PROVINCE).astype(str),
            "day": day_numbers(rows["received_at"]),
            "minute": minutes_of_day(rows["received_at"]),
            "counted": rows["in_commune"].astype(bool),
        }
    ).sort_values("id", ignore_index=True)


def series_of(
    frame: pd.DataFrame,
    options: SeriesOptions,
    last_day: int,
    communes: int,
    only: Collection[str] | None = None,
    minute: int = END_OF_DAY,
) -> Iterator[StreamSeries]:
    """The series of each stream of an input, by name, in a province of so many communes.

    `only`: those with such names; None: all. `minute` of the last day at which they are evaluated.

    The series begin with the first record of any stream: the time before is no time of zeros.
    """
    earliest = last_day - days_read(options, last_day)
    frame = frame[(frame["day"] <= last_day) & (frame["day"] > earliest)]
    first = int(frame["day"].min()) if len(frame) else last_day
    names = set(frame["stream"].unique())
    hour, looks = 24, 1.0
    if isinstance(options, RegressionOptions):
        hour = min(minute // _PART + 1, END_OF_DAY // _PART) * _PART // 60
        looks = _LOOKS_OF_DAY if hour == 24 else _LOOKS_OF_PART
        frame = frame[frame["minute"] < 60 * hour] if hour < 24 else frame
    for name in sorted(names if only is None else names.intersection(only)):
        view = _View(name, options, first, last_day, communes + 1, hour, looks)
        rows = _Rows.of(frame[frame["stream"] == name])
        yield StreamSeries(name, view.size, tuple(_judged(view, rows)), looks)


@dataclass(frozen=True, slots=True)
class _View:
    """What all series of a stream share: name, options, days, size, hours of a day and looks."""

    stream: str
    options: SeriesOptions
    first_day: int
    last_day: int
    size: int
    hour: int
    looks: float


@dataclass(frozen=True, slots=True)
class _Rows:
    """Records of one stream, a column each: a commune takes its own in no time."""

    id: Counts
    day: Counts
    counted: npt.NDArray[np.bool_]
    commune: npt.NDArray[np.str_]

    @classmethod
    def of(cls, frame: pd.DataFrame) -> "_Rows":
        id_, day = frame["id"].to_numpy(np.int64), frame["day"].to_numpy(np.int64)
        return cls(id_, day, frame["counted"].to_numpy(bool), frame["commune"].to_numpy(str))

    def where(self, chosen: npt.NDArray[np.bool_]) -> "_Rows":
        return _Rows(*(getattr(self, one.name)[chosen] for one in fields(self)))


def _judged(view: _View, rows: _Rows) -> Iterator[SeriesResult]:
    """The province, then the communes that have a record in the days judged."""
    lately = rows.commune[rows.counted & (rows.day > view.last_day - _span(view.options))]
    newest_of = _detector(view, _counts(rows.day[rows.counted], view))
    for commune in [PROVINCE, *sorted({str(one) for one in lately} - {PROVINCE})]:
        own = rows if commune == PROVINCE else rows.where(rows.commune == commune)
        newest = newest_of(_counts(own.day[own.counted], view))
        if newest is not None and newest.observed:
            yield _one(view, commune, newest, own)


def _one(view: _View, commune: str, newest: "analysis.Newest", rows: _Rows) -> SeriesResult:
    days = newest.steps * (_WEEK if isinstance(view.options, FarringtonOptions) else 1)
    p = newest.p
    return SeriesResult(
        stream=view.stream,
        commune=commune,
        days=days,
        observed=newest.observed,
        expected=newest.expected,
        p=p,
        recurrence_days=recurrence_days(p, view.size * view.looks),
        records=tuple(sorted(rows.id[rows.day > view.last_day - days].tolist())),
        newest=newest,
        until_hour=view.hour,
    )


def _counts(days: Counts, view: _View) -> Counts:
    """Records by day, or by week of seven days that ends with the last one."""
    length = view.last_day - view.first_day + 1
    daily = np.bincount(days - view.first_day, minlength=length).astype(np.int64)
    if not isinstance(view.options, FarringtonOptions):
        return daily
    weeks: Counts = daily[len(daily) % _WEEK :].reshape(-1, _WEEK).sum(axis=1)
    return weeks


def _detector(view: _View, stream: Counts) -> "Callable[[Counts], analysis.Newest | None]":
    """What judges the counts of a series; `stream`: those of all its series together."""
    match view.options:
        case RegressionOptions() as options:
            days = marked_days(view.first_day, view.last_day, options)
            usual = analysis.usual_days(stream, days)
            return lambda counts: analysis.newest_regression(counts, days, usual)
        case EarsOptions(variant=variant, baseline_days=baseline):
            return lambda counts: analysis.newest_ears(counts, method=variant, baseline=baseline)
        case FarringtonOptions(years=years, flexible=flexible):
            return lambda counts: analysis.newest_farrington(counts, years=years, flexible=flexible)
        case CusumOptions(baseline_days=baseline, max_days=steps, ratio=ratio):
            return lambda counts: analysis.newest_cusum(
                counts, baseline=baseline, steps=steps, ratio=ratio
            )


def _span(options: SeriesOptions) -> int:
    """Days that are judged together, at most."""
    match options:
        case EarsOptions():
            return 3 if options.variant == "C3" else 1
        case FarringtonOptions():
            return _WEEK
        case RegressionOptions():
            return 1
    return options.max_days
