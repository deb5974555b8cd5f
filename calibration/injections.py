"""Outbreaks put into quiet streams: which are found, and when."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import numpy as np

from calibration.daily_evaluation import (
    CYLINDER_DAYS,
    RADIUS_M,
    WINDOW_DAYS,
    DailyEvaluation,
    evaluate,
    jaccard,
)
from calibration.province import Counts, Events, Floats, Province, quiet, within
from gis.analysis import Null, stp_null

FOLLOWED_DAYS = 14  # after the first day of an outbreak


@dataclass(frozen=True, slots=True)
class Outbreak:
    """`daily` extra reports on each day, in the hexes whose centre is within `radius_m`.

    A corridor is 10 km long and as wide as a hex, wherever it turns. The reports are such as alarms
    count, one a smaller hex and day; with `apart` off they fall anywhere, and some coincide.
    """

    name: str
    radius_m: float
    daily: tuple[int, ...]
    corridor: bool = False
    apart: bool = True

    def hexes(self, where: Province, centre: int, random: np.random.Generator) -> Counts:
        """Rows of the hexes that it strikes."""
        if not self.corridor:
            return within(where, centre, self.radius_m)
        turn = random.uniform(0, np.pi)
        along, across = ((where.xy - where.xy[centre]) @ _axes(turn)).T
        return np.flatnonzero((np.abs(along) <= 5000) & (np.abs(across) <= 500))

    def events(self, hexes: Counts, first_day: int, random: np.random.Generator) -> Events:
        """Its reports, as alarms count them."""
        slots = len(hexes) * 7
        apart = self.apart and slots >= max(self.daily)
        slot = np.concatenate(
            [random.choice(slots, extra, replace=not apart) for extra in self.daily]
        )
        day = np.repeat(first_day + np.arange(len(self.daily)), self.daily)
        return Events(hexes[slot // 7], day, slot % 7).counted()


def _axes(turn: float) -> Floats:
    return np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])


def burst(radius_km: float, days: int, extra: int) -> Outbreak:
    """`extra` reports spread evenly over `days`."""
    daily = tuple(extra // days + (day < extra % days) for day in range(days))
    return Outbreak(f"{radius_km:g} km, {days} d, {extra}", 1000 * radius_km, daily)


MERGED = Outbreak("0.5 km, 1 d, 6, some at one place", 500.0, (6,), apart=False)
RAMP = Outbreak("ramp, 2 km, +1 a day each day", 2000.0, tuple(range(1, 11)))
CORRIDOR = Outbreak("corridor, 10 km, 3 d, 15", 0.0, (5, 5, 5), corridor=True)


@dataclass(frozen=True, slots=True)
class Detections:
    """Detections of an outbreak: the day of each trial (1: the first), or None, and the overlap."""

    outbreak: Outbreak
    per_day: float
    days: tuple[int | None, ...]
    overlap: tuple[float, ...]

    def power(self, by_day: int | None = None) -> float:
        """Share found by a day; by default by the last day of the outbreak, at least 3."""
        last = max(3, len(self.outbreak.daily)) if by_day is None else by_day
        return sum(day is not None and day <= last for day in self.days) / len(self.days)

    def median_day(self) -> float:
        """Infinite where fewer than half were found."""
        return median(np.inf if day is None else day for day in self.days)


def detections(
    where: Province,
    per_day: float,
    outbreaks: list[Outbreak],
    seed: int,
    trials: int,
    min_days: int = 100,
) -> Iterator[Detections]:
    """Each outbreak `trials` times in one quiet stream, at places chosen by people.

    The null is that of the stream without the outbreak, precomputed as by the service. A detection
    is an alarm of at least `min_days` whose cluster holds a hex of the outbreak.
    """  # fmt: skip
    random = np.random.default_rng([seed, int(per_day)])
    base = quiet(where, per_day, WINDOW_DAYS + FOLLOWED_DAYS, random).counted()
    null = _precomputed_null(where, base)
    for outbreak in outbreaks:
        results = [_trial(where, base, outbreak, null, random, min_days) for _ in range(trials)]
        overlaps = tuple(overlap for day, overlap in results if day is not None)
        yield Detections(outbreak, per_day, tuple(day for day, _ in results), overlaps)


def _precomputed_null(where: Province, base: Events) -> Floats:
    before = base.between(0, WINDOW_DAYS - 1)
    at, place = np.unique(before.place, return_inverse=True)
    return stp_null(
        place, before.day, where.xy[at], max_radius=RADIUS_M, max_days=CYLINDER_DAYS,
        null=Null(999),
    )  # fmt: skip


def _trial(
    where: Province, base: Events, outbreak: Outbreak, null: Floats, random: np.random.Generator,
    min_days: int,
) -> tuple[int | None, float]:  # fmt: skip
    centre = int(random.choice(len(where.cells), p=where.people))
    hexes = outbreak.hexes(where, centre, random)
    events = base.and_more(outbreak.events(hexes, WINDOW_DAYS, random)).counted()
    for day in range(WINDOW_DAYS, WINDOW_DAYS + max(7, len(outbreak.daily))):
        seen = evaluate(where, events, day, null)
        if seen.p * min_days <= 1 and seen.hexes & set(hexes.tolist()):
            return day - WINDOW_DAYS + 1, _overlap(events, hexes, seen)
    return None, 0.0


def _overlap(events: Events, hexes: Counts, seen: DailyEvaluation) -> float:
    """Jaccard with those hexes of the outbreak that have any report at all."""
    known = events.between(seen.day - WINDOW_DAYS + 1, seen.day)
    return jaccard(seen.hexes, frozenset(np.intersect1d(hexes, known.place).tolist()))
