"""The targets of docs/calibration.md on a smaller province with fewer trials, and its page."""

import numpy as np
import pytest

from calibration.charts import Axis, chart
from calibration.dirty import KINDS, Dirty, measured
from calibration.injections import CORRIDOR, MERGED, RAMP, Found, Outbreak, burst, tried
from calibration.nulls import Quiet, watched
from calibration.page import Results, page, pictures, targets
from calibration.province import Events, lumpy, province, quiet, within


@pytest.fixture(scope="module")
def small():
    return province(rings=30)


def test_a_province_has_its_hexes_and_all_its_people(small):
    assert len(small.cells) == 1 + 3 * 30 * 31
    assert small.people.sum() == pytest.approx(1.0)
    assert small.people.min() > 0


def test_alarms_count_one_a_small_hex_and_day():
    events = Events(np.array([4, 4, 4, 4]), np.array([1, 1, 2, 2]), np.array([0, 0, 0, 6]))
    assert len(events.counted().day) == 3


def test_permuting_within_weekdays_keeps_each_week_day_and_place(small):
    events = lumpy(small, 20, 70, np.random.default_rng(1))
    assert set(np.bincount(events.day % 7).tolist()) != {0}
    assert len(events.place) >= 20 * 70 == len(events.day[: 20 * 70])


@pytest.mark.parametrize("kind", ["A", "B"])
def test_quiet_streams_alarm_as_often_as_their_recurrence_interval_says(small, kind):
    # 120 looks at 99 replicates; for rarer alarms see the page.
    p = np.concatenate(
        [watched(small, kind, 2.0, seed, days=40, replicates=99).p for seed in range(3)]
    )
    assert 0.5 <= (p <= 0.2).mean() / 0.2 <= 1.5


def test_the_gate_takes_away_what_a_backlog_brings(small):
    found = measured(small, "a backlog of 30 dated today", 5.0, 1, 10)
    assert (found.raw, found.gated) == (1.0, 0.0)


def test_outbreaks_are_found_soon_and_where_they_are(small):
    sharp, wide, ramp = tried(small, 5.0, [burst(0.5, 1, 6), burst(1.5, 3, 12), RAMP], 1, 15)
    assert wide.power() >= 0.85
    assert sharp.power() >= 0.95
    assert ramp.median_day() <= 5
    assert np.mean(wide.overlap) >= 0.65


def test_an_outbreak_has_its_reports_on_its_days_in_its_hexes(small):
    random = np.random.default_rng(3)
    shape = burst(1.5, 3, 8)
    assert shape.daily == (3, 3, 2)
    hexes = shape.hexes(small, 900, random)
    events = shape.events(hexes, 90, random)
    assert np.bincount(events.day)[90:].tolist() == [3, 3, 2]
    assert set(events.place) <= set(within(small, 900, 1500.0))
    assert len(Outbreak("line", 0, (9,), corridor=True).hexes(small, 900, random)) > 5


def some_results():
    found = [
        Found(one, 20.0, (1, 2, None, 3), (0.7, 0.8, 0.9))
        for one in (burst(0.5, 1, 6), burst(1.5, 3, 12), MERGED, RAMP, CORRIDOR)
    ]
    none = {30: 12, 100: 4, 365: 1}
    quiet_years = [Quiet(kind, 5.0, (0.5,) * 365, none, none) for kind in "AB"]
    return Results(tuple(quiet_years), (Dirty("clean", 50, 0.05, 0.12),), tuple(found))


def test_the_page_says_which_targets_are_missed():
    told = {words: holds for words, _, holds in targets(some_results())}
    assert list(told.values()) == [True, False, False, False, True, True]
    written = page(some_results())
    assert written.count("**missed**") == 3
    assert "| A | 5 | 1.0 | 100 | 3.65 | 4.00 | 1.10 | 4.00 |" in written


def test_every_picture_is_named_by_the_page_and_is_well_formed():
    from xml.etree import ElementTree

    for name, svg in pictures(some_results()).items():
        assert f"(calibration/{name})" in page(some_results())
        ElementTree.fromstring(svg)


def test_a_chart_draws_its_values_where_its_axes_say():
    axis = Axis("x", (0, 10))
    svg = chart("t", axis, axis, {"a < b": [(0, 0), (10, 10)]})
    assert 'points="60.0,290.0 440.0,30.0"' in svg
    assert "a &lt; b" in svg


def test_the_same_seed_gives_the_same_stream(small):
    one, two = (quiet(small, 9, 30, np.random.default_rng(5)) for _ in range(2))
    assert (one.place == two.place).all()
    assert len(KINDS) == 7
