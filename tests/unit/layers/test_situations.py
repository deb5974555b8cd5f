"""What is a situation, and what is an ordinary day: over seeded years, and over nights made up."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.detect.observations import Observations
from layers.detect.situation import LEAST, Situation, find_situation

BEGIN = pd.Timestamp("2026-01-05", tz="UTC")  # a Monday
WEEK = np.array([1.1, 1.1, 1.05, 1.0, 1.05, 0.85, 0.85])
TIMES = 3.0
SUBJECTS = ("traffic", "security", "infrastructure", "environment", "disaster")
NOW = BEGIN + timedelta(days=60, hours=13)


def rows_of(
    at: pd.DatetimeIndex, communes: np.ndarray, categories: np.ndarray, first: int = 0
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": np.arange(first, first + len(at)),
            "category": categories,
            "commune": communes,
            "received_at": at,
            "in_commune": True,
            "reason": "",
        }
    )


def quiet(
    seed: int, a_day: float, days: int, spread: float = 1.0, communes: int = 99
) -> pd.DataFrame:
    """Days of a hotline by weekday and season; the variance of a day is `spread` times its mean.

    People and subjects are unevenly spread, calls come by day.
    """
    random = np.random.default_rng(seed)
    people = random.dirichlet(np.full(communes, 0.5))
    subjects = random.dirichlet(np.full(len(SUBJECTS), 2.0))
    day = np.arange(days)
    mean = a_day * WEEK[day % 7] * (1 + 0.3 * np.sin(2 * np.pi * day / 365))
    if spread > 1:
        mean = random.gamma(mean / (spread - 1), spread - 1)
    of = np.repeat(day, random.poisson(mean))
    hours = np.clip(random.normal(13, 4, len(of)), 0, 23.99)
    at = (BEGIN + pd.to_timedelta(of * 24 + hours, unit="h")).sort_values()
    where = random.choice([f"{n:05d}" for n in range(communes)], len(of), p=people)
    return rows_of(at, where, random.choice(SUBJECTS, len(of), p=subjects))


def situation(rows: pd.DataFrame, until: datetime = NOW) -> Situation | None:
    return find_situation(Observations(rows, {}, frozenset()), until, TIMES)


def with_more(rows: pd.DataFrame, communes: list[str], categories: list[str], minutes: float):
    """More reports, evenly over the last minutes."""
    n = len(communes)
    at = pd.DatetimeIndex([NOW - timedelta(minutes=minutes * k / n) for k in range(n)])
    more = rows_of(at, np.array(communes), np.array(categories), first=10_000)
    return pd.concat([rows[rows["received_at"] <= NOW], more], ignore_index=True)


@pytest.fixture(scope="module")
def usual() -> pd.DataFrame:
    return quiet(1, 42, 61)


@pytest.mark.parametrize(("a_day", "spread"), [(8, 1.0), (42, 1.0), (42, 4.0)])
def test_a_year_of_ordinary_days_has_no_situation(a_day, spread):
    """Looked at twice a day, in the busiest hours and in the evening."""
    rows = quiet(5, a_day, 395, spread)
    for look in range(30 * 2, 395 * 2):
        until = BEGIN + timedelta(hours=12 * look + 5)
        ends = rows["received_at"].searchsorted([until - timedelta(days=29), until], side="right")
        assert situation(rows[slice(*ends)], until) is None


@pytest.mark.parametrize(("n", "minutes"), [(300, 1), (3000, 10), (300, 600)])
def test_a_surge_of_five_valleys_names_them(usual, n, minutes):
    valleys = [f"{7 * (1 + k % 5):05d}" for k in range(n)]
    found = situation(with_more(usual, valleys, ["disaster"] * n, minutes))
    assert {one.name for one in found.communes} >= set(valleys)
    assert found.streams[0].name == "disaster"
    assert found.observed >= n
    assert sum(found.timeline) == found.observed
    assert found.recurrence_days > 36_500
    excesses = [one.excess for one in found.communes]
    assert excesses == sorted(excesses, reverse=True)


@given(st.integers(LEAST + 5, 60), st.integers(3, 5), st.integers(1, 120))
@settings(max_examples=25, deadline=None)
def test_it_is_said_after_a_few_reports_of_a_few_communes(n, communes, minutes):
    """Within the first thirty of a surge; how fast they come is irrelevant."""
    valleys = [f"{7 * (1 + k % communes):05d}" for k in range(n)]
    found = situation(with_more(quiet(1, 42, 61), valleys, ["disaster"] * n, minutes))
    assert found is not None and len(found.communes) >= 3


def test_landslide_road_and_power_at_once_in_one_valley_are_one_situation(usual):
    subjects = [("disaster", "traffic", "infrastructure")[k % 3] for k in range(24)]
    found = situation(with_more(usual, ["00021"] * 24, subjects, 60))
    assert [one.name for one in found.communes] == ["00021"]
    assert {one.name for one in found.streams} == {"disaster", "traffic", "infrastructure"}
    of_one = situation(with_more(usual, ["00021"] * 24, ["disaster"] * 24, 60))
    assert of_one is None  # that is an alert of the scan


def test_a_little_in_each_of_many_communes_is_a_situation(usual):
    """Two calls from each of forty: no commune stands out, the province does."""
    everywhere = [f"{k % 40:05d}" for k in range(80)]
    found = situation(with_more(usual, everywhere, ["disaster"] * 80, 600))
    assert found is not None and len(found.communes) >= 20
    assert {one.name for one in found.streams} == {"disaster"}
    mostly_one = ["00021"] * 60 + [f"{k:05d}" for k in range(20)]
    assert situation(with_more(usual, mostly_one, ["disaster"] * 80, 600)) is None


def test_an_event_of_days_does_not_make_itself_usual(usual):
    rows = usual[usual["received_at"] <= NOW]
    valleys = [f"{7 * (1 + k % 5):05d}" for k in range(100)]
    for day in range(6):
        end = NOW - timedelta(days=day)
        at = pd.DatetimeIndex([end - timedelta(minutes=10 * k) for k in range(100)])
        more = rows_of(at, np.array(valleys), np.full(100, "disaster"), 10_000 + 100 * day)
        rows = pd.concat([rows, more], ignore_index=True)
    found = situation(rows)
    assert found is not None and found.expected < 10


def test_an_office_that_sends_each_monday_is_usual():
    """Twelve places a week write down on Monday what they have: from the third week on no news."""
    rows = quiet(2, 10, 61)
    mondays = []
    for week in range(9):
        at = pd.DatetimeIndex([BEGIN + timedelta(days=7 * week, hours=9)] * 60)
        where = np.array([f"{k % 12:05d}" for k in range(60)])
        mondays.append(rows_of(at, where, np.full(60, "environment"), 10_000 + 60 * week))
    rows = pd.concat([rows, *mondays], ignore_index=True)
    for week in range(3, 9):
        until = BEGIN + timedelta(days=7 * week, hours=10)
        assert situation(rows[rows["received_at"] <= until], until) is None


def test_what_is_usual_must_be_known(usual):
    few = usual[(usual["received_at"] > NOW - timedelta(days=5)) & (usual["received_at"] <= NOW)]
    valleys = [f"{7 * (1 + k % 5):05d}" for k in range(300)]
    assert situation(with_more(few, valleys, ["disaster"] * 300, 60)) is None


def test_the_order_of_rows_and_the_names_of_communes_are_irrelevant(usual):
    valleys = [f"{7 * (1 + k % 5):05d}" for k in range(90)]
    rows = with_more(usual, valleys, ["disaster"] * 90, 60)
    assert situation(rows.sample(frac=1, random_state=3)) == situation(rows)
    renamed = rows.assign(commune=rows["commune"].map(lambda code: f"x{code}"))
    found, other = situation(rows), situation(renamed)
    assert [f"x{one.name}" for one in found.communes] == [one.name for one in other.communes]
    assert (found.observed, found.expected, found.p) == (other.observed, other.expected, other.p)


def test_evidence_is_of_the_places_and_subjects_named_and_simulated_ones_are_counted(usual):
    valleys = [f"{7 * (1 + k % 5):05d}" for k in range(90)]
    rows = with_more(usual, valleys, ["disaster"] * 90, 60)
    rows.loc[rows["id"] == 10_001, ["in_commune", "reason"]] = [False, "same_place"]
    rows.loc[rows["id"] == 10_002, ["in_commune", "reason"]] = [False, "late"]
    marked = Observations(rows, {}, frozenset({10_003, 5}))
    found = find_situation(marked, NOW, TIMES)
    of = rows.set_index("id").loc[list(found.records)]
    assert set(of["commune"]) <= {one.name for one in found.communes}
    assert set(of["category"]) <= {one.name for one in found.streams}
    assert 10_001 in found.records and 10_002 not in found.records
    assert found.observed < len(found.records)
    assert found.simulated == 1
