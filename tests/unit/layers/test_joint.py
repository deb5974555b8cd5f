"""Several streams in one valley: found together where none is seen alone, and seldom by chance."""

import h3
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from layers.definition.model import JointOptions, ScanOptions
from layers.detect.joint import joint_clusters, joint_stream, scan_options
from layers.detect.scan import by_all, draw_null, scan_stream, streams_of
from tests.unit.layers.test_alarm import CENTRE, TODAY, child

OPTIONS = JointOptions(replicates=199, max_radius_km=3)
STREAMS = ("roads:closed", "power:cut", "landslide")
WIDE = sorted(h3.grid_disk(CENTRE, 12))
VALLEY = sorted(h3.grid_disk(CENTRE, 1))


def usual(seed: int = 1, days: int = 60) -> pd.DataFrame:
    """Each stream has a rate of its own, and its own course: power is cut more and more."""
    random = np.random.default_rng(seed)
    rows = []
    for stream, count in zip(STREAMS, (60, 90, 30), strict=True):
        ago = random.integers(0, days, count)
        if stream == "power:cut":
            ago = np.minimum(ago, random.integers(0, days, count))
        places = random.integers(0, len(WIDE), count)
        rows += [(stream, WIDE[at], int(one)) for at, one in zip(places, ago, strict=True)]
    return frame_of(rows)


def frame_of(rows: list[tuple[str, str, int]], first: int = 1) -> pd.DataFrame:
    return pd.DataFrame({
        "id": np.arange(len(rows)) + first,
        "stream": [stream for stream, _, _ in rows],
        "cell": np.array([child(cell, n % 5) for n, (_, cell, _) in enumerate(rows)], np.int64),
        "day": [TODAY - ago for _, _, ago in rows],
        "commune": "00004",
        "in_alarm": True,
        "precision_m": 10.0,
    })  # fmt: skip


def valley(each: dict[str, int]) -> pd.DataFrame:
    """So many reports of each stream, yesterday and today, in seven hexes."""
    rows = [(stream, VALLEY[n % len(VALLEY)], n % 2)
            for stream, count in each.items() for n in range(count)]  # fmt: skip
    return frame_of(rows, 900)


def joint(frame: pd.DataFrame, options: JointOptions = OPTIONS):
    stream = joint_stream(frame, options, TODAY)
    assert stream is not None
    null = by_all(draw_null(stream, scan_options(options)))
    return joint_clusters(stream, options, null)


def rarest_alone(frame: pd.DataFrame) -> float:
    options = ScanOptions(replicates=199, strata="none", roads=None, max_radius_km=3, max_days=7)
    streams = streams_of(frame, options, TODAY)
    each = [scan_stream(one, options, by_all(draw_null(one, options))).p for one in streams]
    return min(one for one in each if one is not None)


def test_three_streams_in_one_valley_are_one_situation_though_none_is_rare_by_itself():
    frame = pd.concat([usual(), valley(dict.fromkeys(STREAMS, 3))], ignore_index=True)
    (best, *_) = joint(frame)
    assert {one.name for one in best.shares} == set(STREAMS)
    assert best.cluster.p < rarest_alone(frame) / 3
    assert best.cluster.p < 0.01
    assert set(best.cluster.cells) & {h3.str_to_int(cell) for cell in VALLEY}
    assert sum(one.observed for one in best.shares) == best.cluster.observed


def test_what_is_expected_is_the_sum_of_what_each_stream_has_there_and_then():
    frame = pd.concat([usual(), valley(dict.fromkeys(STREAMS, 3))], ignore_index=True)
    best = joint(frame)[0]
    cells, days = set(best.cluster.cells), best.cluster.days
    total = 0.0
    for _, rows in frame.groupby("stream"):
        inside = [int(h3.cell_to_parent(f"{cell:x}", 8), 16) in cells for cell in rows["cell"]]
        total += sum(inside) * (rows["day"] > TODAY - days).sum() / len(rows)
    assert best.cluster.expected == pytest.approx(total)


def test_one_stream_alone_is_no_situation_of_several_however_many_it_has():
    assert joint(pd.concat([usual(), valley({"power:cut": 14})], ignore_index=True)) == []
    few = pd.concat([usual(), valley({"power:cut": 9, "landslide": 1})], ignore_index=True)
    assert joint(few) == [], "one case is anywhere"


def test_a_rise_of_a_stream_everywhere_is_no_situation_of_a_valley():
    """A storm cuts power in the whole province: its own days are the null of that stream."""
    random = np.random.default_rng(3)
    storm = frame_of([("power:cut", WIDE[int(at)], int(ago)) for at, ago in
                      zip(random.integers(0, len(WIDE), 120), random.integers(0, 2, 120),
                          strict=True)], 900)  # fmt: skip
    assert not [one for one in joint(pd.concat([usual(), storm], ignore_index=True))
                if one.cluster.p < 0.01]  # fmt: skip


def test_quiet_days_bring_no_more_situations_than_nominal():
    """Of 100 orders of the days, each stream's within itself, at most so many have p ≤ .05."""
    frame = usual(5)
    origin = joint_stream(frame, OPTIONS, TODAY)
    assert origin is not None
    null, draw, alarms = (
        by_all(draw_null(origin, scan_options(OPTIONS))),
        np.random.default_rng(6),
        0,
    )
    for _ in range(100):
        day = frame.groupby("stream")["day"].transform(
            lambda days: draw.permutation(days.to_numpy())
        )
        stream = joint_stream(frame.assign(day=day), OPTIONS, TODAY)
        assert stream is not None
        alarms += any(one.cluster.p <= 0.05 for one in joint_clusters(stream, OPTIONS, null))
    assert alarms <= binom.ppf(0.999, 100, 0.05)
