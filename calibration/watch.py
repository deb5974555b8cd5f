"""A stream watched day after day, as the service does."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from calibration.province import Counts, Events, Floats, Province
from gis.analysis import Null, stp_scan, weekday_strata

WINDOW_DAYS = 90
RADIUS_M = 10_000.0
CYLINDER_DAYS = 14
SURE_P = 0.01  # below it few replicates decide, and the law of their tail says more
DAY_LIMITS = (30, 100, 365)


@dataclass(frozen=True, slots=True)
class Look:
    """One day's look: its p, and the most likely cluster as rows of the province's hexes."""

    day: int
    p: float
    p_replicates: float
    hexes: frozenset[int]
    centre: int
    radius: float


def look(
    where: Province, events: Events, day: int, null: Null | Floats, stratified: bool = False
) -> Look:
    """Scan the window that ends on `day`; p is 1 where nothing is in excess."""
    known = events.between(day - WINDOW_DAYS + 1, day)
    at, place = np.unique(known.place, return_inverse=True)
    strata = weekday_strata(where.town[known.place], known.day) if stratified else None
    found = stp_scan(
        place, known.day, where.xy[at], max_radius=RADIUS_M, max_days=CYLINDER_DAYS,
        last_day=day, strata=strata, null=null, max_clusters=1,
    )  # fmt: skip
    if found.empty:
        return Look(day, 1.0, 1.0, frozenset(), -1, 0.0)
    return _told(where, at, day, found.iloc[0])


def _told(where: Province, at: Counts, day: int, first: pd.Series) -> Look:
    centre = int(at[int(first["centre"])])
    away = np.hypot(*(where.xy[at] - where.xy[centre]).T)
    hexes = frozenset(at[away <= first["radius"] * (1 + 1e-9)].tolist())
    rare = first["p"] < SURE_P and np.isfinite(first["p_tail"])
    p = first["p_tail"] if rare else first["p"]
    return Look(day, float(p), float(first["p"]), hexes, centre, float(first["radius"]))


def alarms(looks: list[Look], days: int) -> list[Look]:
    """Those with a recurrence interval of at least `days`."""
    return [one for one in looks if one.p * days <= 1]


def signals(where: Province, looks: list[Look], days: int) -> int:
    """Distinct signals: alarms that are one thing, with gaps of 3 days at most, count once."""
    raised = alarms(looks, days)
    return len(raised) - sum(_same(where, one, two) for one, two in pairwise(raised))


def _same(where: Province, one: Look, two: Look) -> bool:
    apart = float(np.hypot(*(where.xy[one.centre] - where.xy[two.centre])))
    alike = jaccard(one.hexes, two.hexes) >= 0.3 or apart <= max(one.radius, two.radius)
    return two.day - one.day <= 3 and alike


def jaccard(one: frozenset[int], two: frozenset[int]) -> float:
    """Shared hexes over all hexes."""
    return len(one & two) / max(len(one | two), 1)
