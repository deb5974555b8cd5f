"""Zonal statistics by hand, by laws, and beside an independent way."""

from itertools import pairwise

import h3
import numpy as np
import pytest
import rasterstats
import shapely
from hypothesis import given
from hypothesis import strategies as st
from rasterio.transform import from_origin

from gis.errors import BadInput
from gis.rasters import zones
from gis.rasters.zones import hex_statistics, zonal_statistics
from tests.raster_files import write_raster

GRID = from_origin(0, 3, 1, 1)
NINE = np.arange(1, 10, dtype=np.float32).reshape(3, 3)


def shapes(*boxes):
    return np.array([shapely.box(*box) for box in boxes], object)


@pytest.fixture
def nine(tmp_path):
    return write_raster(tmp_path / "nine.tif", NINE, transform=GRID)


def test_whole_halves_and_quarters_of_pixels(nine):
    """The middle pixel is 5; a box over half of it, and over a corner of four."""
    areas = shapes((1, 1, 2, 2), (1, 1, 1.5, 2), (0.5, 1.5, 1.5, 2.5), (10, 10, 11, 11))
    found = zonal_statistics(nine, areas, ["count", "sum", "mean", "min", "max"])
    assert found["count"].tolist() == [1, 0.5, 1, 0]
    assert found["sum"][:3].tolist() == [5, 2.5, (1 + 2 + 4 + 5) / 4]
    assert np.isnan(found["sum"][3]) and np.isnan(found["mean"][3])
    assert (found["min"][2], found["max"][2]) == (1, 5)


def test_what_has_no_value_does_not_count(tmp_path):
    values = NINE.copy()
    values[1, 1] = np.nan
    path = write_raster(tmp_path / "a.tif", values, transform=GRID, nodata=np.nan)
    found = zonal_statistics(path, shapes((0, 0, 3, 3)), ["count", "sum"])
    assert (found["count"][0], found["sum"][0]) == (8, 40)


def test_a_statistic_that_there_is_not_is_named(nine):
    with pytest.raises(BadInput, match=r"average.*mean"):
        zonal_statistics(nine, shapes((0, 0, 1, 1)), ["average"])


@given(cuts=st.lists(st.floats(0.05, 2.95), min_size=1, max_size=4, unique=True))
def test_the_total_survives_any_cut(tmp_path_factory, cuts):
    path = write_raster(tmp_path_factory.mktemp("cut") / "a.tif", NINE, transform=GRID)
    edges = [0, *sorted(cuts), 3]
    strips = shapes(*((left, 0, right, 3) for left, right in pairwise(edges)))
    found = zonal_statistics(path, strips, ["sum", "count"])
    assert found["sum"].sum() == pytest.approx(45, rel=1e-6)
    assert found["count"].sum() == pytest.approx(9, rel=1e-6)


def test_results_are_in_the_order_of_the_areas_whatever_is_done_at_once(nine, monkeypatch):
    boxes = [(x, y, x + 1, y + 1) for y in range(3) for x in range(3)]
    order = [4, 0, 8, 2, 6, 1, 7, 3, 5]
    areas = shapes(*(boxes[number] for number in order))
    expected = [NINE[::-1].ravel()[number] for number in order]
    assert zonal_statistics(nine, areas, ["mean"])["mean"].tolist() == expected
    monkeypatch.setattr(zones, "_AT_ONCE", 2)
    assert zonal_statistics(nine, areas, ["mean"])["mean"].tolist() == expected


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # of rasterstats
def test_the_same_as_rasterstats_where_areas_are_of_whole_pixels(tmp_path):
    values = np.random.default_rng(5).random((40, 60)).astype(np.float32)
    path = write_raster(tmp_path / "a.tif", values, transform=from_origin(0, 40, 1, 1))
    areas = shapes(*((x, y, x + 7, y + 5) for x in range(0, 50, 9) for y in range(0, 30, 6)))
    ours = zonal_statistics(path, areas, ["sum", "min", "count"])
    theirs = rasterstats.zonal_stats(
        list(areas), str(path), stats=["sum", "min", "count"], nodata=-1
    )
    for name, column in ours.items():
        assert column == pytest.approx([one[name] for one in theirs], rel=1e-6)


def test_hexes_over_a_raster_in_metres_have_its_people(tmp_path):
    """An even density in EPSG:9208: the people of a hex are its area."""
    per_pixel = np.full((400, 400), 4.0, np.float32)  # 100 m pixels: 400 people a km²
    path = write_raster(
        tmp_path / "a.tif", per_pixel, transform=from_origin(400_000, 2_500_000, 100, 100),
        crs="EPSG:9208",
    )  # fmt: skip
    cells = sorted(h3.grid_disk(h3.latlng_to_cell(22.45, 103.95, 8), 3))
    found = hex_statistics(path, np.array([int(cell, 16) for cell in cells]), ["sum"])
    areas = np.array([shapely_area_km2(cell) for cell in cells])
    assert found["sum"] == pytest.approx(areas * 400, rel=1e-3)


def shapely_area_km2(cell):
    from pyproj import Geod

    ring = shapely.Polygon([(lon, lat) for lat, lon in h3.cell_to_boundary(cell)])
    return abs(Geod(ellps="WGS84").geometry_area_perimeter(ring)[0]) / 1e6


def test_an_area_along_the_edges_of_pixels_holds_none_beside_it(tmp_path):
    """At 104.1 a corner and the edge of a pixel differ by a rounding."""
    values = np.repeat(np.array([1, 2, 3], np.float32), 10)[None].repeat(10, axis=0)
    path = write_raster(tmp_path / "a.tif", values)
    areas = shapes(*((west, 22.0, round(west + 0.1, 6), 22.1) for west in (104.0, 104.1, 104.2)))
    found = zonal_statistics(path, areas, ["min", "max", "mean", "variety"])
    assert found["min"].tolist() == found["max"].tolist() == found["mean"].tolist() == [1, 2, 3]
    assert found["variety"].tolist() == [1, 1, 1]
