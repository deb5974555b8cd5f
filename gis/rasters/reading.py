"""Reads of stored rasters: points, windows, other grids. Memory is bounded by what is asked for.

A dataset is opened for one read and closed: GDAL's datasets are not shared between threads, and one
that stays open would go on giving a file that was replaced.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.transform import from_bounds
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_bounds
from rasterio.windows import Window

from gis.errors import BadInput, Unavailable
from gis.rasters.raster import RasterGrid, RasterQuantity

type Pixels = NDArray[Any]
_MOST_AT_HAND = 30_000_000  # 240 MB

type Bounds = tuple[float, float, float, float]

GDAL = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_CACHEMAX": 16,  # MiB, for all threads
    "GDAL_NUM_THREADS": 1,
    "GDAL_TIFF_INTERNAL_MASK": True,
}


@contextmanager
def opened(path: Path, overview: int | None = None) -> Iterator[Any]:
    """A stored raster, or one of its overviews from 0 on.

    Raises Unavailable where its file is not there or broken.
    """
    with rasterio.Env(**GDAL):
        try:
            level = {} if overview is None else {"overview_level": overview}
            with rasterio.open(path, driver="GTiff", sharing=False, **level) as dataset:
                yield dataset
        except RasterioError as error:
            raise Unavailable(
                "the file of a raster cannot be read: its layer is being replaced, or the folder "
                "of rasters is not the one that the database tells of; try again"
            ) from error


def read_points(paths: Sequence[Path], pixels: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """Values at pixels (row, column), shape (files, pixels); NaN where there is none."""
    values = np.full((len(paths), len(pixels)), np.nan)
    with rasterio.Env(**GDAL):
        for step, path in enumerate(paths):
            with opened(path) as dataset:
                nodata = dataset.nodata
                for number, (row, column) in enumerate(pixels):
                    value = dataset.read(1, window=Window(column, row, 1, 1))[0, 0]
                    if nodata is None or value != nodata:
                        values[step, number] = value
    return values


def read_points_along(
    path: Path, grid: RasterGrid, x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Values between the centres of pixels at points of the grid's CRS, bilinear, in the shape of
    the points; NaN beyond the raster, and where one of the four pixels has none.
    """
    from scipy.ndimage import map_coordinates

    window = window_within(grid, (float(x.min()), float(y.min()), float(x.max()), float(y.max())))
    if window is None:
        return np.full(x.shape, np.nan)
    top, left = max(int(window.row_off) - 1, 0), max(int(window.col_off) - 1, 0)
    bottom = min(int(window.row_off + window.height) + 1, grid.height)
    right = min(int(window.col_off + window.width) + 1, grid.width)
    require_size(right - left, bottom - top, 1, _MOST_AT_HAND)
    with opened(path) as dataset:
        part = Window.from_slices((top, bottom), (left, right))
        values = dataset.read(1, window=part, masked=True).astype(np.float64).filled(np.nan)
    row = (grid.north - y) / grid.pixel_y - 0.5 - top
    column = (x - grid.west) / grid.pixel_x - 0.5 - left
    found = map_coordinates(values, [row, column], order=1, mode="constant", cval=np.nan)
    return np.asarray(found, np.float64)


def window_within(grid: RasterGrid, bounds: Bounds) -> Window | None:
    """The pixels that a box of the grid's CRS touches; None where it touches none."""
    west, south, east, north = bounds
    # A box along the edges of pixels must not take in those beside it for a rounding.
    first = math.floor((west - grid.west) / grid.pixel_x + 1e-6)
    last = math.ceil((east - grid.west) / grid.pixel_x - 1e-6)
    top = math.floor((grid.north - north) / grid.pixel_y + 1e-6)
    bottom = math.ceil((grid.north - south) / grid.pixel_y - 1e-6)
    first, top = max(first, 0), max(top, 0)
    last, bottom = min(max(last, first + 1), grid.width), min(max(bottom, top + 1), grid.height)
    if first >= last or top >= bottom:
        return None
    return Window(first, top, last - first, bottom - top)


def grid_within(grid: RasterGrid, window: Window) -> RasterGrid:
    """The grid of a window."""
    return RasterGrid(
        grid.crs,
        int(window.width),
        int(window.height),
        grid.west + window.col_off * grid.pixel_x,
        grid.north - window.row_off * grid.pixel_y,
        grid.pixel_x,
        grid.pixel_y,
    )


def read_window(path: Path, window: Window) -> tuple[Pixels, NDArray[np.bool_]]:
    """The pixels of a window and the mask of those with a value."""
    with opened(path) as dataset:
        return _masked(dataset.read(1, window=window), dataset.nodata)


def read_scaled(
    path: Path, window: Window, target: RasterGrid, quantity: RasterQuantity
) -> tuple[Pixels, NDArray[np.bool_]]:
    """A window in larger or smaller pixels, from overviews; of measures and classes alone."""
    finer = target.width >= window.width
    with opened(path) as dataset:
        values = dataset.read(
            1,
            window=window,
            out_shape=(target.height, target.width),
            resampling=_RESAMPLING[quantity][finer],
        )
        return _masked(values, dataset.nodata)


def read_grid(
    path: Path, target: RasterGrid, quantity: RasterQuantity
) -> tuple[Pixels, NDArray[np.bool_]]:
    """The raster on another grid, and the mask of pixels with a value.

    Measures are averaged where pixels become larger, else interpolated; totals are summed by the
    share of each pixel, so that their sum stays; classes take the nearest.
    """
    with opened(path) as dataset:
        ratio = _coarsening(dataset, target)
        level = None if quantity is RasterQuantity.TOTAL else _overview_below(dataset, ratio)
    with opened(path, level) as dataset:
        has_nodata = dataset.nodata is not None
        options = {
            "crs": target.crs,
            "transform": from_bounds(*target.bounds, target.width, target.height),
            "width": target.width,
            "height": target.height,
            "resampling": _RESAMPLING[quantity][ratio <= 1],
            "warp_mem_limit": 16,
            **({"nodata": dataset.nodata} if has_nodata else {"add_alpha": True}),
        }
        with WarpedVRT(dataset, **options) as warped:
            values = warped.read(1)
            if has_nodata:
                return _masked(values, warped.nodata)
            return values, warped.read(2) > 0


_RESAMPLING = {  # by whether the pixels of the target are smaller
    RasterQuantity.MEASURE: {True: Resampling.bilinear, False: Resampling.average},
    RasterQuantity.TOTAL: {True: Resampling.sum, False: Resampling.sum},
    RasterQuantity.CLASS: {True: Resampling.nearest, False: Resampling.mode},
}


def _coarsening(dataset: Any, target: RasterGrid) -> float:
    """How many times larger a pixel of the target is than one of the raster on the same ground."""
    if dataset.crs == rasterio.crs.CRS.from_user_input(target.crs):
        return target.pixel_x / float(dataset.transform.a)
    west, south, east, north = transform_bounds(target.crs, dataset.crs, *target.bounds)
    there = (east - west) * (north - south) / (dataset.transform.a * -dataset.transform.e)
    return math.sqrt(there / (target.width * target.height))


def _overview_below(dataset: Any, ratio: float) -> int | None:
    """The coarsest overview that is still finer than the target; None: the pixels themselves."""
    levels = [level for level, factor in enumerate(dataset.overviews(1)) if factor <= ratio]
    return levels[-1] if levels else None


def _masked(values: Pixels, nodata: float | None) -> tuple[Pixels, NDArray[np.bool_]]:
    if nodata is None:
        return values, np.ones(values.shape, np.bool_)
    if math.isnan(nodata):
        return values, ~np.isnan(values)
    return values, values != nodata


def require_size(width: int, height: int, steps: int, most: int) -> None:
    """Raises BadInput for more values than one answer may have."""
    if width * height * steps > most:
        raise BadInput(
            f"that are {width} × {height} pixels in {steps} steps: an answer has at most {most:,} "
            "values; ask for a smaller area, fewer steps, or coarser pixels (scale-factor, width)"
        )
