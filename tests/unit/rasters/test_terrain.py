"""Terrain of planes, cones, valleys and hollows, whose answers are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.rasters.flow import accumulation, distance_to_river, flow_direction
from gis.rasters.terrain import aspect, gradient, hillshade, pixel_metres, slope

ROWS, COLUMNS = np.mgrid[0:9, 0:11].astype(float)
INNER = (slice(1, -1), slice(1, -1))


def plane(east: float, north: float, pixel_x: float = 30, pixel_y: float = 30) -> np.ndarray:
    """Rises so many metres a metre to the east and to the north."""
    return 500 + east * COLUMNS * pixel_x - north * ROWS * pixel_y


@given(
    east=st.floats(-2, 2),
    north=st.floats(-2, 2),
    pixel_x=st.floats(5, 90),
    pixel_y=st.floats(5, 90),
)
def test_the_slope_of_a_plane_is_its_own(east, north, pixel_x, pixel_y):
    found = slope(*gradient(plane(east, north, pixel_x, pixel_y), pixel_x, pixel_y))
    assert found[INNER] == pytest.approx(np.degrees(np.arctan(np.hypot(east, north))), abs=1e-6)
    assert np.isnan(found[0]).all() and np.isnan(found[:, -1]).all()


@pytest.mark.parametrize(
    ("east", "north", "facing"),
    [(0, -1, 0), (-1, -1, 45), (-1, 0, 90), (0, 1, 180), (1, 0, 270), (1, -1, 315)],
)
def test_a_slope_faces_where_it_falls(east, north, facing):
    assert aspect(*gradient(plane(east, north), 30, 30))[INNER] == pytest.approx(facing)


def test_flat_ground_has_no_aspect_and_the_light_of_the_sun():
    flat = np.zeros((5, 5))
    assert np.isnan(aspect(*gradient(flat, 30, 30))).all()
    assert hillshade(flat, 30, 30, 315, 45)[INNER] == pytest.approx(np.sin(np.pi / 4))
    towards = plane(np.tan(np.pi / 4), 0)  # faces west at 45°
    assert hillshade(towards, 30, 30, 270, 45)[INNER] == pytest.approx(1)
    assert hillshade(towards, 30, 30, 90, 45)[INNER] == pytest.approx(0, abs=1e-12)


def test_a_cone_is_as_steep_everywhere_and_faces_outwards():
    size, steep, pixel = 81, 0.5, 10.0
    rows, columns = np.mgrid[0:size, 0:size] - (size - 1) / 2
    away = np.hypot(rows, columns) * pixel
    heights = 1000 - steep * away
    far = (away > 200) & (away < 350)
    found = slope(*gradient(heights, pixel, pixel))[far]
    assert found == pytest.approx(np.degrees(np.arctan(steep)), abs=0.05)
    outwards = np.degrees(np.arctan2(columns, -rows))[far] % 360
    turned = (aspect(*gradient(heights, pixel, pixel))[far] - outwards + 180) % 360 - 180
    assert np.abs(turned).max() < 0.5


def test_what_has_no_height_gives_none_around_it():
    heights = plane(0.1, 0.2)
    heights[4, 5] = np.nan
    assert np.isnan(slope(*gradient(heights, 30, 30))[3:6, 4:7]).all()
    assert np.isfinite(slope(*gradient(heights, 30, 30))[INNER]).sum() == 7 * 9 - 9


def test_a_pixel_in_degrees_is_measured_in_metres():
    """A degree of latitude at 22.3° N is 110.74 km, one of longitude 103.04 km (WGS 84)."""
    width, height = pixel_metres("EPSG:4326", 104, 22.3, 0.01, 0.01)
    assert (width, height) == (pytest.approx(1030.4, abs=0.5), pytest.approx(1107.4, abs=0.5))
    width, height = pixel_metres("EPSG:9208", 420_000, 2_480_000, 30, 30)
    assert (width, height) == (pytest.approx(30, rel=2e-3), pytest.approx(30, rel=2e-3))


def test_water_runs_down_a_plane_and_along_a_valley_to_its_mouth():
    valley = 100 + 5 * np.abs(COLUMNS - 5) + 1.0 * ROWS  # falls to the north, to column 5
    directions, filled = flow_direction(valley)
    assert (filled == valley).all()
    assert (directions[1:, 5] == 64).all()  # north
    assert (directions[2:-1, 1:5] == 1).sum() + (directions[2:-1, 1:5] == 128).sum() == 24
    water = accumulation(directions)
    assert water[0].sum() + water[:, 0].sum() + water[:, -1].sum() + water[-1].sum() >= valley.size
    assert water[1, 5] > water[4, 5] > water[7, 5]


def test_the_way_to_the_river_is_along_the_flow():
    slope_east = -1.0 * COLUMNS * 10  # falls to the east
    directions, _ = flow_direction(slope_east)
    river = COLUMNS == 8
    found = distance_to_river(directions, river, 10, 30)
    assert found[4].tolist()[:9] == [80, 70, 60, 50, 40, 30, 20, 10, 0]
    assert np.isnan(found[4, 9:]).all()  # beyond the river the water leaves the raster


def test_a_hollow_is_filled_to_its_lowest_rim_and_drains_over_it():
    heights = np.full((7, 7), 10.0)
    heights[2:5, 2:5] = 4
    heights[3, 5] = 6
    heights[3, 6] = 5
    directions, filled = flow_direction(heights)
    assert (filled[2:5, 2:5] == 6).all()
    river = np.zeros((7, 7), bool)
    river[3, 6] = True
    assert np.isfinite(distance_to_river(directions, river, 1, 1)[2:5, 2:5]).all()


@given(seed=st.integers(0, 30))
def test_no_water_runs_in_a_circle_and_all_of_it_leaves(seed):
    heights = np.random.default_rng(seed).integers(0, 6, (12, 9)).astype(float)
    directions, filled = flow_direction(heights)
    assert (filled >= heights).all()
    water = accumulation(directions)
    leaves = directions == 0
    edge = np.ones(heights.shape, bool)
    edge[INNER] = False
    assert not (leaves & ~edge).any()
    assert water[leaves].sum() == heights.size
