"""Rasters as values: what a layer says of its pixels, their grid, the stored steps of time.

Pixels are counted from the north-west corner; a grid's transform gives the corner of a pixel, so
the centre of row r and column c lies at r + 0.5 and c + 0.5.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gis.clock import HERE
from gis.errors import BadInput
from gis.values import BBox, TimeSpan

if TYPE_CHECKING:
    from pyproj import Transformer


class RasterQuantity(StrEnum):
    MEASURE = "measure"  # of the place, such as height or rain: neighbours are averaged
    TOTAL = "total"  # of the pixel, such as its inhabitants: neighbours are summed
    CLASS = "class"  # a whole number that stands for a name: neighbours are neither


@dataclass(frozen=True, slots=True)
class RasterSpec:
    """What a layer says of its pixels.

    `unit` is UCUM. Values below `least` or above `most` are faults, of a class those not in
    `classes`. A step lasts `step_hours`; None: steps are instants. `day_boundary`: the hour of
    UTC+07:00 at which days of rain begin.
    """

    quantity: RasterQuantity
    unit: str | None = None
    least: float | None = None
    most: float | None = None
    classes: tuple[int, ...] = ()
    has_time: bool = False
    step_hours: float | None = None
    day_boundary: time = time(0)

    def day_of(self, day: date) -> TimeSpan:
        """The 24 hours that are called by a date: those that have their middle on it.

        A rain day that begins at 19:00 bears the date on which it ends.
        """
        start = datetime.combine(day, self.day_boundary, HERE)
        if self.day_boundary >= time(12):
            start -= timedelta(days=1)
        return TimeSpan(start.astimezone(UTC), (start + timedelta(days=1)).astimezone(UTC))

    def step_of(self, text: str) -> TimeSpan:
        """The step that a time names: its beginning, or a date where steps last days.

        Raises BadInput saying what would be right.
        """
        try:
            if len(text) == len("2024-09-10") and (self.step_hours or 0) >= 24:
                start = self.day_of(date.fromisoformat(text)).start
            else:
                instant = datetime.fromisoformat(text)
                start = instant.astimezone(UTC) if instant.tzinfo else None
                if len(text) < len("2024-09-10T00:00Z"):
                    start = None
        except (ValueError, OverflowError):
            start = None
        if start is None:
            raise BadInput(
                f"{text!r} is no time of a step: write its beginning with its zone, such as "
                "2024-09-10T01:00+07:00, or the date of a day where steps last 24 hours"
            )
        return TimeSpan(start, start + timedelta(hours=self.step_hours or 0))


@dataclass(frozen=True, slots=True)
class RasterGrid:
    """The pixels of a raster on the ground, north up.

    `crs` is a code such as EPSG:9208, or WKT; `west` and `north` the outer corner, `pixel_x` and
    `pixel_y` the size of a pixel, in units of the CRS.
    """

    crs: str
    width: int
    height: int
    west: float
    north: float
    pixel_x: float
    pixel_y: float

    @property
    def east(self) -> float:
        return self.west + self.width * self.pixel_x

    @property
    def south(self) -> float:
        return self.north - self.height * self.pixel_y

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north, in the CRS."""
        return self.west, self.south, self.east, self.north

    def is_like(self, other: "RasterGrid") -> bool:
        """True for the same pixels, to a thousandth of one."""
        near = 1e-3 * min(self.pixel_x, self.pixel_y)
        return (self.crs, self.width, self.height) == (
            other.crs,
            other.width,
            other.height,
        ) and all(
            math.isclose(mine, its, rel_tol=0, abs_tol=near)
            for mine, its in zip(self.bounds, other.bounds, strict=True)
        )

    def pixel_of(self, x: float, y: float) -> tuple[int, int] | None:
        """Row and column of the pixel that holds a point of the CRS; None beyond the raster.

        A point on a common edge is of the pixel to the east and south; one on the outer edge of the
        raster is within it.
        """
        column = (x - self.west) / self.pixel_x
        row = (self.north - y) / self.pixel_y
        # A point on an edge must not fall into the pixel before, or beyond, for a rounding.
        near = 1e-6
        if not (-near <= column <= self.width + near and -near <= row <= self.height + near):
            return None
        return (
            min(math.floor(row + near), self.height - 1),
            min(math.floor(column + near), self.width - 1),
        )


@dataclass(frozen=True, slots=True)
class StoredRaster:
    """One step of a raster layer, or its only raster (`span` is None).

    `file` is a name within the folder of rasters; the content under a name never changes.
    """

    id: int
    layer_id: str
    span: TimeSpan | None
    file: str
    dtype: str
    nodata: float | None
    statistics: dict[str, Any]  # least, most, mean, deviation; valid: share of pixels with a value
    bytes: int
    source: str
    simulated: bool
    added_at: datetime
    added_by: str

    @property
    def start(self) -> datetime | None:
        return self.span.start if self.span else None

    def path(self, folder: Path) -> Path:
        return folder / self.file


@dataclass(frozen=True)
class RasterStack:
    """The stored steps of a layer in order of time, all on one grid."""

    grid: RasterGrid
    rasters: tuple[StoredRaster, ...]

    @property
    def is_timed(self) -> bool:
        return self.rasters[0].span is not None

    @property
    def is_simulated(self) -> bool:
        return any(raster.simulated for raster in self.rasters)

    @property
    def newest(self) -> StoredRaster:
        return self.rasters[-1]

    @property
    def interval(self) -> TimeSpan | None:
        """From the beginning of the first step to the end of the last; None without time."""
        first, last = self.rasters[0].span, self.rasters[-1].span
        return TimeSpan(first.start, last.end) if first and last else None

    @cached_property
    def box(self) -> BBox:
        """The box of the grid in degrees, WGS 84; its edges are curves there, and so densified."""
        return BBox.of(_transformer(self.grid.crs).transform_bounds(*self.grid.bounds, 21))

    def xy_of(self, lon: float, lat: float) -> tuple[float, float]:
        """A point in degrees, WGS 84, in the CRS of the grid; infinite where it is not on it."""
        x, y = _transformer(self.grid.crs).transform(lon, lat, direction="INVERSE")
        return float(x), float(y)

    def within(self, span: TimeSpan | None) -> Sequence[StoredRaster]:
        """The steps that share time with a span; all without one.

        A step that lasts is from its beginning until before its end, so that an instant is of one
        step alone.
        """
        if span is None or not self.is_timed:
            return self.rasters
        return [raster for raster in self.rasters if raster.span and _meets(raster.span, span)]


@lru_cache(maxsize=32)
def _transformer(crs: str) -> "Transformer":
    """From a CRS to degrees, WGS 84."""
    from pyproj import CRS, Transformer

    return Transformer.from_crs(CRS.from_user_input(crs), "EPSG:4326", always_xy=True)


def _meets(step: TimeSpan, asked: TimeSpan) -> bool:
    assert step.start is not None and step.end is not None
    begun = asked.end is None or step.start <= asked.end
    if step.start == step.end:
        return begun and (asked.start is None or step.start >= asked.start)
    return begun and (asked.start is None or step.end > asked.start)
