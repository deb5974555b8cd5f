"""The alarm on maps that a person can check: hexes in a row, days that are numbered."""

import h3
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.definition.model import ScanOptions
from layers.detect.null_distribution import scan_day
from layers.detect.scan import (
    IncrementalNull,
    Stream,
    StreamScan,
    by_all,
    draw_null,
    scan_stream,
    streams_of,
)

TODAY = 20_000
OPTIONS = ScanOptions(replicates=199, strata="none")
CENTRE = h3.latlng_to_cell(22.0, 104.0, 8)
RING = sorted(h3.grid_ring(CENTRE, 3))


def child(cell: str, nth: int = 0) -> int:
    """A hex of resolution 11 in one of resolution 8."""
    return h3.str_to_int(sorted(h3.cell_to_children(cell, 11))[nth])


def records(rows: list[tuple[str, int]], stream: str = "s", **columns: object) -> pd.DataFrame:
    """Records (hex of resolution 8, days before today), all cases."""
    frame = pd.DataFrame(
        {
            "id": np.arange(len(rows)) + 1,
            "stream": stream,
            "cell": [child(cell, n % 5) for n, (cell, _) in enumerate(rows)],
            "day": [TODAY - ago for _, ago in rows],
            "commune": "00004",
            "in_alarm": True,
        }
    )
    return frame.assign(**columns)


def level() -> list[tuple[str, int]]:
    """One a day for sixty days, going around the ring of hexes."""
    return [(RING[ago % len(RING)], ago) for ago in range(60)]


def only(frame: pd.DataFrame, options: ScanOptions = OPTIONS) -> Stream:
    (stream,) = streams_of(frame, options, TODAY)
    return stream


def by_null_of(stream: Stream, origin: Stream, options: ScanOptions = OPTIONS) -> StreamScan:
    return scan_stream(stream, options, by_all(draw_null(origin, options)))


def scan(frame: pd.DataFrame, options: ScanOptions = OPTIONS) -> StreamScan:
    stream = only(frame, options)
    return by_null_of(stream, stream, options)


def test_four_cases_in_one_hex_in_two_days_are_a_cluster_there():
    found = scan(records([*level(), *[(CENTRE, ago) for ago in (0, 0, 1, 1)]]))
    best = found.clusters[0]
    assert (best.centre, best.radius_m, best.days) == (h3.str_to_int(CENTRE), 0.0, 2)
    assert (best.cells, best.communes) == ((h3.str_to_int(CENTRE),), ("00004",))
    assert best.observed == 4
    # Four of 64 cases lie in the hex, six on the two days: 4·6/64.
    assert best.expected == pytest.approx(4 * 6 / 64)
    assert best.records == (61, 62, 63, 64)
    assert best.recurrence_days == pytest.approx(1 / (3 * best.p)), "a day is worth three looks"
    assert found.p == best.p < 0.05


def test_a_stream_of_repeats_alone_has_no_cluster_and_keeps_no_other_from_being_evaluated():
    """Their incident came late, or before the window; they stay for who asks what lies there."""
    repeats = records([(CENTRE, 3), (CENTRE, 2)], "rare", in_alarm=False)
    frame = pd.concat([repeats, records(level())], ignore_index=True)
    rare, healthy = sorted(streams_of(frame, OPTIONS, TODAY), key=lambda one: one.name)
    assert (rare.name, len(rare.place), len(healthy.place)) == ("rare", 0, 60)
    found = by_null_of(rare, rare)
    assert found.clusters == () and draw_null(rare, OPTIONS).max() == 0


def test_a_circle_holds_all_its_hexes_also_those_without_a_case():
    around = h3.grid_ring(CENTRE, 1)
    best = scan(records([*level(), *[(cell, 0) for cell in around]])).clusters[0]
    inside = {h3.int_to_str(cell) for cell in best.cells}
    assert best.observed == len(inside & set(around)) >= 3
    assert CENTRE in inside


def test_repeats_are_evidence_of_a_cluster_without_being_counted():
    rows = [*level(), *[(CENTRE, 0)] * 4]
    frame = records(rows)
    frame.loc[frame.index[-1], "in_alarm"] = False
    best = scan(frame).clusters[0]
    assert (best.observed, len(best.records)) == (3, 4)


def test_days_after_the_end_and_before_the_window_are_not_known():
    rows = [*level(), *[(CENTRE, -1)] * 5, *[(CENTRE, 90)] * 5]
    found = scan(records(rows))
    assert found.cases == 60
    assert all(h3.str_to_int(CENTRE) not in one.cells for one in found.clusters)


def test_streams_are_known_by_name_and_each_has_random_numbers_of_its_own():
    both = pd.concat([records(level(), "b"), records(level(), "a")], ignore_index=True)
    first, second = streams_of(both, OPTIONS, TODAY)
    assert (first.name, second.name) == ("a", "b")
    assert not np.array_equal(draw_null(first, OPTIONS), draw_null(second, OPTIONS))


def test_a_stream_without_a_case_or_with_too_few_finds_nothing():
    assert scan(records(level(), in_alarm=False)).clusters == ()
    assert scan(records([(CENTRE, 0), (CENTRE, 0)])).clusters == ()
    assert list(streams_of(records([]), OPTIONS, TODAY)) == []


def test_p_rests_on_the_law_beyond_the_replicates_but_never_on_more_than_a_century():
    best = scan(records([*level(), *[(CENTRE, 0)] * 12])).clusters[0]
    assert best.p < 1 / (OPTIONS.replicates + 1)
    assert best.recurrence_days == pytest.approx(36_525, rel=1e-9)


def test_a_null_distribution_grows_until_enough_of_it_reach_the_value():
    stream = only(records(level()))
    whole = draw_null(stream, OPTIONS)
    null = IncrementalNull(stream, OPTIONS, stop=10)
    few = null(float(np.median(whole)))
    assert 10 <= (few >= np.median(whole)).sum() < 40
    assert np.array_equal(few, whole[: len(few)])
    assert null(0.0) is few
    assert np.array_equal(null(100.0), whole)


def later(cases: int, stream: str = "s", strata: bool = False) -> Stream:
    """The stream once so many reports more have come, far from each other."""
    rows = [*level(), *[(RING[n % len(RING)], 0) for n in range(cases)]]
    chosen = OPTIONS.model_copy(update={"strata": "weekday" if strata else "none"})
    return only(records(rows, stream), chosen)


def test_the_evaluations_of_a_day_share_the_null_distribution_of_the_first():
    looks = [later(0), later(1), later(2), later(3), later(4), later(1, strata=True)]
    origins = [looks[0], looks[0], looks[2], looks[2], looks[4], looks[5]]
    expected = [by_null_of(*both) for both in zip(looks, origins, strict=True)]
    every = OPTIONS.replicates
    assert list(scan_day(looks, OPTIONS, every)) == expected
    assert by_null_of(looks[1], looks[1]) != expected[1], "a null of its own tells another p"
    other = list(scan_day([looks[0], later(0, "other")], OPTIONS, every))[1]
    assert other == by_null_of(later(0, "other"), later(0, "other"))


def test_evaluations_that_chance_explains_easily_are_judged_by_fewer_replicates():
    common, rare = later(0), only(records([*level(), *[(CENTRE, 0)] * 12]))
    (few,), (whole,) = scan_day([common], OPTIONS, stop=10), scan_day([common], OPTIONS, stop=199)
    assert few.p is not None and few.p != whole.p > 0.2
    assert few.p == pytest.approx(whole.p, abs=0.3)
    assert list(scan_day([rare], OPTIONS, stop=10)) == [by_null_of(rare, rare)]


def test_communes_that_post_on_mondays_alone_bring_weekday_strata():
    monday = [(CENTRE, 7 * n) for n in range(8) for _ in range(5)]
    daily = [(RING[0], ago) for ago in range(56)]
    frame = records([*monday, *daily])
    frame["commune"] = ["00004"] * len(monday) + ["00007"] * len(daily)
    auto = ScanOptions(replicates=199)
    assert only(frame, auto).strata is not None
    assert only(frame[frame["commune"] == "00007"], auto).strata is None
    assert only(frame, OPTIONS).strata is None


@pytest.mark.parametrize("ago", [0, 2, 30])  # going on, going on, long over
def test_an_outbreak_of_a_day_brings_no_weekday_strata(ago: int):
    daily = [(cell, day) for cell in (CENTRE, RING[0]) for day in range(56)]
    frame = records([*daily, *[(CENTRE, ago)] * 40])
    frame["commune"] = ["00004"] * 56 + ["00007"] * 56 + ["00004"] * 40
    assert only(frame, ScanOptions(replicates=199)).strata is None


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(64)))
def test_the_order_of_the_records_is_irrelevant(order: list[int]):
    frame = records([*level(), *[(CENTRE, ago) for ago in (0, 0, 1, 1)]])
    before, after = (
        scan(frame).clusters[0],
        scan(frame.iloc[order].reset_index(drop=True)).clusters[0],
    )
    told = ("centre", "radius_m", "days", "observed", "cells", "communes", "records")
    assert [getattr(before, name) for name in told] == [getattr(after, name) for name in told]
    assert after.llr == pytest.approx(before.llr)


def test_a_null_distribution_is_drawn_by_a_seed():
    stream = only(records(level()))
    assert np.array_equal(draw_null(stream, OPTIONS), draw_null(stream, OPTIONS))
    other = OPTIONS.model_copy(update={"seed": 1})
    assert not np.array_equal(draw_null(stream, OPTIONS), draw_null(stream, other))


@settings(max_examples=15)
@given(st.lists(st.integers(0, 18), min_size=4, max_size=14), st.integers(0, 3))
def test_a_core_holds_four_fifths_and_lies_within_the_reach(hexes, ago):
    """And its communes are told with their shares, which add up to the records placed."""
    near = sorted(h3.grid_disk(CENTRE, 2))
    rows = [(near[one % len(near)], min(ago, n)) for n, one in enumerate(hexes)]
    frame = records([*level(), *rows])
    frame["commune"] = np.where(frame["cell"] % 3 == 0, "00004", "00007")
    for one in scan(frame, OPTIONS.model_copy(update={"replicates": 19})).clusters:
        assert one.core is not None
        assert 0 <= one.core.radius_m <= 2 * one.radius_m
        assert 0.8 * one.observed - 1e-9 <= one.core.cases <= one.observed
        assert sum(count for _, count in one.shares) == len(one.records)
        counts = [count for _, count in one.shares]
        assert counts == sorted(counts, reverse=True)
        assert {code for code, _ in one.shares} == set(one.communes)


def test_a_stray_case_is_in_the_reach_and_not_in_the_core():
    stray = sorted(h3.grid_ring(CENTRE, 2))[0]
    frame = records([*level(), *[(CENTRE, n % 2) for n in range(15)], (stray, 0)])
    best = scan(frame).clusters[0]
    assert best.core is not None
    assert (best.core.radius_m, best.core.cases) == (0.0, 15)
