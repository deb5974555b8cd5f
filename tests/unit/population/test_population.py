"""Nobody is lost or counted twice between a file and the hexes."""

from pathlib import Path

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import AmbiguousInput, BadFile
from gis.hexes import areas_km2, boundaries
from gis.population.pieces import PeopleByCell, pieces_of, sum_by_cell
from gis.population.raster import open_raster, people_in
from gis.population.table import read_people, spread_evenly
from tests.population_files import NORTH, PEOPLE, PIXEL, WEST, write_raster, write_table

KNOWN = {"00001", "00004"}
WHOLE = shapely.box(WEST, NORTH - 3 * PIXEL, WEST + 3 * PIXEL, NORTH)
CORNER = shapely.Polygon([(104.09, 22.01), (104.115, 22.02), (104.1, 22.035)])


def people_of(path: Path, area: shapely.Geometry) -> PeopleByCell:
    with open_raster(path) as raster:
        return sum_by_cell(list(raster.people_of(area)))


def total(found: PeopleByCell) -> float:
    return float(found.people.sum())


def test_pixels_are_divided_by_area_among_the_shapes_that_they_lie_in():
    """2 × 2 pixels of 1 × 1; the shapes cover them by halves, a whole and nothing."""
    people = np.array([[10.0, 20.0], [40.0, 0.0]])
    shapes = np.array(
        [shapely.box(0, 0, 0.5, 2), shapely.box(1, 1, 2, 2), shapely.box(9, 9, 10, 10)]
    )
    assert people_in(shapes, people, (0, 0, 2, 2)).tolist() == [25, 20, 0]


def test_all_people_of_a_raster_are_in_its_hexes_and_none_of_no_data(tmp_path):
    path = write_raster(tmp_path / "people.tif")
    assert total(people_of(path, WHOLE)) == pytest.approx(3600, rel=1e-6)
    wide = shapely.buffer(WHOLE, 0.005, join_style="mitre")
    assert total(people_of(path, wide)) == pytest.approx(3600, rel=1e-6)
    last = shapely.box(WEST + 2 * PIXEL, NORTH - 3 * PIXEL, WEST + 3 * PIXEL, NORTH - 2 * PIXEL)
    assert len(people_of(path, last).cells) == 0


def test_the_people_of_two_parts_are_those_of_the_whole(tmp_path):
    path = write_raster(tmp_path / "people.tif")
    parts = [people_of(path, one) for one in (CORNER, shapely.difference(WHOLE, CORNER))]
    assert total(sum_by_cell(parts)) == pytest.approx(3600, rel=1e-6)


def test_a_raster_in_the_metres_of_the_province_has_the_same_people(tmp_path):
    vn2000 = "EPSG:9210"
    to_metres = pyproj.Transformer.from_crs("EPSG:4326", vn2000, always_xy=True).transform
    corner = to_metres(WEST, NORTH)
    path = write_raster(tmp_path / "people.tif", crs=vn2000, corner=corner, pixel=2000.0)
    wide = shapely.buffer(WHOLE, 0.02)
    assert total(people_of(path, wide)) == pytest.approx(3600, rel=1e-6)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.floats(0, 1e5), min_size=9, max_size=9))
def test_people_are_conserved_whatever_the_raster_holds(numbers):
    cells = np.concatenate([some.cells for some in pieces_of(CORNER)])
    shapes = np.concatenate([some.shapes for some in pieces_of(CORNER)])
    people = np.array(numbers).reshape(3, 3)
    bounds = shapely.bounds(WHOLE)
    found = people_in(shapes, people, tuple(bounds))
    assert len(np.unique(cells)) == len(cells)
    whole = people_in(np.array([CORNER]), people, tuple(bounds))[0]
    assert found.sum() == pytest.approx(whole, rel=1e-6, abs=1e-6)


def test_pieces_of_an_area_are_the_area_without_overlaps():
    pieces = np.concatenate([some.shapes for some in pieces_of(CORNER)])
    assert shapely.area(pieces).sum() == pytest.approx(CORNER.area, rel=1e-9)
    assert shapely.area(shapely.union_all(pieces)) == pytest.approx(CORNER.area, rel=1e-6)


def test_the_people_of_a_commune_are_as_many_on_each_square_kilometre():
    found = sum_by_cell(spread_evenly(CORNER, 1234.0))
    assert total(found) == pytest.approx(1234)
    whole = shapely.contains(CORNER, boundaries(found.cells))
    density = found.people[whole] / areas_km2(found.cells[whole])
    assert density == pytest.approx(np.full(whole.sum(), density[0]))
    assert (found.people[~whole] / areas_km2(found.cells[~whole]) < density[0]).all()


@pytest.mark.parametrize(
    ("head", "row"),
    [
        ("Mã xã;Dân số", "1;12.345,0"),
        ("code,population", "00001,12345"),
        ("ma_xa,dan_so", "1,12345"),
    ],
)
def test_a_table_is_read_by_vietnamese_or_english_names(tmp_path, head, row):
    path = write_table(tmp_path / "people.csv", head, row)
    assert read_people(path, KNOWN, encoding=None, number_format=None) == {"00001": 12345}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (["99999,5"], "line 2: “99999” .* no code of a commune of today"),
        (["00001,5", "00001,6"], "line 3: mã “00001” .* comes again"),
        (["00001,-5"], "line 2: .* must be a number from 0"),
        (["00001,"], "line 2: .* must be a number from 0"),
        (["00001,many"], "line 2: “many”.* is not a number"),
    ],
)
def test_a_faulty_table_is_reported_by_its_line(tmp_path, rows, told):
    path = write_table(tmp_path / "people.csv", "code,people", *rows)
    with pytest.raises(BadFile, match=told):
        read_people(path, KNOWN, encoding=None, number_format=None)


def test_a_table_without_its_columns_and_a_number_with_two_readings_are_reported(tmp_path):
    path = write_table(tmp_path / "people.csv", "xã,dân", "00001,5")
    with pytest.raises(BadFile, match=r"needs one column named “ma_xa”"):
        read_people(path, KNOWN, encoding=None, number_format=None)
    path = write_table(tmp_path / "people.csv", "code,people", "00001,12.345")
    with pytest.raises(AmbiguousInput, match="decimal_comma"):
        read_people(path, KNOWN, encoding=None, number_format=None)
    found = read_people(path, KNOWN, encoding=None, number_format="decimal_comma")
    assert found == {"00001": 12345}


@pytest.mark.parametrize(
    ("people", "more", "told"),
    [
        (np.where(PEOPLE < 0, -9999, PEOPLE), {}, "a pixel has -9999 people"),
        (PEOPLE, {"crs": None}, "no CRS"),
        (np.array([PEOPLE, PEOPLE]), {}, "2 bands"),
    ],
)
def test_a_raster_that_cannot_be_of_people_is_reported(tmp_path, people, more, told):
    path = write_raster(tmp_path / "people.tif", people, **more)
    with pytest.raises(BadFile, match=told):
        people_of(path, WHOLE)


def test_what_is_no_raster_is_reported(tmp_path):
    path = write_table(tmp_path / "people.tif", "hello")
    with pytest.raises(BadFile, match=r"people\.tif cannot be read as a raster"):
        people_of(path, WHOLE)
