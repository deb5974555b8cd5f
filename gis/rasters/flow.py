"""The way of water over heights: filled hollows, directions, distance along the flow to a river.

Directions are of the eight neighbours (D8; O'Callaghan & Mark 1984, Computer Vision, Graphics and
Image Processing 28:323–344). Hollows are filled from the edges inwards, lowest first, and each
pixel drains to the one from which it was reached (Barnes et al. 2014, Computers & Geosciences
62:117–127): so flats and filled hollows drain too, and no water runs in a circle.
"""

import heapq

import numba
import numpy as np
from numpy.typing import NDArray

from gis.rasters.terrain import Floats

type Codes = NDArray[np.uint8]

NOWHERE = 0

# Row and column of each neighbour and its code, clockwise from the east.
_ROWS = np.array([0, 1, 1, 1, 0, -1, -1, -1])
_COLUMNS = np.array([1, 1, 0, -1, -1, -1, 0, 1])
_CODES = np.array([1, 2, 4, 8, 16, 32, 64, 128], np.uint8)


def flow_direction(
    heights: Floats, pixel_x_m: float = 1, pixel_y_m: float = 1
) -> tuple[Codes, Floats]:
    """Code of the neighbour that each pixel drains to (1 east, 2 south-east, … 128 north-east), and
    the heights with hollows filled. NOWHERE (0): off the raster, or no height.
    """
    z = np.ascontiguousarray(heights, np.float64)
    steps = _steps(pixel_x_m, pixel_y_m)
    directions, filled = _drain(z, steps, _ROWS, _COLUMNS, _CODES)
    return directions, filled


def distance_to_river(
    directions: Codes, river: NDArray[np.bool_], pixel_x_m: float, pixel_y_m: float
) -> Floats:
    """Metres along the flow from each pixel to the first one of a river; NaN where the water leaves
    the raster before.
    """
    steps = _steps(pixel_x_m, pixel_y_m)
    there = np.ascontiguousarray(river, np.bool_)
    return np.asarray(_follow(directions, there, steps, _ROWS, _COLUMNS, _CODES), np.float64)


def accumulation(directions: Codes) -> NDArray[np.int64]:
    """Number of pixels whose water runs through each one, itself among them."""
    return np.asarray(_accumulate(directions, _ROWS, _COLUMNS, _CODES), np.int64)


def _steps(pixel_x_m: float, pixel_y_m: float) -> Floats:
    """Metres to each neighbour."""
    return np.hypot(_ROWS * pixel_y_m, _COLUMNS * pixel_x_m)


@numba.njit(cache=True, nogil=True)
def _drain(z, steps, row_steps, column_steps, codes):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    rows, columns = z.shape
    filled = z.copy()
    directions = np.zeros(z.shape, np.uint8)
    done = np.isnan(z)
    order = 0
    queue = [(0.0, 0, 0, 0)]
    queue.pop()
    for row in range(rows):
        for column in range(columns):
            if done[row, column]:
                continue
            edge = row == 0 or column == 0 or row == rows - 1 or column == columns - 1
            if not edge:
                for k in range(8):
                    if np.isnan(z[row + row_steps[k], column + column_steps[k]]):
                        edge = True
            if edge:
                done[row, column] = True
                heapq.heappush(queue, (z[row, column], order, row, column))
                order += 1
    # Steepest first among those that a pixel can be reached from: lower pixels come out earlier.
    while queue:
        height, _, row, column = heapq.heappop(queue)
        for k in range(8):
            r, c = row + row_steps[k], column + column_steps[k]
            if r < 0 or c < 0 or r >= rows or c >= columns or done[r, c]:
                continue
            done[r, c] = True
            filled[r, c] = max(z[r, c], height)
            directions[r, c] = codes[(k + 4) % 8]
            heapq.heappush(queue, (filled[r, c], order, r, c))
            order += 1
    for row in range(rows):
        for column in range(columns):
            if np.isnan(z[row, column]):
                continue
            steepest = 0.0
            for k in range(8):
                r, c = row + row_steps[k], column + column_steps[k]
                if r < 0 or c < 0 or r >= rows or c >= columns or np.isnan(z[r, c]):
                    continue
                fall = (filled[row, column] - filled[r, c]) / steps[k]
                if fall > steepest:
                    steepest = fall
                    directions[row, column] = codes[k]
    return directions, filled


@numba.njit(cache=True, nogil=True)
def _follow(directions, river, steps, row_steps, column_steps, codes):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    rows, columns = directions.shape
    distance = np.full(directions.shape, np.nan)
    known = river.copy()
    for row in range(rows):
        for column in range(columns):
            if river[row, column]:
                distance[row, column] = 0.0
    path = np.empty((rows * columns, 2), np.int64)
    lengths = np.empty(rows * columns)
    for first in range(rows * columns):
        row, column, count = first // columns, first % columns, 0
        while not known[row, column]:
            known[row, column] = True
            path[count, 0], path[count, 1] = row, column
            k = -1
            for each in range(8):
                if directions[row, column] == codes[each]:
                    k = each
            if k < 0:
                lengths[count] = np.nan
                count += 1
                break
            lengths[count] = steps[k]
            count += 1
            row, column = row + row_steps[k], column + column_steps[k]
            if row < 0 or column < 0 or row >= rows or column >= columns:
                lengths[count - 1] = np.nan
                break
        beyond = np.nan
        if 0 <= row < rows and 0 <= column < columns:
            beyond = distance[row, column]
        for back in range(count - 1, -1, -1):
            beyond = beyond + lengths[back]
            distance[path[back, 0], path[back, 1]] = beyond
    return distance


@numba.njit(cache=True, nogil=True)
def _accumulate(directions, row_steps, column_steps, codes):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
    rows, columns = directions.shape
    target = np.full(rows * columns, -1, np.int64)
    waiting = np.zeros(rows * columns, np.int64)
    for place in range(rows * columns):
        row, column = place // columns, place % columns
        for k in range(8):
            if directions[row, column] == codes[k]:
                r, c = row + row_steps[k], column + column_steps[k]
                if 0 <= r < rows and 0 <= c < columns:
                    target[place] = r * columns + c
                    waiting[r * columns + c] += 1
    total = np.ones(rows * columns, np.int64)
    ready = [place for place in range(rows * columns) if waiting[place] == 0]
    while ready:
        place = ready.pop()
        onward = target[place]
        if onward >= 0:
            total[onward] += total[place]
            waiting[onward] -= 1
            if waiting[onward] == 0:
                ready.append(onward)
    return total.reshape(rows, columns)
