"""Rasters computed of stored ones, as GeoTIFFs of one process: slope, gradient, the way of water,
sums of rain.

They are float32 on the pixels of the raster that they are of; NaN is no value.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.transform import from_bounds
from rasterio.warp import transform_bounds
from rasterio.windows import Window

from gis.errors import BadInput
from gis.rasters.flow import accumulation, distance_to_river, flow_direction
from gis.rasters.raster import RasterGrid
from gis.rasters.reading import Bounds, grid_within, opened, window_within
from gis.rasters.terrain import gradient, pixel_metres, slope

type Floats = NDArray[np.float64]

_STRIP = 512  # rows at a time
MOST_PIXELS_OF_FLOW = 40_000_000  # water runs over all of them: 55 bytes each


def write_grid(path: Path, grid: RasterGrid, values: Floats) -> Path:
    """A raster of one's own on a grid; shape (rows, columns)."""
    with rasterio.open(path, "w", **_profile(grid)) as file:
        file.write(values.astype(np.float32), 1)
    return path


def write_terrain(heights: Path, grid: RasterGrid, box: Bounds, folder: Path) -> Mapping[str, Path]:
    """`slope` (degrees), and the rise to the `east` and to the `north` (metres a metre), of what of
    a raster of heights in metres lies in a box (degrees, WGS 84).

    By strips, so that memory does not grow with the raster. Raises BadInput where the raster has
    nothing in the box.
    """
    bounds = transform_bounds("EPSG:4326", grid.crs, *box, densify_pts=21)
    window = window_within(grid, bounds)
    if window is None:
        raise BadInput("the raster of heights has nothing in these areas")
    made = grid_within(grid, window)
    paths = {name: folder / f"{name}.tif" for name in ("slope", "east", "north")}
    with ExitStack() as stack:
        files = {
            name: stack.enter_context(rasterio.open(path, "w", **_profile(made)))
            for name, path in paths.items()
        }
        source = stack.enter_context(opened(heights))
        for row, values in _strips(source, grid, window):
            east, north = _gradient(values, made, row)
            part = Window(0, row, made.width, east.shape[0])
            pixels_of = {"slope": slope(east, north), "east": east, "north": north}
            for name, pixels in pixels_of.items():
                files[name].write(pixels.astype(np.float32), 1, window=part)
    return paths


def _strips(
    source: rasterio.DatasetReader, grid: RasterGrid, window: Window
) -> Iterator[tuple[int, Floats]]:
    """Rows of a window with a pixel more to each side, NaN beyond the raster; and their number."""
    for row in range(0, int(window.height), _STRIP):
        rows = min(_STRIP, int(window.height) - row)
        top, left = int(window.row_off) + row - 1, int(window.col_off) - 1
        bottom, right = top + rows + 2, left + int(window.width) + 2
        inside = Window.from_slices(
            (max(top, 0), min(bottom, grid.height)), (max(left, 0), min(right, grid.width))
        )
        values = np.full((rows + 2, int(window.width) + 2), np.nan)
        read = source.read(1, window=inside, masked=True).astype(np.float64).filled(np.nan)
        y, x = int(inside.row_off) - top, int(inside.col_off) - left
        values[y : y + read.shape[0], x : x + read.shape[1]] = read
        yield row, values


def _gradient(values: Floats, grid: RasterGrid, row: int) -> tuple[Floats, Floats]:
    middle = grid.north - (row + (values.shape[0] - 2) / 2) * grid.pixel_y
    size = pixel_metres(grid.crs, (grid.west + grid.east) / 2, middle, grid.pixel_x, grid.pixel_y)
    east, north = gradient(values, *size)
    return east[1:-1, 1:-1], north[1:-1, 1:-1]


def write_flow(
    heights: Path,
    grid: RasterGrid,
    folder: Path,
    rivers: Sequence[object] | None,
    river_km2: float,
) -> Mapping[str, Path]:
    """Where water runs over the whole of a raster of heights in metres.

    `direction`: the code of the neighbour that a pixel drains to (gis.rasters.flow); `upstream`:
    km² whose water runs through it; `river`: metres along the flow to a river, NaN where the water
    leaves the raster before. `rivers`: lines in the CRS of the raster; None: a river is where more
    than `river_km2` drain. Metres are those in the middle of the raster. Raises BadInput for a
    raster that is too large.
    """
    if grid.width * grid.height > MOST_PIXELS_OF_FLOW:
        raise BadInput(
            f"the raster has {grid.width} × {grid.height} pixels: the way of water is told of at "
            f"most {MOST_PIXELS_OF_FLOW:,}; cut it, or add it in coarser pixels"
        )
    with opened(heights) as file:
        z = file.read(1, masked=True).astype(np.float64).filled(np.nan)
    west, south, east, north = grid.bounds
    x_m, y_m = pixel_metres(
        grid.crs, (west + east) / 2, (south + north) / 2, grid.pixel_x, grid.pixel_y
    )
    known = ~np.isnan(z)
    directions, _ = flow_direction(z, x_m, y_m)
    upstream = accumulation(directions) * (x_m * y_m / 1e6)
    if rivers is None:
        is_river = upstream > river_km2
    elif len(rivers):
        transform = from_bounds(*grid.bounds, grid.width, grid.height)
        is_river = rasterize(rivers, z.shape, transform=transform, all_touched=True) > 0
    else:
        is_river = np.zeros(z.shape, np.bool_)
    metres = distance_to_river(directions, is_river & known, x_m, y_m)
    parts = {
        "direction": directions.astype(np.float64),
        "upstream": upstream,
        "river": metres,
    }
    return {
        name: write_grid(folder / f"{name}.tif", grid, np.where(known, values, np.nan))
        for name, values in parts.items()
    }


def _profile(grid: RasterGrid) -> dict[str, object]:
    return {
        "driver": "GTiff",
        "width": grid.width,
        "height": grid.height,
        "count": 1,
        "dtype": "float32",
        "crs": grid.crs,
        "nodata": math.nan,
        "transform": from_bounds(*grid.bounds, grid.width, grid.height),
        "tiled": True,
    }
