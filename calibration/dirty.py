"""Null C: streams without an outbreak, but recorded as such streams are; before and after the
quality filter. Each run is 90 days of one stream, scanned once at a nominal 5 %.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from calibration.daily_evaluation import CYLINDER_DAYS, RADIUS_M, WINDOW_DAYS
from calibration.province import Counts, Events, Province, quiet
from gis.analysis import Null, clean, stp_scan, weekday_strata

START = pd.Timestamp("2026-01-05", tz="Asia/Ho_Chi_Minh")  # a Monday
NULL = Null(199, stop=10)  # p ≤ .05 exactly where fewer than 10 of 199 reach
DEGREE_M = 111_195.0


@dataclass(frozen=True, slots=True)
class Dirty:
    """Share of runs with p ≤ .05: of the records as they came, and after the quality filter."""

    kind: str
    runs: int
    raw: float
    filtered: float


def records_of(
    where: Province, events: Events, random: np.random.Generator, lag_days: float = 0.05
) -> pd.DataFrame:
    """One record an event, received with exponential delay; a smaller hex is a seventh of a hex."""
    turn = 2 * np.pi * events.part / 6
    out = np.where(events.part == 6, 0.0, 350.0)
    away = np.column_stack([np.cos(turn), np.sin(turn)]) * out[:, None]
    metres = where.xy[events.place] - where.xy.mean(axis=0) + away
    metres += random.uniform(-150, 150, metres.shape)
    hour = np.clip(random.normal(12, 3, len(events.day)), 0, 23.9)
    happened = START + pd.to_timedelta(events.day * 24 + hour, unit="h")
    delay = pd.to_timedelta(random.exponential(lag_days, len(hour)), unit="D")
    return pd.DataFrame(
        {
            "category": "waste", "lon": 104 + metres[:, 0] / (DEGREE_M * np.cos(np.radians(22.3))),
            "lat": 22.3 + metres[:, 1] / DEGREE_M, "happened_at": happened,
            "received_at": happened + delay, "source": "hotline",
            "source_key": np.arange(len(hour)).astype(str), "default_point": False,
            "place_precision_m": 10.0, "cell": events.place * 7 + events.part,
        }
    )  # fmt: skip


def duplicated(
    share: float,
) -> Callable[[Province, pd.DataFrame, np.random.Generator], pd.DataFrame]:
    """A share of the reports is sent again within hours, from 50 m away, under another number."""

    def dirt(where: Province, records: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
        again = records.sample(frac=share, random_state=int(random.integers(1 << 30)))
        shift = random.uniform(-50, 50, (len(again), 2)) / DEGREE_M
        later = pd.to_timedelta(random.exponential(4, len(again)).clip(0, 20), unit="h")
        again = again.assign(
            lon=again["lon"] + shift[:, 0], lat=again["lat"] + shift[:, 1],
            happened_at=again["happened_at"] + later, received_at=again["received_at"] + later,
            source_key="again " + again["source_key"],
        )  # fmt: skip
        return pd.concat([records, again], ignore_index=True)

    return dirt


def backlog(where: Province, records: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Thirty old records of one town arrive on the last day."""
    town = where.town[int(random.choice(len(where.cells), p=where.people))]
    there = np.flatnonzero(where.town == town)
    place = random.choice(there, 30, p=where.people[there] / where.people[there].sum())
    days = random.integers(WINDOW_DAYS - 40, WINDOW_DAYS - 8, 30)
    old = records_of(where, Events(place, days, random.integers(0, 7, 30)), random)
    last = START + pd.Timedelta(days=WINDOW_DAYS - 1, hours=15)
    old = old.assign(received_at=last, source_key="old " + old["source_key"])
    return pd.concat([records, old], ignore_index=True)


def delayed(where: Province, records: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Each town is as slow as it is: a mean delay of 0 to 6 days."""
    mean = random.uniform(0, 6, where.town.max() + 1)[_town(where, records)]
    late = pd.to_timedelta(random.exponential(mean), unit="D")
    return records.assign(received_at=records["happened_at"] + late)


def mondays(where: Province, records: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Half of the towns pass on what they have on Mondays."""
    slow = (random.random(where.town.max() + 1) < 0.5)[_town(where, records)]
    days = (7 - records["received_at"].dt.dayofweek) % 7
    moved = records["received_at"] + pd.to_timedelta(np.where(slow, days, 0), unit="D")
    return records.assign(received_at=moved)


def as_is(where: Province, records: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Nothing wrong."""
    return records


def _town(where: Province, records: pd.DataFrame) -> Counts:
    towns: Counts = where.town[records["cell"].to_numpy() // 7]
    return towns


KINDS = {
    "clean": as_is,
    "5 % duplicates": duplicated(0.05),
    "20 % duplicates": duplicated(0.20),
    "a backlog of 30 dated today": backlog,
    "uneven delay": delayed,
    "Monday posting by half of the towns": mondays,
    "growth by 100 % a year": as_is,
}


def measured(where: Province, kind: str, per_day: float, seed: int, runs: int) -> Dirty:
    """Both shares of one kind of dirt."""
    random = np.random.default_rng([seed, sum(kind.encode()), int(per_day)])
    hits = np.array([_run(where, kind, per_day, random) for _ in range(runs)])
    raw, filtered = hits.mean(axis=0)
    return Dirty(kind, runs, float(raw), float(filtered))


def _run(
    where: Province, kind: str, per_day: float, random: np.random.Generator
) -> tuple[bool, bool]:
    growth = 1.0 if kind.startswith("growth") else 0.0
    events = quiet(where, per_day, WINDOW_DAYS, random, growth)
    records = KINDS[kind](where, records_of(where, events, random), random)
    # Uneven delay does its harm on the day of the event, of which only what has arrived is known.
    end = START + pd.Timedelta(days=WINDOW_DAYS)
    records = records[records["received_at"] < end].reset_index(drop=True)
    dated = "happened_at" if kind == "uneven delay" else "received_at"
    judged = clean(records).records
    kept = judged[judged["in_alarm"]]
    return (
        _significant(where, records, dated, stratified=False),
        _significant(where, kept, "received_at", stratified=True),
    )


def _significant(where: Province, records: pd.DataFrame, dated: str, stratified: bool) -> bool:
    day = ((records[dated] - START) // pd.Timedelta(days=1)).to_numpy().astype(np.int64)
    at, place = np.unique(records["cell"].to_numpy() // 7, return_inverse=True)
    first = WINDOW_DAYS - CYLINDER_DAYS
    strata = weekday_strata(_town(where, records), day, before=first) if stratified else None
    found = stp_scan(
        place, day, where.xy[at], max_radius=RADIUS_M, max_days=CYLINDER_DAYS,
        last_day=WINDOW_DAYS - 1, strata=strata, null=NULL, max_clusters=1,
    )  # fmt: skip
    return bool(len(found)) and bool(found["p"].iloc[0] <= 0.05)
