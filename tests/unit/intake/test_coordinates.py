"""Places as people write them: degrees with signs, two numbers in a column, WKT and GeoJSON."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gis.intake.coordinates import parse_angle, parse_degrees, place_column, with_places
from gis.intake.tables import RawTable, read_table
from tests.intake_layers import FILES


def table_of(*values: str, **columns: list[str]) -> RawTable:
    cells = {"noi": list(values), **columns}
    return RawTable("a.csv", "", tuple(cells), cells, range(2, len(values) + 2))


@pytest.mark.parametrize(
    ("text", "degrees"),
    [
        ("22.48°", 22.48),
        ("22,48°", 22.48),
        ("103°58'14\"E", 103 + 58 / 60 + 14 / 3600),
        ("103° 58′ 14.5″ E", 103 + 58 / 60 + 14.5 / 3600),
        ("22º29'08,25\"B", 22 + 29 / 60 + 8.25 / 3600),
        ("22 độ 29 phút 8 giây Bắc", 22 + 29 / 60 + 8 / 3600),
        ("103°58.25'Đ", 103 + 58.25 / 60),
        ("N22°29'08\"", 22 + 29 / 60 + 8 / 3600),
        ("22:29:08", 22 + 29 / 60 + 8 / 3600),
        ("22 29 08 N", 22 + 29 / 60 + 8 / 3600),
        ("22°29'08''", 22 + 29 / 60 + 8 / 3600),
        ("12°30'S", -12.5),
        ("77.5° W", -77.5),
        ("-12°30'", -12.5),
    ],
)
def test_an_angle_is_read_as_it_is_written(text: str, degrees: float) -> None:
    assert parse_angle(text) == pytest.approx(degrees, abs=1e-12)


@pytest.mark.parametrize("text", ["22°61'", "22°29'75\"", "22.5°30'", "200°", "tổ 3", "°", "", "N"])
def test_what_is_no_angle_is_none(text: str) -> None:
    assert parse_angle(text) is None


@given(st.integers(0, 179), st.integers(0, 59), st.integers(0, 59))
def test_every_whole_second_comes_back(degrees: int, minutes: int, seconds: int) -> None:
    written = f"{degrees}°{minutes:02d}'{seconds:02d}\"E"
    read = parse_angle(written)
    assert read is not None and round(read * 3600) == degrees * 3600 + minutes * 60 + seconds


def test_degrees_with_signs_stand_beside_plain_ones() -> None:
    table = read_table(FILES / "dms.csv")
    lon = parse_degrees(table["lon"])
    assert lon.numbers[0] == pytest.approx(103.970556, abs=1e-6) and lon.numbers[4] == 105.85
    assert np.isnan(lon.numbers[2]) and lon.faults == {}
    assert set(parse_degrees(["103.9", "gần chợ"]).faults) == {1}


def test_two_numbers_in_one_column_are_latitude_and_longitude() -> None:
    table = read_table(FILES / "latlon_onecol.csv")
    column = place_column(table, ["id", "when"])
    assert column == "location"
    located = with_places(table, column)
    assert located.crs == "EPSG:4326:yx" and located.points is not None
    np.testing.assert_allclose(located.points, [[22.4856, 22.4276], [103.9707, 104.01]])


@pytest.mark.parametrize(
    ("value", "crs", "first"),
    [
        ("22.4856, 103.9707", "EPSG:4326:yx", 22.4856),
        ("103.9707 22.4856", "EPSG:4326", 103.9707),
        ("(22.4856; 103.9707)", "EPSG:4326:yx", 22.4856),
        ("22,4856; 103,9707", "EPSG:4326:yx", 22.4856),
        ("22.4856,103.9707,310.5,5", "EPSG:4326:yx", 22.4856),
        ("22°29'08\"N, 103°58'14\"E", "EPSG:4326:yx", 22 + 29 / 60 + 8 / 3600),
        ("103°58'14\"E 22°29'08\"N", "EPSG:4326", 103 + 58 / 60 + 14 / 3600),
        ("12.5, 41.9", None, 12.5),  # which is which no value proves: the CRS is asked about
    ],
)
def test_the_order_of_two_numbers_is_what_they_prove(
    value: str, crs: str | None, first: float
) -> None:
    located = with_places(table_of(value, ""), "noi")
    assert located.crs == crs and located.points is not None
    assert located.points[0][0] == pytest.approx(first) and np.isnan(located.points[0][1])


@pytest.mark.parametrize(
    "value",
    [
        "POINT (103.9707 22.4856)",
        "point(103.9707 22.4856)",
        "POINT Z (103.9707 22.4856 5)",
        "SRID=4326;POINT(103.9707 22.4856)",
        '{"type": "Point", "coordinates": [103.9707, 22.4856]}',
        shapely.to_wkb(shapely.Point(103.9707, 22.4856), hex=True),
        shapely.to_wkb(
            shapely.set_srid(shapely.Point(103.9707, 22.4856), 4326), hex=True, include_srid=True
        ),
    ],
)
def test_a_geometry_in_a_column_is_read(value: str) -> None:
    table = table_of(value, value, "", ghi_chu=["a", "b", "c"])
    assert place_column(table) == "noi"
    located = with_places(table, "noi")
    assert located.crs == "EPSG:4326" and located.geometry is not None
    assert shapely.to_wkt(located.geometry[0], trim=True) == "POINT (103.9707 22.4856)"
    assert located.geometry[2] is None and located.unread == {}


def test_a_geometry_that_cannot_be_read_is_a_fault_of_its_row() -> None:
    good, unclosed = "POLYGON ((0 0, 1 0, 1 1, 0 0))", "POLYGON ((0 0, 1 0, 1 1))"
    located = with_places(table_of(good, unclosed, good, good, good), "noi")
    assert set(located.unread) == {1} and located.geometry is not None
    assert located.geometry[1] is None and located.geometry[4] is not None


def test_another_crs_than_that_of_the_column_is_a_fault_of_its_row() -> None:
    located = with_places(table_of("SRID=9208;POINT(1 2)", "SRID=3405;POINT(1 2)"), "noi", "x")
    assert set(located.unread) in ({0}, {1}, {0, 1})


@pytest.mark.parametrize("values", [["1, 2", "3, 4"], ["Sa Pa", "thôn 3, xã A"], ["", ""], ["5"]])
def test_a_column_of_other_things_is_no_column_of_places(values: list[str]) -> None:
    assert place_column(table_of(*values)) is None


def test_of_two_columns_of_places_none_is_chosen() -> None:
    points = ["POINT (1 2)", "POINT (1 3)"]
    assert place_column(table_of(*points, noi_khac=points)) is None
