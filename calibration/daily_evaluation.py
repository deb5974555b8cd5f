"""A stream watched as the service does, but evaluated once a day rather than at each report.

So a recurrence interval is 1/p here. See calibration.service_evaluations for those at each report.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import h3
import numpy as np
import pandas as pd

from calibration.province import Counts, Events, Floats, Province
from gis.alerts.findings import Findings, Signal
from gis.alerts.policy import DAYS_A_YEAR, Policy, Tier
from gis.alerts.replay import ReplayedAlerts
from gis.analysis import Null, stp_scan, weekday_strata
from layers.definition.model import ScanOptions
from layers.detect.null_distribution import ENOUGH
from layers.detect.scan import LONGEST_DAYS, SURE_P

_SERVICE = ScanOptions()
WINDOW_DAYS = _SERVICE.window_days
RADIUS_M = 1000.0 * _SERVICE.max_radius_km
CYLINDER_DAYS = _SERVICE.max_days
CLUSTERS = _SERVICE.clusters
LEAST_P = 1 / LONGEST_DAYS
DAY_LIMITS = (30, 100, 365)
STOP = ENOUGH


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster of an evaluation; `hexes` and `centre` are rows of the province's hexes."""

    p: float
    hexes: frozenset[int]
    centre: int
    radius: float  # metres
    days: int
    observed: int
    expected: float


@dataclass(frozen=True, slots=True)
class DailyEvaluation:
    """Clusters of one day, the most likely first; `p` is of that one, 1 without any."""

    day: int
    clusters: tuple[Cluster, ...]

    @property
    def p(self) -> float:
        return self.clusters[0].p if self.clusters else 1.0

    @property
    def hexes(self) -> frozenset[int]:
        """Hexes of the most likely cluster."""
        return self.clusters[0].hexes if self.clusters else frozenset()


@dataclass(frozen=True, slots=True)
class Raised:
    """One distinct signal: the first evaluation that made it one, and the cluster then."""

    day: int
    cluster: Cluster


def evaluate(
    where: Province, events: Events, day: int, null: Null | Floats, stratified: bool = False
) -> DailyEvaluation:
    """Scan the window that ends on `day`."""
    known = events.between(day - WINDOW_DAYS + 1, day)
    at, place = np.unique(known.place, return_inverse=True)
    first = day - CYLINDER_DAYS + 1
    areas = where.town[known.place]
    strata = weekday_strata(areas, known.day, before=first) if stratified else None
    clusters = stp_scan(
        place, known.day, where.xy[at], max_radius=RADIUS_M, max_days=CYLINDER_DAYS,
        last_day=day, strata=strata, null=null, max_clusters=CLUSTERS,
    )  # fmt: skip
    return DailyEvaluation(day, tuple(_cluster(where, at, row) for _, row in clusters.iterrows()))


def _cluster(where: Province, at: Counts, row: pd.Series) -> Cluster:
    centre = int(at[int(row["centre"])])
    away = np.hypot(*(where.xy[at] - where.xy[centre]).T)
    hexes = frozenset(at[away <= row["radius"] * (1 + 1e-9)].tolist())
    rare = row["p"] < SURE_P and np.isfinite(row["p_tail"])
    p = max(float(row["p_tail"]), LEAST_P) if rare else float(row["p"])
    radius, expected = float(row["radius"]), float(row["expected"])
    return Cluster(p, hexes, centre, radius, int(row["days"]), int(row["observed"]), expected)


def alarms(evaluations: Iterable[DailyEvaluation], days: int) -> list[DailyEvaluation]:
    """Evaluations with a recurrence interval of at least `days`."""
    return [one for one in evaluations if one.p * days <= 1]


def runs(evaluations: Iterable[DailyEvaluation], days: int) -> int:
    """Number of runs of alarms: those that may share a report of the last days count once."""
    at = [one.day for one in alarms(evaluations, days)]
    return len(at) and 1 + int((np.diff(at) >= CYLINDER_DAYS).sum())


def signals(where: Province, evaluations: Iterable[DailyEvaluation], days: int) -> list[Raised]:
    """Distinct signals: alerts of the service that ever had a recurrence interval of `days`.

    The same identity and life: one that goes on, moves a little or comes back within days is one.
    """
    policy = Policy(false_alerts_a_year=DAYS_A_YEAR / days, watch_days=min(30, days))
    ledger, raised = ReplayedAlerts(), dict[int, Raised]()
    for one in evaluations:
        for step in ledger.apply(_findings(where, one, policy)):
            number, signal = step.alert.id, step.alert.signal
            rare = signal.tier.rank >= Tier.ALERT.rank and signal.until == _instant(one.day)
            if rare and number:
                found = one.clusters[int(signal.measures["rank"])]
                raised.setdefault(number, Raised(one.day, found))
    return list(raised.values())


def _findings(where: Province, one: DailyEvaluation, policy: Policy) -> Findings:
    signals = []
    for rank, each in enumerate(one.clusters):
        tier = policy.tier(1 / each.p, each.observed, each.expected)
        if tier is not None:
            signals.append(_signal(where, one.day, each, tier, rank))
    return Findings("calibration", "scan", _instant(one.day), True, True, tuple(signals), policy)


def _signal(where: Province, day: int, one: Cluster, tier: Tier, rank: int) -> Signal:
    lat, lon = h3.cell_to_latlng(h3.int_to_str(int(where.cells[one.centre])))
    return Signal(
        tier=tier, observed=one.observed, since=_instant(day - one.days), until=_instant(day),
        headline_vi="", headline_en="", cells=tuple(where.cells[list(one.hexes)].tolist()),
        centre=(lon, lat), radius_m=one.radius, p=one.p, recurrence_days=1 / one.p,
        measures={"rank": rank},
    )  # fmt: skip


def _instant(day: int) -> datetime:
    """The end of a day."""
    return datetime(2000, 1, 1, tzinfo=UTC) + timedelta(days=day + 1)


def jaccard(one: frozenset[int], two: frozenset[int]) -> float:
    """Shared hexes over all hexes."""
    return len(one & two) / max(len(one | two), 1)
