"""The targets of docs/calibration.md on a smaller province with fewer trials, and its page."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from calibration.charts import Axis, chart
from calibration.city import city
from calibration.daily_evaluation import (
    CYLINDER_DAYS,
    RADIUS_M,
    Cluster,
    DailyEvaluation,
    alarms,
    runs,
    signals,
)
from calibration.dirty import KINDS, Dirty, measured
from calibration.injections import CORRIDOR, MERGED, RAMP, Detections, Outbreak, burst, detections
from calibration.ordinary_days import WEEKDAYS, DaysOfKind, OrdinaryDays, ordinary_days
from calibration.ordinary_days import together as as_one_series
from calibration.page import Results, ordinary_section, page, pictures, targets
from calibration.province import Events, lumpy, province, quiet, within
from calibration.quiet_streams import QuietStream, quiet_stream
from calibration.service_evaluations import EvaluatedDays, evaluated_days, together
from gis.analysis import Null, stp_null, stp_scan, tail_p
from gis.errors import BadInput


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
    # 120 evaluations at 99 replicates; for rarer alarms see the page.
    p = np.concatenate(
        [quiet_stream(small, kind, 2.0, seed, days=40, replicates=99).p for seed in range(3)]
    )
    assert 0.5 <= (p <= 0.2).mean() / 0.2 <= 1.5


def window(where, seed, per_day):
    """Place, day and centres of 90 lumpy days without a tie between place and day."""
    events = lumpy(where, per_day, 90, np.random.default_rng(seed)).counted()
    at, place = np.unique(events.place, return_inverse=True)
    return place, events.day, where.xy[at]


def test_p_is_uniform_where_days_are_permuted(small):
    # 300 scans of permuted days; ties are broken at random, as p has but 100 values.
    random = np.random.default_rng(11)
    place, day, xy = window(small, 0, 1.5)
    p = [
        stp_scan(
            place, random.permutation(day), xy, max_radius=RADIUS_M, max_days=CYLINDER_DAYS,
            last_day=89, min_cases=2, max_clusters=1, null=Null(99, seed=1000 + i),
        )["p"].iloc[0] - random.uniform(0, 0.01)
        for i in range(300)
    ]  # fmt: skip
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_rare_p_is_as_rare_as_it_says_where_maxima_are_lumpy(small):
    # Each replicate beyond the 999 that are known stands for one quiet day.
    rare = []
    for seed in range(12):
        place, day, xy = window(small, seed, 3.0)
        maxima = stp_null(
            place, day, xy, max_radius=RADIUS_M, max_days=CYLINDER_DAYS, null=Null(2999, seed=seed)
        )
        rare += [tail_p(maxima[:999], one) for one in maxima[999:]]
    for days in (30, 100, 365, 1000):
        assert 0.5 <= (np.array(rare) <= 1 / days).mean() * days <= 1.5


def test_the_tail_of_an_exponential_law_is_that_law():
    draws = np.random.default_rng(4).exponential(1, (400, 999))
    for true in (0.1, 0.01, 0.001):
        found = np.array([tail_p(some, -np.log(true)) for some in draws])
        assert np.median(found) == pytest.approx(true, rel=0.15)


def test_the_p_of_the_tail_falls_as_the_value_grows():
    draws = np.random.default_rng(5).gumbel(5, 1, 999)
    p = [tail_p(draws, value) for value in np.linspace(3, 20, 200)]
    assert (np.diff(p) <= 0).all()
    assert p[-1] < 0.0001


def test_few_or_equal_maxima_have_no_tail():
    assert np.isnan(tail_p(np.arange(19.0), 30.0))
    assert np.isnan(tail_p(np.full(999, 2.0), 3.0))
    assert tail_p(np.full(999, 2.0), 2.0) == 1.0


def test_the_quality_filter_takes_away_what_a_backlog_brings(small):
    found = measured(small, "a backlog of 30 dated today", 5.0, 1, 10)
    assert (found.raw, found.filtered) == (1.0, 0.0)


def test_outbreaks_are_found_soon_and_where_they_are(small):
    sharp, wide, ramp = detections(small, 5.0, [burst(0.5, 1, 6), burst(1.5, 3, 12), RAMP], 1, 15)
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
    some = [
        Detections(one, 20.0, (1, 2, None, 3), (0.7, 0.8, 0.9))
        for one in (burst(0.5, 1, 6), burst(1.5, 3, 12), MERGED, RAMP, CORRIDOR)
    ]
    none = {30: 12, 100: 4, 365: 1}
    quiet_years = [QuietStream(kind, 5.0, (0.5,) * 365, none, none, none) for kind in "AB"]
    evaluated = EvaluatedDays(
        5.0, 1800, (0.01,) * 8 + (0.02, 0.5) * 146, (0.01,) * 4 + (0.5,) * 296
    )
    return Results(tuple(quiet_years), (Dirty("clean", 50, 0.05, 0.12),), tuple(some), (evaluated,))


def test_the_page_says_which_targets_are_missed():
    told = {words: holds for words, _, holds in targets(some_results())}
    assert list(told.values()) == [True, False, False, False, False, True, True]
    written = page(some_results())
    assert written.count("**missed**") == 4
    assert "| A | 5 | day | 365 | 1.0 | 100 | 3.6 | 4 | 4 | 1.10 | 0.30–2.81 | 4.00 |" in written


def test_evaluations_far_apart_count_as_many_years_and_all_together(small):
    sparse = quiet_stream(small, "A", 2.0, 1, days=60, replicates=19, every=15)
    assert (len(sparse.p), sparse.every) == (4, 15)
    results = some_results()
    none, few = {30: 0, 100: 0, 365: 0}, {30: 24, 100: 7, 365: 2}
    sparse = QuietStream("A", 5.0, (0.5,) * 730, few, few, none, 15)
    results = Results(
        (*results.quiet, sparse), results.dirty, results.detections, results.evaluated
    )
    written = page(results)
    assert "| A | 5 | 15 days | 730 | 30.0 | 365 | 2.0 | 2 | 2 | 1.00 | 0.12–3.61 | – |" in written
    assert (
        "| A | all | together | 1,095 | 31.0 | 365 | 3.0 | 3 | 3 | 1.00 | 0.21–2.92 | – |"
        in written
    )


def test_a_day_alarms_by_any_of_its_evaluations_and_for_contrast_by_its_last():
    """Of 300 days 8 have one of 1/(3·.01) = 33 days, 4 of them at their end; none of 100."""
    (evaluated,) = some_results().evaluated
    assert (evaluated.alarms(30), evaluated.alarms(100)) == (8, 0)
    assert (evaluated.alarms(30, last=True), evaluated.alarms(30, last=True, factor=1)) == (4, 4)
    assert evaluated.alarms(30, factor=1) == 8 + 146
    row = "| 300 | 1,800 | 30 | 10.0 | 8 | 0.80 | 0.35–1.58 | 15.40 | 0.40 | 0.40 |"
    written = page(some_results())
    assert f"| 5 {row}" in written and f"| together {row}" in written
    both = together([evaluated, EvaluatedDays(20.0, 21, (0.001,), (0.001,))])
    assert (both.days, both.evaluations, both.alarms(100)) == (301, 1821, 1)


def test_quiet_days_evaluated_after_each_report_alarm_as_often_as_the_service_says(small):
    # 60 days of six evaluations, 99 replicates; for rarer alarms see the page.
    found = together([evaluated_days(small, 5.0, seed, 30, replicates=99) for seed in range(2)])
    assert found.days == 60
    assert 60 * 5 <= found.evaluations <= 60 * 7, "each report, and the beginning of the day"
    assert all(least <= last for least, last in zip(found.least, found.last, strict=True))
    assert 0.5 <= found.alarms(5) / (60 / 5) <= 1.5
    assert found.alarms(5, factor=1) > 1.5 * 60 / 5, "each report is a chance of its own"


def seen(day, p, centre=900, radius=1500.0):
    return DailyEvaluation(day, (Cluster(p, frozenset({centre}), centre, radius, 1, 8, 1.0),))


def test_alarms_that_may_share_a_report_are_one_run():
    evaluations = [seen(day, p) for day, p in [(0, 0.001), (13, 0.002), (20, 0.5), (27, 0.001)]]
    assert (len(alarms(evaluations, 365)), runs(evaluations, 365), runs(evaluations[2:3], 365)) == (
        3,
        2,
        0,
    )


def test_a_signal_that_goes_on_is_one_and_one_elsewhere_or_weeks_later_another(small):
    far = len(small.cells) - 1
    days = [(0, 0.001, 900), (1, 0.02, 900), (2, 0.001, 900), (3, 0.001, far), (40, 0.001, 900)]
    evaluations = [seen(day, p, centre) for day, p, centre in days]
    raised = signals(small, evaluations, 365)
    assert [(one.day, one.cluster.centre) for one in raised] == [(0, 900), (3, far), (40, 900)]


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


def city_file(path, heap):
    """Eighty days of scattered reports, some sent twice, and a heap of reports on the last day."""
    random = np.random.default_rng(6)
    day = np.append(np.repeat(np.arange(80), 4), np.full(heap, 79))
    lat = random.uniform(41.7, 41.9, len(day))
    lat[len(day) - heap :] = 41.8 + np.arange(heap) * 0.003
    lon = np.where(np.arange(len(day)) < 320, random.uniform(-87.8, -87.6, len(day)), -87.7)
    frame = pd.DataFrame({"Latitude": lat, "Longitude": lon, "Unique Key": np.arange(len(day))})
    frame["Created Date"] = (pd.Timestamp("2025-01-01") + pd.to_timedelta(day, unit="D")).strftime(
        "%m/%d/%Y %H:%M"
    )
    pd.concat([frame, frame[:50]]).to_csv(path, index=False)
    return path


def test_a_city_is_watched_behind_the_quality_filter_and_its_heap_is_one_signal(tmp_path):
    found = city(city_file(tmp_path / "city.csv", 9), replicates=199, longest_days=4)
    (stream,) = found.streams
    assert (found.reports, len(stream.evaluations), found.budget_days) == (329 + 50, 4, 365)
    assert stream.counted <= 329
    assert len(stream.signals(365)) == 1
    assert "91.2 distinct signals a year\n  2025-03-21 reports: 9 reports in" in found.text()
    quiet_city = city(city_file(tmp_path / "quiet.csv", 0), replicates=199, longest_days=4)
    assert quiet_city.within_budget() == []


def test_each_kind_of_a_citys_reports_is_a_stream_and_they_share_the_budget(tmp_path):
    path = city_file(tmp_path / "city.csv", 9)
    frame = pd.read_csv(path)
    frame["Descriptor"] = np.where(frame.index % 2 == 0, "Chained", None)
    frame.to_csv(path, index=False)
    found = city(path, replicates=99, longest_days=2)
    assert [one.name for one in found.streams] == ["", "Chained"]
    assert found.budget_days == 2 * 365
    assert {one.first.isoformat() for one in found.streams} == {"2025-01-01"}
    (together,) = city(path, replicates=99, longest_days=2, one_stream=True).streams
    assert together.counted <= sum(one.counted for one in found.streams)


def test_a_file_that_names_no_day_is_refused(tmp_path):
    (tmp_path / "odd.csv").write_text("Latitude,Longitude\n1,2\n", encoding="utf-8")
    with pytest.raises(BadInput, match="Creation_Date, Created Date"):
        city(tmp_path / "odd.csv")


@pytest.fixture(scope="module")
def quiet_days():
    """Ten years of forty reports a day; of ordinary days one in two."""
    return {one.kind: one for one in as_one_series(
        ordinary_days(40.0, 1.0, seed, date(2010, 1, 1), date(2019, 12, 31), every=2)
        for seed in range(2)
    )}  # fmt: skip


@pytest.mark.parametrize("kind", WEEKDAYS)
def test_each_weekday_alarms_as_often_as_it_should_and_sees_a_rise(quiet_days, kind):
    one = quiet_days[kind]
    assert 0.03 <= one.share() <= 0.07
    assert one.power() >= 0.7


@pytest.mark.parametrize("kind", ["after holiday", "after tet"])
def test_days_after_a_holiday_are_neither_false_alarms_nor_blind(quiet_days, kind):
    """Fewer than weekdays, so that the share itself is less sure; see the page for more."""
    one = quiet_days[kind]
    low, high = one.interval()
    assert low <= 0.07 and high >= 0.03
    assert one.power() >= 0.7


def test_ears_knows_no_weekdays(quiet_days):
    """What the regression is for: false on Mondays, blind on Sundays and after Tết."""
    assert quiet_days["Monday"].ears_small > 4 * quiet_days["Monday"].small
    for kind in ("Sunday", "after tet"):
        assert quiet_days[kind].ears_rare < 0.2 * quiet_days[kind].rare


def test_the_page_has_a_row_for_each_weekday_and_kind_of_holiday(quiet_days):
    section = ordinary_section([OrdinaryDays(40.0, 1.0, tuple(quiet_days.values()))])
    for kind in (*WEEKDAYS, "holiday", "after holiday", "before Tết", "Tết", "after Tết"):
        assert f"| 40 | 1 | {kind} |" in section
    blind = DaysOfKind("Sunday", 100, 0, 50, 40, 0, 0)
    missed = ordinary_section([OrdinaryDays(40.0, 1.0, (blind,))])
    assert missed.count("**missed**") == 2
