"""Nulls A and B: streams without an outbreak, watched for years."""

from dataclasses import dataclass

import numpy as np

from calibration.daily_evaluation import (
    DAY_LIMITS,
    STOP,
    WINDOW_DAYS,
    DailyEvaluation,
    alarms,
    evaluate,
    runs,
    signals,
)
from calibration.province import Province, lumpy, quiet
from gis.analysis import Null

YEAR = 365


@dataclass(frozen=True, slots=True)
class QuietStream:
    """Alarms of a stream without an outbreak: `p` of each evaluation, and counts by limit in days.

    `runs`: alarms that may share a report count once; `distinct`: alerts, as the service has them.
    """

    kind: str
    per_day: float
    p: tuple[float, ...]
    alarm_days: dict[int, int]
    runs: dict[int, int]
    distinct: dict[int, int]
    every: int = 1  # days from one evaluation to the next


def quiet_stream(
    where: Province,
    kind: str,
    per_day: float,
    seed: int,
    days: int = YEAR,
    replicates: int = 999,
    every: int = 1,
) -> QuietStream:
    """One stream of null `kind` (A or B) over `days` days, after a window to begin with.

    Evaluated each `every` days: two evaluations that share none of the last days hardly depend on
    each other, so as many of them say more about how often p is rare than evaluations day by day.
    """
    random = np.random.default_rng([seed, ord(kind), int(per_day)])
    make = quiet if kind == "A" else lumpy
    events = make(where, per_day, days + WINDOW_DAYS, random).counted()
    evaluations: list[DailyEvaluation] = [
        evaluate(where, events, day, Null(replicates, STOP, seed * 10_000 + day))
        for day in range(WINDOW_DAYS, WINDOW_DAYS + days, every)
    ]
    return QuietStream(
        kind,
        per_day,
        tuple(one.p for one in evaluations),
        {limit: len(alarms(evaluations, limit)) for limit in DAY_LIMITS},
        {limit: runs(evaluations, limit) for limit in DAY_LIMITS},
        {limit: len(signals(where, evaluations, limit)) for limit in DAY_LIMITS},
        every,
    )
