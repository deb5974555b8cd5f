"""The tile grid: hand-checkable tiles, and laws for all of them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import NotFound
from tiles.grid import HALF_WORLD_M, Tile, pixel_m, tile_at

ZOOMS = st.integers(0, 22)
LON = st.floats(-180, 180, exclude_max=True)
LAT = st.floats(-85, 85)


def test_the_only_tile_of_zoom_0_is_the_world_between_85_degrees():
    box = Tile(0, 0, 0).bbox(margin=0)
    assert (box.west, box.east) == (-180, 180)
    assert box.north == pytest.approx(85.0511287798)  # EPSG:3857, area of use
    assert box.south == -box.north


def test_a_known_tile_holds_a_known_place():
    # By the formulas of OpenStreetMap's wiki, "Slippy map tilenames".
    assert tile_at(-0.5, 51.5, 10) == Tile(10, 510, 340)
    assert tile_at(103.97, 22.48, 8) == Tile(8, 201, 111)


@pytest.mark.parametrize("zxy", [(0, 1, 0), (0, 0, -1), (3, 8, 0), (-1, 0, 0), (23, 0, 0)])
def test_there_is_no_tile_beyond_the_grid(zxy):
    with pytest.raises(NotFound, match="x and y are 0 to 2"):
        Tile(*zxy)


@given(LON, LAT, ZOOMS)
def test_the_tile_of_a_point_holds_the_point(lon, lat, z):
    box = tile_at(lon, lat, z).bbox(margin=1e-6)
    assert box.holds(lon, lat)


@given(LON, LAT, st.integers(1, 22))
def test_the_tile_of_a_point_lies_in_the_tile_one_zoom_up(lon, lat, z):
    fine, coarse = tile_at(lon, lat, z), tile_at(lon, lat, z - 1)
    assert (fine.x // 2, fine.y // 2) == (coarse.x, coarse.y)


@given(ZOOMS)
def test_a_tile_is_512_pixels_wide(z):
    assert math.isclose(Tile(z, 0, 0).size_m, 512 * pixel_m(z))
    assert math.isclose(Tile(z, 0, 0).size_m * 2**z, 2 * HALF_WORLD_M)
