"""Scans of streams that did not change come from the evaluation before; others are made anew."""

from dataclasses import replace

import h3
import numpy as np
import pandas as pd
import pytest

from layers.definition.model import ScanOptions
from layers.detect.scan import by_all, scan_stream, streams_of
from layers.detect.scan_cache import ScanCache

OPTIONS = ScanOptions(replicates=99)
MAXIMA = np.linspace(1, 6, 99)
TODAY = 20_000


def reports() -> pd.DataFrame:
    """Two streams of 60 reports each in 80 days, the last 9 of each at one place and new."""
    random = np.random.default_rng(2)
    lat, lon = random.uniform(22.0, 22.3, 120), random.uniform(104.0, 104.3, 120)
    day = random.integers(TODAY - 80, TODAY + 1, 120)
    for stream in (0, 60):
        lat[stream : stream + 9], lon[stream : stream + 9] = 22.1 + stream / 1000, 104.1
        day[stream : stream + 9] = TODAY
    cells = [h3.str_to_int(h3.latlng_to_cell(*at, 11)) for at in zip(lat, lon, strict=True)]
    streams = np.repeat(["fire", "flood"], 60)
    return pd.DataFrame(
        {"id": range(120), "stream": streams, "cell": np.array(cells, np.int64), "day": day,
         "commune": "00004", "in_alarm": True}
    )  # fmt: skip


def test_a_stream_is_scanned_again_when_anything_that_it_goes_by_changes():
    rows, scans = reports(), ScanCache()
    fire, flood = streams_of(rows, OPTIONS, TODAY)
    first = [scans.scan("a", each, OPTIONS, MAXIMA) for each in (fire, flood)]
    assert first == [scan_stream(each, OPTIONS, by_all(MAXIMA)) for each in (fire, flood)]
    rows.loc[119, "day"] -= 1
    same, changed = streams_of(rows, OPTIONS, TODAY)
    assert scans.scan("a", same, OPTIONS, MAXIMA) is first[0]
    assert scans.scan("a", changed, OPTIONS, MAXIMA) is not first[1]
    assert scans.scan("b", same, OPTIONS, MAXIMA) is not first[0]


@pytest.mark.parametrize("column", ["id", "cell", "day", "commune", "in_alarm"])
def test_each_column_that_a_scan_goes_by_makes_it_anew(column):
    rows, scans = reports(), ScanCache()
    before = scans.scan("a", next(streams_of(rows, OPTIONS, TODAY)), OPTIONS, MAXIMA)
    new = {"id": 999, "cell": rows["cell"][60], "day": TODAY - 1, "commune": "x", "in_alarm": False}
    rows.loc[0, column] = new[column]
    stream = next(streams_of(rows, OPTIONS, TODAY))
    found = scans.scan("a", stream, OPTIONS, MAXIMA)
    assert found is not before
    assert found == scan_stream(stream, OPTIONS, by_all(MAXIMA))


def test_another_day_null_distribution_or_setting_makes_it_anew():
    stream, scans = next(streams_of(reports(), OPTIONS, TODAY)), ScanCache()
    for changed in (
        (stream, OPTIONS, MAXIMA),
        (stream, OPTIONS, MAXIMA + 1),
        (stream, OPTIONS.model_copy(update={"max_radius_km": 2.0}), MAXIMA),
        (replace(stream, last_day=TODAY + 1), OPTIONS, MAXIMA),
    ):
        assert scans.scan("a", *changed) == scan_stream(*changed[:2], by_all(changed[2]))
