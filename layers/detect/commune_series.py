"""Alarms by commune: for each stream a series of counts a commune, and one of the whole province.

What a scan cannot see, a rise everywhere, is seen by the series of the province. Communes also
count the records whose place is known to the commune alone.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, fields, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from gis import analysis
from layers.definition.model import EarsOptions, FarringtonOptions, SeriesOptions
from layers.detect.observations import Observations, day_numbers, evidence_rows
from layers.detect.scan import LONGEST_DAYS

Counts = npt.NDArray[np.int64]

PROVINCE = ""  # in place of a commune's code
_WEEK = 7
_BEGINNING = 35  # days before those compared, so that a stream's first record tells when it began


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

    @property
    def rise(self) -> float:
        """Records beyond what is usual."""
        return max(self.observed - self.expected, 0.0)

    def without(self, commune: "SeriesResult", size: int) -> "SeriesResult":
        """The province without the rise of a commune that is a finding by itself."""
        elsewhere = min(int(commune.rise), self.newest.count)
        left = np.array([self.newest.count - elsewhere])
        rarity = recurrence_days(float(self.newest.p_of(left)[0]), size)
        return replace(self, recurrence_days=rarity, apart=commune.commune, elsewhere=elsewhere)


def recurrence_days(p: float, size: int) -> float:
    """Days between the like in any of so many series by chance; a century says all."""
    return 1 / max(p * size, 1 / LONGEST_DAYS)


@dataclass(frozen=True, slots=True)
class StreamSeries:
    """The series of one stream at one evaluation that have a record, of `size` in all."""

    stream: str
    size: int
    judged: tuple[SeriesResult, ...]

    @property
    def p(self) -> float | None:
        """Probability that chance makes any of the series as unusual; None without any record."""
        each = [one.p for one in self.judged]
        return min(1.0, self.size * min(each)) if each else None


def days_read(options: SeriesOptions) -> int:
    """Days of records that a run reads, today's included."""
    if isinstance(options, FarringtonOptions):
        return _WEEK * (52 * options.years + 4) + _BEGINNING
    summed = _span(options) + (2 if isinstance(options, EarsOptions) else 0)
    return options.baseline_days + summed + _BEGINNING


def series_input(records: Observations) -> pd.DataFrame:
    """The input of the series, to be stored: id, stream, commune, day, counted.

    Days are numbered, and those on which records were received.
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
            "counted": rows["in_commune"].astype(bool),
        }
    ).sort_values("id", ignore_index=True)


def series_of(
    frame: pd.DataFrame,
    options: SeriesOptions,
    last_day: int,
    communes: int,
    only: Collection[str] | None = None,
) -> Iterator[StreamSeries]:
    """The series of each stream of an input, by name, in a province of so many communes.

    `only`: those with such names; None: all.

    The series begin with the first record of any stream: the time before is no time of zeros.
    """
    frame = frame[(frame["day"] <= last_day) & (frame["day"] > last_day - days_read(options))]
    first = int(frame["day"].min()) if len(frame) else last_day
    names = set(frame["stream"].unique())
    for name in sorted(names if only is None else names.intersection(only)):
        view = _View(name, options, first, last_day, communes + 1)
        rows = _Rows.of(frame[frame["stream"] == name])
        yield StreamSeries(name, view.size, tuple(_judged(view, rows)))


@dataclass(frozen=True, slots=True)
class _View:
    """What all series of a stream share: name, options, days and size."""

    stream: str
    options: SeriesOptions
    first_day: int
    last_day: int
    size: int


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
    for commune in [PROVINCE, *sorted({str(one) for one in lately} - {PROVINCE})]:
        own = rows if commune == PROVINCE else rows.where(rows.commune == commune)
        newest = _newest(_counts(own.day[own.counted], view), view.options)
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
        recurrence_days=recurrence_days(p, view.size),
        records=tuple(sorted(rows.id[rows.day > view.last_day - days].tolist())),
        newest=newest,
    )


def _counts(days: Counts, view: _View) -> Counts:
    """Records by day, or by week of seven days that ends with the last one."""
    length = view.last_day - view.first_day + 1
    daily = np.bincount(days - view.first_day, minlength=length).astype(np.int64)
    if not isinstance(view.options, FarringtonOptions):
        return daily
    weeks: Counts = daily[len(daily) % _WEEK :].reshape(-1, _WEEK).sum(axis=1)
    return weeks


def _newest(counts: Counts, options: SeriesOptions) -> "analysis.Newest | None":
    match options:
        case EarsOptions():
            return analysis.newest_ears(
                counts, method=options.variant, baseline=options.baseline_days
            )
        case FarringtonOptions():
            return analysis.newest_farrington(
                counts, years=options.years, flexible=options.flexible
            )
    return analysis.newest_cusum(
        counts, baseline=options.baseline_days, steps=options.max_days, ratio=options.ratio
    )


def _span(options: SeriesOptions) -> int:
    """Days that are judged together, at most."""
    match options:
        case EarsOptions():
            return 3 if options.variant == "C3" else 1
        case FarringtonOptions():
            return _WEEK
    return options.max_days
