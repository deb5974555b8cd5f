"""Simulated rasters of the demo, whose every value has a closed form. None of it is the ground.

u runs from 0 in the west to 1 in the east of the box, v from 0 in the south to 1 in the north.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gis.values import BBox

type Floats = NDArray[np.float64]

SIDE = 320
DAYS = 12
SOURCE = "mô phỏng / simulated"
_STORM_DAY, _STORM_MM = 9, 320.0  # of the 12 days, counted from 0
_SPREAD = 0.18  # of the storm, as a share of the box
_SHARES = (0.25, 0.5, 0.75)


@dataclass(frozen=True, slots=True)
class DemoRaster:
    """A raster of the demo; `day` of a stack."""

    layer_id: str
    day: date | None
    values: NDArray[np.generic]


def height_m(u: Floats, v: Floats) -> Floats:
    """Ridges from 200 to 2,800 m: 1500 + 1300 sin(2πu) cos(2πv)."""
    return np.asarray(1500 + 1300 * np.sin(2 * np.pi * u) * np.cos(2 * np.pi * v), np.float64)


def steepness(u: Floats, v: Floats) -> Floats:
    """Length of the gradient of the height in (u, v), as a share of its greatest."""
    along = np.cos(2 * np.pi * u) * np.cos(2 * np.pi * v)
    across = np.sin(2 * np.pi * u) * np.sin(2 * np.pi * v)
    return np.asarray(np.hypot(along, across), np.float64)


def rain_mm(u: Floats, v: Floats, day: int) -> Floats:
    """A storm that grows over the middle until day 9 and wanes: its peak · exp(−r²/2s²)."""
    peak = _STORM_MM * math.exp(-((day - _STORM_DAY) ** 2) / 6)
    away = (u - 0.5) ** 2 + (v - 0.5) ** 2
    return np.asarray(peak * np.exp(-away / (2 * _SPREAD**2)), np.float64)


def demo_rasters(last_day: date) -> Iterator[DemoRaster]:
    """Heights, twelve days of rain up to `last_day`, susceptibility, inhabitants."""
    centres = (np.arange(SIDE) + 0.5) / SIDE
    u, v = np.meshgrid(centres, 1 - centres)
    yield DemoRaster("elevation", None, height_m(u, v).astype(np.float32))
    classes = 1 + np.searchsorted(_SHARES, steepness(u, v))
    yield DemoRaster("landslide_susceptibility", None, classes.astype(np.uint8))
    people = 20 * np.exp(-(height_m(u, v) - 200) / 500)
    yield DemoRaster("inhabitants_grid", None, people.astype(np.float32))
    for day in range(DAYS):
        named = last_day - timedelta(days=DAYS - 1 - day)
        yield DemoRaster("rain_daily", named, np.round(rain_mm(u, v, day), 1).astype(np.float32))


def write_demo(raster: DemoRaster, area: BBox, path: Path) -> None:
    """A GeoTIFF of the raster over a box in degrees."""
    import rasterio
    from rasterio.transform import from_bounds

    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=SIDE, width=SIDE, dtype=raster.values.dtype,
        crs="EPSG:4326", transform=from_bounds(*area.as_list(), SIDE, SIDE),
    ) as file:  # fmt: skip
        file.write(raster.values, 1)


type Add = Callable[[str, Path, str | None], None]


def add_demo(area: BBox, last_day: date, folder: Path, add: Add) -> int:
    """Write each raster of the demo and give it to `add` with layer and date; gives how many."""
    count = 0
    for count, raster in enumerate(demo_rasters(last_day), 1):
        path = folder / f"demo_{count}.tif"
        write_demo(raster, area, path)
        add(raster.layer_id, path, raster.day.isoformat() if raster.day else None)
        path.unlink()
    return count
