"""Rasters computed of others: strips leave no seams, beside gdaldem and a walk by hand."""

import shutil
import subprocess

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.transform import from_origin

from gis.errors import BadInput
from gis.rasters import derived
from gis.rasters.derived import write_flow, write_grid, write_terrain
from gis.rasters.raster import RasterGrid

GRID = RasterGrid("EPSG:9208", 40, 60, 400_000, 2_480_000, 30, 30)
WHOLE = (90.0, 10.0, 110.0, 30.0)


def hills(seed=3):
    """Smooth hills with a hole in them, metres."""
    rows, columns = np.mgrid[0 : GRID.height, 0 : GRID.width]
    heights = 800 + 90 * np.sin(rows / 7) * np.cos(columns / 5)
    heights += np.random.default_rng(seed).uniform(0, 5, heights.shape)
    heights[20, 10] = np.nan
    return heights


def read(path):
    with rasterio.open(path) as file:
        return file.read(1)


@pytest.fixture
def heights(tmp_path):
    return write_grid(tmp_path / "heights.tif", GRID, hills())


@pytest.mark.skipif(shutil.which("gdaldem") is None, reason="no gdaldem: apt-get install gdal-bin")
def test_slope_and_rise_by_strips_are_those_of_gdaldem(heights, tmp_path, monkeypatch):
    monkeypatch.setattr(derived, "_STRIP", 7)
    paths = write_terrain(heights, GRID, WHOLE, tmp_path)
    for what in ("slope", "aspect"):
        subprocess.run(
            ["gdaldem", what, str(heights), str(tmp_path / f"{what}_gdal.tif"), "-q"], check=True
        )
    theirs = read(tmp_path / "slope_gdal.tif")
    known = theirs != -9999
    # The scale of the projection, which gdaldem takes for 1, is within 0.1 %.
    assert read(paths["slope"])[known] == pytest.approx(theirs[known], rel=2e-3, abs=1e-3)
    assert np.isnan(read(paths["slope"])[~known]).all()
    east, north = read(paths["east"]), read(paths["north"])
    faces = np.degrees(np.arctan2(-east, -north)) % 360
    turned = (faces - read(tmp_path / "aspect_gdal.tif") + 180) % 360 - 180
    assert np.abs(turned[known]).max() < 0.1


def test_a_part_is_that_of_the_whole(heights, tmp_path):
    (tmp_path / "part").mkdir()
    whole = read(write_terrain(heights, GRID, WHOLE, tmp_path)["slope"])
    with rasterio.open(heights) as file:
        to_degrees = rasterio.warp.transform_bounds(
            file.crs, "EPSG:4326", *file.window_bounds(((20, 40), (10, 30)))
        )
    path = write_terrain(heights, GRID, to_degrees, tmp_path / "part")["slope"]
    with rasterio.open(path) as file:
        row, column = (
            round((GRID.north - file.bounds.top) / 30),
            round((file.bounds.left - GRID.west) / 30),
        )
        part = file.read(1)
    same = whole[row : row + part.shape[0], column : column + part.shape[1]]
    assert part == pytest.approx(same, abs=1e-3, nan_ok=True)
    with pytest.raises(BadInput, match="nothing in these areas"):
        write_terrain(heights, GRID, (100, 10, 101, 11), tmp_path)


def test_metres_along_the_flow_are_those_of_a_walk(heights, tmp_path):
    line = shapely.LineString([(400_600, 2_478_000), (400_600, 2_480_100)])
    paths = write_flow(heights, GRID, tmp_path, [line], 1)
    direction, metres, upstream = (read(paths[name]) for name in ("direction", "river", "upstream"))
    steps = {1: (0, 1), 2: (1, 1), 4: (1, 0), 8: (1, -1), 16: (0, -1), 32: (-1, -1), 64: (-1, 0),
             128: (-1, 1)}  # fmt: skip
    river = np.zeros(direction.shape, bool)
    river[:, 20] = river[:, 19] = True  # the line runs along their common edge
    river &= ~np.isnan(direction)
    for start in np.ndindex(direction.shape):
        if np.isnan(direction[start]):
            assert np.isnan(metres[start])
            continue
        (row, column), away = start, 0.0
        while metres[row, column] != 0 and direction[row, column] in steps:
            down, right = steps[int(direction[row, column])]
            away += 30 * np.hypot(down, right)
            row, column = row + down, column + right
        reached = metres[row, column] == 0
        assert metres[start] == pytest.approx(away if reached else np.nan, rel=2e-3, nan_ok=True)
    assert (metres[river] == 0).any() and np.nanmax(upstream) > 0.05


def test_a_raster_that_is_too_large_for_the_way_of_water_is_refused(heights, tmp_path, monkeypatch):
    monkeypatch.setattr(derived, "MOST_PIXELS_OF_FLOW", 100)
    with pytest.raises(BadInput, match="coarser"):
        write_flow(heights, GRID, tmp_path, None, 1)


def test_without_a_river_no_water_reaches_one(heights, tmp_path):
    assert np.isnan(read(write_flow(heights, GRID, tmp_path, [], 1)["river"])).all()


def test_a_grid_is_written_where_it_lies(tmp_path):
    path = write_grid(tmp_path / "a.tif", GRID, np.zeros((60, 40)))
    with rasterio.open(path) as file:
        assert file.transform == from_origin(400_000, 2_480_000, 30, 30)
        assert np.isnan(file.nodata)
