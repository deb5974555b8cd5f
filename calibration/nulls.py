"""Nulls A and B: streams without an outbreak, watched for years."""

from dataclasses import dataclass

import numpy as np

from calibration.province import Province, lumpy, quiet
from calibration.watch import DAY_LIMITS, WINDOW_DAYS, Look, alarms, look, signals
from gis.analysis import Null

YEAR = 365


@dataclass(frozen=True, slots=True)
class Quiet:
    """What a stream without an outbreak raised: `p` of each day, and counts by limit."""

    kind: str
    per_day: float
    p: tuple[float, ...]
    alarm_days: dict[int, int]
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

    Looked at `every` so many days: looks a week apart hardly depend on each other, so as many of
    them say more about how often p is rare than looks day after day.
    """
    random = np.random.default_rng([seed, ord(kind), int(per_day)])
    make = quiet if kind == "A" else lumpy
    events = make(where, per_day, days + WINDOW_DAYS, random).counted()
    looks: list[Look] = [
        look(where, events, day, Null(replicates, 50, seed * 1000 + day))
        for day in range(WINDOW_DAYS, WINDOW_DAYS + days, every)
    ]
    return Quiet(
        kind,
        per_day,
        tuple(one.p for one in looks),
        {limit: len(alarms(looks, limit)) for limit in DAY_LIMITS},
        {limit: signals(where, looks, limit) for limit in DAY_LIMITS},
        every,
    )
