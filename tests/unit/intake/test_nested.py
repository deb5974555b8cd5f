"""Nested records become columns by their paths, and no value changes on the way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.intake.nested import at_path, nested_table
from gis.intake.numbers import parse_numbers

RECORDS = [
    {"id": 1, "station": {"name": "Sa Pa", "place": [103.8, 22.3]}, "on": True, "note": None},
    {"id": 2, "station": {"name": "Bát Xát"}, "tags": ["a", {"b": 1}]},
]


def test_declared_paths_and_all_other_members_are_columns():
    table = nested_table("bus", RECORDS, ["id", "station.name", "station.place.0", "lost"])
    assert table.columns == ("id", "station.name", "station.place.0", "on", "note", "tags")
    assert table["station.name"] == ["Sa Pa", "Bát Xát"]
    assert table["station.place.0"] == ["103.8", ""]
    assert table["on"] == ["true", ""]
    assert table["tags"] == ["", '["a",{"b":1}]']
    assert list(table.lines) == [1, 2]


@pytest.mark.parametrize("path", ["station.place.5", "station.name.x", "id.0", "", "tags.x"])
def test_a_path_to_nowhere_is_nothing(path):
    assert at_path(RECORDS[0], path) is None


def test_members_named_by_values_do_not_become_a_thousand_columns():
    records = [{"id": 1, "days": {f"2026-01-{n:03}": n for n in range(500)}}]
    assert nested_table("x", records, ["id"]).columns == ("id", "days")


def test_geometries_are_read_and_a_bad_one_is_reported():
    point = {"type": "Point", "coordinates": [103.8, 22.3, 1500]}
    records = [{"id": 1, "geometry": point}, {"id": 2, "geometry": None},
               {"id": 3, "geometry": {"type": "Point", "coordinates": []}}]  # fmt: skip
    table = nested_table("x", records, ["id"], geometry="geometry")
    assert table.geometry is not None
    assert table.crs == "EPSG:4326"
    assert (table.geometry[0].x, table.geometry[0].y) == (103.8, 22.3)
    assert list(table.unread) == [2]
    assert table.columns == ("id",)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_numbers_come_back_as_they_were_and_need_no_question(numbers):
    table = nested_table("x", [{"v": number} for number in numbers], ["v"])
    np.testing.assert_array_equal(parse_numbers(table["v"]).numbers, numbers)


def test_a_nul_is_a_fault_of_its_record():
    table = nested_table("x", [{"v": "a\0b"}, {"v": "c"}], ["v"])
    assert list(table.faults) == [0]
