"""Nulls A and B: streams without an outbreak, watched for years."""

from dataclasses import dataclass

import numpy as np

from calibration.province import Province, lumpy, quiet
from calibration.watch import DAY_LIMITS, STOP, WINDOW_DAYS, Look, alarms, look, runs, signals
from gis.analysis import Null

YEAR = 365


@dataclass(frozen=True, slots=True)
class Quiet:
    """What a stream without an outbreak raised: `p` of each look, and counts by limit in days.

    `runs`: alarms that may share a report count once; `distinct`: alerts, as the service has them.
    """

    kind: str
    per_day: float
    p: tuple[float, ...]
    alarm_days: dict[int, int]
    runs: dict[int, int]
    distinct: dict[int, int]
    every: int = 1  # days from look to look


def watched(
    where: Province,
    kind: str,
    per_day: float,
    seed: int,
    days: int = YEAR,
    replicates: int = 999,
    every: int = 1,
) -> Quiet:
    """One stream of null `kind` (A or B) over `days` days, after a window to begin with.

    Looked at `every` so many days: two looks that share none of the last days hardly depend on each
    other, so as many of them say more about how often p is rare than looks day after day.
    """
    random = np.random.default_rng([seed, ord(kind), int(per_day)])
    make = quiet if kind == "A" else lumpy
    events = make(where, per_day, days + WINDOW_DAYS, random).counted()
    looks: list[Look] = [
        look(where, events, day, Null(replicates, STOP, seed * 10_000 + day))
        for day in range(WINDOW_DAYS, WINDOW_DAYS + days, every)
    ]
    return Quiet(
        kind,
        per_day,
        tuple(one.p for one in looks),
        {limit: len(alarms(looks, limit)) for limit in DAY_LIMITS},
        {limit: runs(looks, limit) for limit in DAY_LIMITS},
        {limit: len(signals(where, looks, limit)) for limit in DAY_LIMITS},
        every,
    )
