"""Questions to a stack of rasters: a box on a grid, points, an area, along a line.

Axes are those of pixels' centres. What lies beyond the raster is left out; nothing is stretched.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.features import geometry_mask
from rasterio.transform import from_bounds
from rasterio.warp import calculate_default_transform

from gis.errors import BadInput, NotFound
from gis.rasters.raster import RasterGrid, RasterQuantity, RasterStack, StoredRaster
from gis.rasters.reading import (
    Bounds,
    grid_within,
    read_grid,
    read_points,
    read_scaled,
    read_window,
    require_size,
    window_within,
)

_DENSIFIED = 21  # points of each edge of a box, which is curved in another CRS
_MOST_PIXELS_OF_LINE = 20_000


@dataclass(frozen=True, slots=True)
class RasterQuery:
    """What is asked for of a stack: a box in `crs`, or all, in the CRS `target`, or its own.

    `scale` > 1 makes pixels so many times larger; `size` is columns and rows.
    """

    bounds: Bounds | None = None
    crs: str = "EPSG:4326"
    target: str | None = None
    scale: float | None = None
    size: tuple[int | None, int | None] | None = None


@dataclass(frozen=True)
class RasterCube:
    """Values of some steps on one grid, shape (steps, rows, columns), and which of them are any."""

    grid: RasterGrid
    steps: tuple[StoredRaster, ...]
    values: NDArray[Any]
    has_value: NDArray[np.bool_]

    @property
    def x(self) -> NDArray[np.float64]:
        """Centres of columns, from the west."""
        centres = self.grid.west + self.grid.pixel_x * (np.arange(self.grid.width) + 0.5)
        return np.asarray(centres, np.float64)

    @property
    def y(self) -> NDArray[np.float64]:
        """Centres of rows, from the north."""
        centres = self.grid.north - self.grid.pixel_y * (np.arange(self.grid.height) + 0.5)
        return np.asarray(centres, np.float64)


@dataclass(frozen=True)
class RasterSeries:
    """Values at places of the asked CRS, shape (steps, places); NaN where there is none."""

    places: tuple[tuple[float, float], ...]
    steps: tuple[StoredRaster, ...]
    values: NDArray[np.float64]


def read_cube(
    stack: RasterStack,
    steps: Sequence[StoredRaster],
    folder: Path,
    quantity: RasterQuantity,
    query: RasterQuery,
    most: int,
) -> RasterCube:
    """The pixels that a box touches. Raises NotFound where the raster has none there, BadInput for
    more than `most` values.
    """
    grid = stack.grid
    within = None if query.bounds is None else _clipped(query.bounds, query.crs, stack)
    window = window_within(
        grid, grid.bounds if within is None else _moved(within, query.crs, grid.crs)
    )
    if window is None:
        raise _beyond(stack)
    native = grid_within(grid, window)
    target = native if query.target in (None, grid.crs) else _warped(native, str(query.target))
    if within is not None and target is not native:
        target = _cut(target, _moved(within, query.crs, target.crs))
    target = _scaled(target, query)
    require_size(target.width, target.height, len(steps), most)
    parts = []
    for step in steps:
        path = step.path(folder)
        if target == native:
            parts.append(read_window(path, window))
        elif target.crs == grid.crs and quantity is not RasterQuantity.TOTAL:
            parts.append(read_scaled(path, window, target, quantity))
        else:
            parts.append(read_grid(path, target, quantity))
    if len(parts) == 1:  # without a copy
        return RasterCube(target, tuple(steps), parts[0][0][None], parts[0][1][None])
    values = np.stack([part[0] for part in parts])
    return RasterCube(target, tuple(steps), values, np.stack([part[1] for part in parts]))


def read_area(
    stack: RasterStack,
    steps: Sequence[StoredRaster],
    folder: Path,
    quantity: RasterQuantity,
    area: shapely.Geometry,
    crs: str,
    target: str | None,
    most: int,
) -> RasterCube:
    """The pixels whose centre lies in an area of a CRS. Raises NotFound and BadInput."""
    query = RasterQuery(area.bounds, crs, target)
    cube = read_cube(stack, steps, folder, quantity, query, most)
    shape = _moved_shape(area, crs, cube.grid.crs)
    grid = cube.grid
    outside = geometry_mask(
        [shape],
        (grid.height, grid.width),
        from_bounds(*grid.bounds, grid.width, grid.height),
    )
    return replace(cube, has_value=cube.has_value & ~outside)


def read_series(
    stack: RasterStack,
    steps: Sequence[StoredRaster],
    folder: Path,
    places: Sequence[tuple[float, float]],
    crs: str,
    most: int,
) -> RasterSeries:
    """Values at points of a CRS; those beyond the raster are left out. Raises NotFound where all
    are, BadInput.
    """
    require_size(len(places), 1, len(steps), most)
    to_grid = _transformer(crs, stack.grid.crs)
    pixels, inside = [], []
    for x, y in places:
        pixel = stack.grid.pixel_of(*to_grid.transform(x, y))
        if pixel is not None:
            pixels.append(pixel)
            inside.append((float(x), float(y)))
    if not pixels:
        raise _beyond(stack)
    values = read_points([step.path(folder) for step in steps], pixels)
    return RasterSeries(tuple(inside), tuple(steps), values)


def places_along(stack: RasterStack, line: shapely.Geometry, crs: str) -> list[tuple[float, float]]:
    """One point for each pixel that a line (or lines) of a CRS runs through, in its order.

    Raises BadInput for a line through too many.
    """
    grid = stack.grid
    moved = _moved_shape(line, crs, grid.crs)
    back = _transformer(grid.crs, crs)
    step = min(grid.pixel_x, grid.pixel_y) / 2
    places: list[tuple[float, float]] = []
    for part in shapely.get_parts(moved):
        within = shapely.intersection(part, shapely.box(*grid.bounds))
        for piece in shapely.get_parts(within):
            if piece.length == 0:  # it only touches the raster
                continue
            if piece.length / step > _MOST_PIXELS_OF_LINE:
                raise BadInput("the line runs through too many pixels: ask for a part of it")
            at = np.append(np.arange(0, piece.length, step), piece.length)
            points = shapely.get_coordinates(shapely.line_interpolate_point(piece, at))
            columns = np.floor((points[:, 0] - grid.west) / grid.pixel_x)
            rows = np.floor((grid.north - points[:, 1]) / grid.pixel_y)
            pixel = rows * grid.width + columns
            fresh = np.append(True, pixel[1:] != pixel[:-1])
            places += zip(*back.transform(*points[fresh].T), strict=True)
    return [(float(x), float(y)) for x, y in places]


def _clipped(bounds: Bounds, crs: str, stack: RasterStack) -> Bounds:
    """The part of a box in which the raster lies: what is far away no projection reaches."""
    whole = _moved(stack.grid.bounds, stack.grid.crs, crs)
    west, south = max(bounds[0], whole[0]), max(bounds[1], whole[1])
    east, north = min(bounds[2], whole[2]), min(bounds[3], whole[3])
    if west > east or south > north:
        raise _beyond(stack)
    return west, south, east, north


def _beyond(stack: RasterStack) -> NotFound:
    box = ", ".join(f"{part:.5f}" for part in stack.box.as_list())
    return NotFound(f"the raster has nothing there: its box is {box} (degrees, WGS 84)")


def _moved(bounds: Bounds, crs: str, target: str) -> Bounds:
    if crs == target:
        return bounds
    moved: Bounds = _transformer(crs, target).transform_bounds(*bounds, _DENSIFIED)
    if not all(map(math.isfinite, moved)):
        raise BadInput("the box lies where its CRS, or that of the raster, is not defined")
    return moved


def _moved_shape(shape: shapely.Geometry, crs: str, target: str) -> shapely.Geometry:
    if crs == target:
        return shape
    longest = max(shape.bounds[2] - shape.bounds[0], shape.bounds[3] - shape.bounds[1])
    dense = shapely.segmentize(shape, longest / _DENSIFIED) if longest > 0 else shape
    moved = shapely.transform(dense, _transformer(crs, target).transform, interleaved=False)
    if not np.isfinite(shapely.get_coordinates(moved)).all():
        raise BadInput("a point lies where its CRS, or that of the raster, is not defined")
    return moved


def _warped(native: RasterGrid, crs: str) -> RasterGrid:
    """The grid of another CRS over the same ground, with pixels of about the same size."""
    transform, width, height = calculate_default_transform(
        native.crs, crs, native.width, native.height, *native.bounds
    )
    return RasterGrid(
        crs, int(width), int(height), transform.c, transform.f, transform.a, -transform.e
    )


def _cut(grid: RasterGrid, bounds: Bounds) -> RasterGrid:
    window = window_within(grid, bounds)
    return grid if window is None else grid_within(grid, window)


def _scaled(grid: RasterGrid, query: RasterQuery) -> RasterGrid:
    """The same ground in other pixels."""
    width, height = grid.width, grid.height
    if query.scale is not None:
        width, height = round(width / query.scale), round(height / query.scale)
    if query.size is not None:
        asked_width, asked_height = query.size
        ratio = grid.height / grid.width
        width = asked_width or round((asked_height or 1) / ratio)
        height = asked_height or round(width * ratio)
    width, height = max(width, 1), max(height, 1)
    if (width, height) == (grid.width, grid.height):
        return grid
    west, south, east, north = grid.bounds
    return RasterGrid(
        grid.crs, width, height, west, north, (east - west) / width, (north - south) / height
    )


def _transformer(crs: str, target: str) -> Transformer:
    return Transformer.from_crs(
        CRS.from_user_input(crs), CRS.from_user_input(target), always_xy=True
    )
