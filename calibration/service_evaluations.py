"""Quiet streams evaluated as the service does: as a day begins, and after each report."""

from collections.abc import Iterator
from dataclasses import dataclass

import h3
import numpy as np
import pandas as pd

from calibration.daily_evaluation import WINDOW_DAYS
from calibration.province import Events, Province, quiet
from gis.alerts.policy import EVALUATIONS_A_DAY
from layers.definition.model import ScanOptions
from layers.detect.null_distribution import scan_day
from layers.detect.scan import Stream, streams_of

APART_DAYS = 15  # days that share none of the last 14 hardly depend on each other


@dataclass(frozen=True, slots=True)
class EvaluatedDays:
    """Quiet days of null A: the number of evaluations, the least p of each day and the last one.

    Values above 1/30 are of fewer than all replicates.
    """

    per_day: float
    evaluations: int
    least: tuple[float, ...]
    last: tuple[float, ...]

    @property
    def days(self) -> int:
        return len(self.last)

    def alarms(self, limit: int, *, last: bool = False, factor: float = EVALUATIONS_A_DAY) -> int:
        """Days with a recurrence interval 1/(factor·p) of `limit` days, at any time or at the end.

        By default with the service's own factor, in any evaluation.
        """
        return sum(factor * p * limit <= 1 for p in (self.last if last else self.least))


def together(parts: list[EvaluatedDays]) -> EvaluatedDays:
    """The days of several streams as of one of them; its reports a day are those on average."""
    days = sum(one.days for one in parts)
    return EvaluatedDays(
        sum(one.per_day * one.days for one in parts) / days,
        sum(one.evaluations for one in parts),
        tuple(p for one in parts for p in one.least),
        tuple(p for one in parts for p in one.last),
    )


def evaluated_days(
    where: Province, per_day: float, seed: int, days: int, replicates: int = 999
) -> EvaluatedDays:
    """Days of one stream of null A, 15 days apart, after a window to begin with.

    Evaluations, nulls and p are those of the service's own functions: the null of the day's first
    evaluation judges the others until there are 2 % more cases.
    """
    random = np.random.default_rng([seed, ord("L"), int(per_day)])
    length = WINDOW_DAYS + APART_DAYS * days
    frame = _alarm_input(where, quiet(where, per_day, length, random).counted(), random)
    options = ScanOptions(replicates=replicates, seed=seed)
    by_day = [_p_values(frame, day, options) for day in range(WINDOW_DAYS, length, APART_DAYS)]
    return EvaluatedDays(
        per_day,
        sum(len(p) for p in by_day),
        tuple(min(p) for p in by_day),
        tuple(p[-1] for p in by_day),
    )


def _p_values(frame: pd.DataFrame, day: int, options: ScanOptions) -> list[float]:
    """p of each evaluation of a day."""
    begin, end = frame["day"].searchsorted([day, day + 1])

    def states() -> Iterator[Stream]:
        for known in range(begin, end + 1):
            yield from streams_of(frame[:known], options, day)

    return [1.0 if scan.p is None else scan.p for scan in scan_day(states(), options)]


def _alarm_input(where: Province, events: Events, random: np.random.Generator) -> pd.DataFrame:
    """Input of the alarm, in the order in which it came: by day, and at random within a day."""
    shuffled = random.permutation(len(events.day))
    order = shuffled[np.argsort(events.day[shuffled], kind="stable")]
    place = events.place[order]
    cells = {at: _child(int(where.cells[at])) for at in np.unique(place).tolist()}
    return pd.DataFrame(
        {
            "id": np.arange(len(order)),
            "stream": "quiet",
            "cell": np.array([cells[at] for at in place.tolist()], np.int64),
            "day": events.day[order],
            "commune": where.town[place].astype(str),
            "in_alarm": True,
        }
    )


def _child(cell: int) -> int:
    """A hex of resolution 11 in it."""
    return int(h3.str_to_int(h3.cell_to_center_child(h3.int_to_str(cell), 11)))
