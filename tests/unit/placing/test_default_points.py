"""Many unrelated records on one coordinate are a default point; a sensor's are not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.placing.default_points import default_points, expected_subjects

HEAP = (103.97, 22.48)
KINDS = ["ổ gà", "mất điện", "đổ rác", "sạt lở", "cống tắc", "tiếng ồn"]

type Source = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def source(scattered: int, heaped: int, seed: int = 5) -> Source:
    """Reports all over the province, and `heaped` more on one coordinate, alike in all else."""
    random = np.random.default_rng(seed)
    n = scattered + heaped
    lon, lat = random.uniform(103.5, 105, n), random.uniform(21.4, 22.8, n)
    lon[scattered:], lat[scattered:] = HEAP
    return lon, lat, random.choice(KINDS, n), random.integers(0, 90, n)


def test_a_heap_of_unrelated_reports_is_marked_with_its_share() -> None:
    lon, lat, kinds, days = source(880, 120)
    found = default_points(lon, lat, kinds, days=days)
    assert found.mask.tolist() == [False] * 880 + [True] * 120
    [point] = found.found
    assert (point.lon, point.lat, point.count, point.share) == (*HEAP, 120, 0.12)
    assert found.share == 0.12
    assert "120 unrelated records on exactly one coordinate, 12.0%" in str(point)


def test_less_than_twenty_records_are_no_default_point() -> None:
    lon, lat, kinds, _ = source(500, 19)
    assert not default_points(lon, lat, kinds).mask.any()


def test_less_than_a_hundredth_of_the_source_is_no_default_point() -> None:
    lon, lat, kinds, _ = source(5000, 45)
    assert not default_points(lon, lat, kinds).mask.any()


def test_reports_about_one_thing_are_related() -> None:
    """A market with two hundred complaints about its rubbish."""
    lon, lat, kinds, days = source(1000, 200)
    kinds[1000:] = "đổ rác"
    assert not default_points(lon, lat, kinds, days=days).mask.any()


def test_reports_of_one_address_are_related_whatever_they_are_about() -> None:
    lon, lat, kinds, _ = source(1000, 200)
    addresses = [f"{i} đường Hoàng Liên" for i in range(1000)] + ["chợ Cốc Lếu"] * 200
    assert not default_points(lon, lat, kinds, addresses).mask.any()
    addresses[1000:] = [f"thôn {i}" for i in range(200)]
    assert default_points(lon, lat, kinds, addresses).mask.sum() == 200


def test_reports_of_one_day_are_related() -> None:
    lon, lat, kinds, days = source(1000, 200)
    days[1000:] = 33
    assert not default_points(lon, lat, kinds, days=days).mask.any()


def test_sensors_at_their_sites_are_never_marked() -> None:
    station = np.repeat(np.arange(10), 1000)
    measured = np.tile(["mưa", "nhiệt độ", "gió", "ẩm"], 2500)
    lon, lat = 103.5 + station * 0.1, np.full(10_000, 22.0)
    days = np.tile(np.arange(1000), 10)
    for subjects in ((station,), (measured,), (station, measured), ()):
        assert not default_points(lon, lat, *subjects, days=days).mask.any()


def test_one_busy_sensor_among_quiet_ones_is_not_marked_when_it_is_named() -> None:
    station = np.concatenate([np.zeros(5000, int), np.arange(1, 50)])
    lon, lat = 103.5 + station * 0.01, np.full(len(station), 22.0)
    assert not default_points(lon, lat, station).mask.any()


def test_one_sensor_alone_is_not_marked() -> None:
    lon, lat = np.full(1000, 103.9), np.full(1000, 22.4)
    assert not default_points(lon, lat).mask.any()
    assert not default_points(lon, lat, ["Sa Pa"] * 1000).mask.any()


def test_where_nothing_tells_only_a_great_heap_is_marked() -> None:
    lon, lat, *_ = source(960, 40)
    assert not default_points(lon, lat).mask.any()
    lon, lat, *_ = source(900, 100)
    assert default_points(lon, lat).mask.sum() == 100


def test_a_state_of_two_values_does_not_hide_a_default_point() -> None:
    lon, lat, kinds, _ = source(880, 120)
    states = np.random.default_rng(6).choice(["open", "closed"], 1000)
    assert default_points(lon, lat, kinds, states).mask.sum() == 120


def test_a_district_that_all_around_share_does_not_hide_a_default_point() -> None:
    lon, lat, kinds, _ = source(5000, 200)
    lon[:5000] = HEAP[0] + (lon[:5000] - 104.25) / 10  # a town of 15 km
    lat[:5000] = HEAP[1] + (lat[:5000] - 22.1) / 10
    district = np.floor(lon / 0.05) * 100 + np.floor(lat / 0.05)
    assert default_points(lon, lat, kinds, district).mask.sum() == 200
    station = np.where(np.arange(5200) < 5000, np.arange(5200), -1)
    assert not default_points(lon, lat, kinds, district, station).mask.any()


def test_two_default_points_are_listed_by_size() -> None:
    lon, lat, kinds, _ = source(1000, 300)
    lon[1200:], lat[1200:] = 104.2, 22.1
    found = default_points(lon, lat, kinds).found
    assert [point.count for point in found] == [200, 100]


def test_records_without_a_point_are_neither_marked_nor_counted() -> None:
    lon, lat, kinds, _ = source(880, 120)
    nowhere = np.full(4000, np.nan)
    found = default_points(
        np.concatenate([lon, nowhere]),
        np.concatenate([lat, nowhere]),
        np.concatenate([kinds, kinds.repeat(4)]),
    )
    assert found.found[0].share == 0.12
    assert found.mask.sum() == 120


@pytest.mark.parametrize("lon", [[], [np.nan], [103.9]])
def test_a_source_of_hardly_any_point_has_none(lon: list[float]) -> None:
    found = default_points(lon, lon, ["a"] * len(lon))
    assert found.found == () and not found.mask.any() and found.share == 0


@settings(deadline=None, max_examples=20)
@given(st.permutations(range(240)))
def test_the_order_of_records_does_not_matter(order: list[int]) -> None:
    lon, lat, kinds, days = source(200, 40)
    there = default_points(lon, lat, kinds, days=days)
    here = default_points(lon[order], lat[order], kinds[order], days=days[order])
    assert here.found == there.found
    np.testing.assert_array_equal(here.mask, there.mask[order])


def test_the_expected_subjects_are_those_of_a_draw() -> None:
    """Against 2000 draws of 12 records from 6 subjects of very different size."""
    codes = np.repeat(np.arange(6), [50, 20, 10, 5, 3, 2])
    random = np.random.default_rng(1)
    drawn = [len(np.unique(random.choice(codes, 12, replace=False))) for _ in range(2000)]
    assert expected_subjects(codes, 12) == pytest.approx(np.mean(drawn), abs=0.15)


def test_real_complaints_of_a_city_have_no_default_point(shared: object) -> None:
    """Chicago gives no coordinate to what it cannot geocode; 125 records at one gate are real."""
    from pathlib import Path

    from gis.intake.numbers import parse_numbers
    from gis.intake.tables import read_table

    assert isinstance(shared, Path)
    table = read_table(shared / "data" / "chicago_sanitation_complaints.csv.gz")
    lon, lat = (parse_numbers(table[name]).numbers for name in ("Longitude", "Latitude"))
    about = table["What_is_the_Nature_of_this_Code_Violation"]
    assert not default_points(lon, lat, about).mask.any()
    random = np.random.default_rng(2)
    lost = random.choice(len(lon), 10_000, replace=False)
    lon[lost], lat[lost] = -87.63, 41.88
    found = default_points(lon, lat, about)
    assert np.flatnonzero(found.mask).tolist() == sorted(lost)
