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


def watched(
    where: Province, kind: str, per_day: float, seed: int, days: int = YEAR, replicates: int = 999
) -> Quiet:
    """One stream of null `kind` (A or B) over `days` days, after a window to begin with."""
    random = np.random.default_rng([seed, ord(kind), int(per_day)])
    make = quiet if kind == "A" else lumpy
    events = make(where, per_day, days + WINDOW_DAYS, random).counted()
    looks: list[Look] = [
        look(where, events, day, Null(replicates, 50, seed * 1000 + day))
        for day in range(WINDOW_DAYS, WINDOW_DAYS + days)
    ]
    return Quiet(
        kind,
        per_day,
        tuple(one.p for one in looks),
        {limit: len(alarms(looks, limit)) for limit in DAY_LIMITS},
        {limit: signals(where, looks, limit) for limit in DAY_LIMITS},
    )
