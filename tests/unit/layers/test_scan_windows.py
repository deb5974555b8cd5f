"""Windows of three shapes: circles, single fine hexes and stretches of a road, under one null."""

import zlib
from dataclasses import replace

import h3
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from layers.definition.model import RoadOptions, ScanOptions
from layers.detect.scan import Stream, by_all, draw_null, scan_stream, streams_of
from tests.unit.layers.test_alarm import CENTRE, RING, TODAY, child, only

FINE = 10
OPTIONS = ScanOptions(replicates=199, strata="none", single_resolution=FINE)
ROADS = RoadOptions(segment_m=500, max_km=5)
SPOT = sorted(h3.cell_to_children(CENTRE, FINE))[3]


def usual(days: int = 60) -> pd.DataFrame:
    """One a day, around a ring and beside no road; and in `CENTRE` one a day, anywhere in it."""
    busy = sorted(h3.cell_to_children(CENTRE, FINE))
    places = [(child(RING[ago % len(RING)]), ago) for ago in range(days)]
    places += [(int(h3.cell_to_center_child(busy[5 + ago % 40], 11), 16), ago)
               for ago in range(days)]  # fmt: skip
    return frame_of(places)


def frame_of(places: list[tuple[int, int]], first: int = 1, **columns: object) -> pd.DataFrame:
    """Records (hex of resolution 11, days before today), all of them cases."""
    return pd.DataFrame({
        "id": np.arange(len(places)) + first,
        "stream": "s",
        "cell": np.array([cell for cell, _ in places], np.int64),
        "day": [TODAY - ago for _, ago in places],
        "commune": "00004",
        "in_alarm": True,
        "precision_m": 10.0,
        "road": "",
        "road_part": 0,
        "road_m": np.nan,
        "road_km": False,
    }).assign(**columns)  # fmt: skip


def spot(ago: list[int], **columns: object) -> pd.DataFrame:
    """Cases at one crossing, on such days."""
    return frame_of([(int(h3.cell_to_center_child(SPOT, 11), 16), one) for one in ago], 900,
                    **columns)  # fmt: skip


def stretch(metres: list[float], known: bool = True) -> pd.DataFrame:
    """Cases of today along a road, each in a hex far from those of the others."""
    far = sorted(h3.grid_ring(CENTRE, 12))
    cells = [(child(far[5 * n]), 0) for n in range(len(metres))]
    beside = {"road": "QL4D", "road_part": int(not known), "road_m": metres, "road_km": known}
    return frame_of(cells, 900, **beside)


def scan(frame: pd.DataFrame, options: ScanOptions = OPTIONS):
    stream = only(frame, options)
    return scan_stream(stream, options, by_all(draw_null(stream, options)))


def together(*frames: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(frames, ignore_index=True)


def test_one_crossing_in_a_busy_hex_is_found_and_told_as_one_hex():
    frame = together(usual(), spot([0, 1, 2, 3, 4]))
    best = scan(frame).clusters[0]
    assert best.is_single
    assert (best.cells, best.centre, best.radius_m) == ((int(SPOT, 16),), int(SPOT, 16), 0.0)
    assert (best.observed, best.days, best.records) == (5, 5, (900, 901, 902, 903, 904))
    # Five of 125 cases lie there; of the last five days are two a day and those.
    assert best.expected == pytest.approx(5 * 15 / 125)
    assert best.llr == pytest.approx(5 * np.log(125 / 15)), "all five cases that it ever had"
    assert best.p < 0.05
    coarse = scan(frame, OPTIONS.model_copy(update={"single_resolution": None})).clusters[0]
    assert coarse.p > best.p, "among what is usual in its hex of 0.7 km² it is hardly seen"


def test_what_is_known_to_its_street_alone_is_at_no_crossing():
    frame = together(usual(), spot([0, 1, 2, 3, 4], precision_m=400.0))
    assert not any(one.is_single for one in scan(frame).clusters)


def test_a_stretch_of_a_road_is_found_and_told_by_its_kilometres():
    options = OPTIONS.model_copy(update={"roads": ROADS})
    metres = [98_200.0, 98_900.0, 99_600.0, 100_100.0, 100_700.0]
    best = scan(together(usual(), stretch(metres)), options).clusters[0]
    assert best.stretch is not None
    assert (best.stretch.road, best.stretch.from_m, best.stretch.to_m) == (
        "QL4D", 98_200.0, 100_700.0,
    )  # fmt: skip
    assert (best.observed, best.days, best.records) == (5, 1, (900, 901, 902, 903, 904))
    assert best.expected == pytest.approx(5 * 7 / 125)
    assert best.p < 0.05
    assert best.stretch.is_known and len(best.cells) == 5
    assert not scan(together(usual(), stretch(metres)).drop(columns="road"), options).clusters[0] \
        .stretch, "without roads there is none"  # fmt: skip


def test_a_road_that_is_too_long_for_one_stretch_and_two_roads_are_not_one():
    options = OPTIONS.model_copy(update={"roads": ROADS.model_copy(update={"max_km": 1.6})})
    apart = [98_200.0, 120_000.0, 140_000.0, 160_000.0, 180_000.0]
    assert not any(one.stretch for one in scan(together(usual(), stretch(apart)), options).clusters)
    near = stretch([98_200.0] * 5)
    near["road"] = [f"QL{n}" for n in range(5)]
    assert not any(one.stretch for one in scan(together(usual(), near), options).clusters)


def test_cases_beside_no_road_and_at_no_crossing_are_in_no_such_window():
    nowhere = spot([0] * 6, precision_m=1_000.0)
    options = OPTIONS.model_copy(update={"roads": ROADS})
    found = scan(together(usual(), nowhere, stretch([1_000.0]).assign(id=999)), options).clusters
    assert not any(one.is_single or one.stretch for one in found)


def binomial_llr(c: float, total: float, mu: float) -> float:
    rest = (total - c) * np.log((total - c) / (total - mu)) if total > c else 0.0
    return c * np.log(c / mu) + rest if c > mu else 0.0


def brute_force(stream: Stream, options: ScanOptions, day: np.ndarray) -> float:
    """The highest LLR of windows beside the circles, one after the other."""
    highest = 0.0
    for windows in stream.windows:
        for begin, end in zip(windows.first, windows.last, strict=True):
            inside = (windows.place >= begin) & (windows.place <= end)
            for days in range(1, options.max_days + 1):
                recent = day > stream.last_day - days
                c, total = (inside & recent).sum(), inside.sum()
                if c >= options.min_cases:
                    mu = total * recent.sum() / len(day)
                    highest = max(highest, binomial_llr(c, total, mu))
    return highest


def test_one_null_judges_all_shapes_each_replicate_by_one_order_of_the_days():
    """Each replicate is the highest of the circles, and of the windows of the very same order."""
    options = OPTIONS.model_copy(update={"roads": ROADS, "replicates": 99})
    rows = [500.0, 700.0, 1_900.0, 2_600.0]
    stream = only(together(usual(), spot([1, 5, 20]), stretch(rows)), options)
    assert len(stream.windows) == 2
    circles = draw_null(replace(stream, singles=None, stretches=None), options)
    draw = np.random.default_rng(zlib.crc32(b"s"))
    orders = [draw.permutation(len(stream.day)) for _ in range(99)]
    expected = [max(each, brute_force(stream, options, stream.day[order]))
                for each, order in zip(circles, orders, strict=True)]  # fmt: skip
    maxima = draw_null(stream, options)
    assert maxima == pytest.approx(np.array(expected))
    assert (maxima > circles).any() and (maxima == circles).any()


def test_quiet_days_alarm_no_more_often_than_nominal():
    """All shapes together: of 100 random orders of the days at most so many have p ≤ .05."""
    options = OPTIONS.model_copy(update={"roads": ROADS})
    frame = together(usual(), spot(list(range(3, 60, 7))), stretch([600.0 * n for n in range(12)]))
    frame["day"] = TODAY - np.random.default_rng(8).integers(0, 60, len(frame))
    origin = only(frame, options)
    null, draw = by_all(draw_null(origin, options)), np.random.default_rng(9)
    alarms = 0
    for _ in range(100):
        shuffled = frame.assign(day=draw.permutation(frame["day"].to_numpy()))
        (stream,) = streams_of(shuffled, options, TODAY)
        p = scan_stream(stream, options, null).p
        alarms += p is not None and p <= 0.05
    assert alarms <= binom.ppf(0.999, 100, 0.05)
    assert alarms >= 1, "the null is not so wide that nothing is ever seen"


def test_the_order_of_the_records_is_irrelevant():
    options = OPTIONS.model_copy(update={"roads": ROADS})
    frame = together(usual(), spot([0, 1, 2, 3, 4]), stretch([10.0, 700.0, 900.0]).assign(
        id=[950, 951, 952]))  # fmt: skip
    mixed = frame.sample(frac=1, random_state=1).reset_index(drop=True)
    before, after = (only(one, options) for one in (frame, mixed))
    null = by_all(np.linspace(1, 6, 99))
    assert scan_stream(before, options, null) == scan_stream(after, options, null)
