"""Rain between gauges and in windows of time; what is not known is never taken for no rain."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import BadInput
from gis.rasters.rain import (
    exceedance,
    interpolate_rain,
    leave_one_out,
    rain_sum,
    steps_of_window,
    wet_days_before,
)
from gis.rasters.raster import (
    RasterGrid,
    RasterQuantity,
    RasterSpec,
    RasterStack,
    StoredRaster,
)
from gis.values import TimeSpan
from tests.raster_files import write_raster

GAUGES = np.array([[104.0, 22.0], [104.1, 22.0], [104.0, 22.1]])
GRID = RasterGrid("EPSG:4326", 2, 1, 104.0, 22.1, 0.01, 0.01)


def stack_of(start, hours, count, folder=None):
    rasters = []
    for number in range(count):
        begin = start + timedelta(hours=hours * number)
        span = TimeSpan(begin, begin + timedelta(hours=hours))
        if folder is not None:
            write_raster(
                folder / f"{number}.tif",
                np.array([[number + 1, np.nan]], np.float32),
                nodata=np.nan,
            )
        rasters.append(StoredRaster(number, "rain", span, f"{number}.tif", "float32", float("nan"),
                                    {}, 0, "", False, start, ""))  # fmt: skip
    return RasterStack(GRID, tuple(rasters))


def test_at_a_gauge_it_is_what_the_gauge_says_and_between_two_their_mean():
    found = interpolate_rain(GAUGES[:2], [10, 30], [[104.0, 22.0], [104.05, 22.0], [104.1, 22.0]])
    assert found.rain_mm == pytest.approx([10, 20, 30], abs=1e-9)
    assert found.nearest_km == pytest.approx([0, 5.155, 0], abs=0.01)


def test_beyond_the_reach_of_all_gauges_nothing_is_said():
    found = interpolate_rain(GAUGES, [10, 10, 10], [[104.0, 22.2], [105.0, 23.0]], reach_km=15)
    assert found.rain_mm[0] == pytest.approx(10)
    assert np.isnan(found.rain_mm[1]) and found.nearest_km[1] > 130


def test_a_gauge_without_a_value_is_none_and_less_than_nothing_is_refused():
    found = interpolate_rain(GAUGES, [np.nan, 30, np.nan], [[104.0, 22.0]])
    assert found.rain_mm[0] == pytest.approx(30)
    nothing = interpolate_rain(GAUGES, [np.nan] * 3, [[104.0, 22.0]])
    assert np.isnan(nothing.rain_mm[0]) and np.isinf(nothing.nearest_km[0])
    with pytest.raises(BadInput, match="less than 0"):
        interpolate_rain(GAUGES, [-1, 0, 0], [[104.0, 22.0]])


@given(rain=st.lists(st.floats(0, 500), min_size=3, max_size=3), lon=st.floats(103.9, 104.2))
def test_it_stays_between_the_least_and_the_most_of_its_gauges(rain, lon):
    found = interpolate_rain(GAUGES, rain, [[lon, 22.05]]).rain_mm[0]
    assert min(rain) - 1e-9 <= found <= max(rain) + 1e-9
    again = interpolate_rain(GAUGES[::-1], rain[::-1], [[lon, 22.05]]).rain_mm[0]
    assert again == pytest.approx(found)


def test_leaving_one_out_measures_how_far_it_can_be_trusted():
    assert leave_one_out(GAUGES, [7, 7, 7]) == pytest.approx([0, 0, 0])
    errors = leave_one_out(GAUGES, [100, 0, 0])
    assert errors[0] == pytest.approx(-100) and errors[1] > 0
    assert np.isnan(leave_one_out(GAUGES, [1, 2, 3], reach_km=1)).all()


def test_a_window_is_made_of_whole_steps_that_are_all_there():
    start = datetime(2024, 9, 1, tzinfo=UTC)
    stack = stack_of(start, 6, 8)
    window = steps_of_window(stack, start + timedelta(hours=30), 24)
    assert [step.id for step in window] == [1, 2, 3, 4]
    assert steps_of_window(stack, start + timedelta(hours=29), 24) is None
    assert steps_of_window(stack, start + timedelta(hours=54), 24) is None
    gap = RasterStack(GRID, tuple(step for step in stack.rasters if step.id != 3))
    assert steps_of_window(gap, start + timedelta(hours=30), 24) is None


def test_a_day_of_rain_ends_at_19_hours_of_its_date():
    spec = RasterSpec(RasterQuantity.MEASURE, "mm", has_time=True, step_hours=1,
                      day_boundary=time(19))  # fmt: skip
    day = spec.day_of(date(2024, 9, 10))
    assert day.start == datetime(2024, 9, 9, 12, tzinfo=UTC)
    assert day.end == datetime(2024, 9, 10, 12, tzinfo=UTC)
    civil = RasterSpec(RasterQuantity.MEASURE, "mm").day_of(date(2024, 9, 10))
    assert civil.start == datetime(2024, 9, 9, 17, tzinfo=UTC)
    hourly = stack_of(datetime(2024, 9, 9, tzinfo=UTC), 1, 48)
    steps = steps_of_window(hourly, day.end, 24)
    assert steps[0].start == day.start and len(steps) == 24


def test_a_sum_lacks_what_one_step_lacks(tmp_path: Path):
    stack = stack_of(datetime(2024, 9, 1, tzinfo=UTC), 24, 3, tmp_path)
    total = rain_sum(stack.rasters, tmp_path)
    assert total[0, 0] == 6 and np.isnan(total[0, 1])


def test_days_of_rain_before_are_counted_back_from_yesterday():
    days = np.array([[5, 5, np.nan], [0, 5, 5], [5, 5, 5], [5, np.nan, 5], [99, 99, 99]], float)
    found = wet_days_before(days, 1.0)
    assert found[0] == 2 and np.isnan(found[1]) and np.isnan(found[2])


def test_exceedance_counts_thresholds_and_says_when_it_does_not_know():
    assert exceedance([0, 50, 99.9, 200, np.nan], [50, 100, 200]).tolist() == [0, 1, 1, 3, -1]
