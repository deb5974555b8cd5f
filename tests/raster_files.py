"""Rasters of tests: arrays with a few pixels that a person can check, written as GeoTIFFs."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import ArrayLike
from rasterio.transform import from_origin

TOY = from_origin(104.0, 22.1, 0.01, 0.01)  # over the toy province, whose north-west corner it is


def write_raster(
    path: Path,
    values: ArrayLike,
    *,
    transform: Any = TOY,
    crs: str | None = "EPSG:4326",
    nodata: float | None = None,
    scale: float = 1.0,
    offset: float = 0.0,
    unit: str | None = None,
    point: bool = False,
    mask: ArrayLike | None = None,
    **profile: Any,
) -> Path:
    """A GeoTIFF of rows from the north; three dimensions are bands."""
    pixels = np.asarray(values)
    bands = pixels if pixels.ndim == 3 else pixels[None]
    count, height, width = bands.shape
    with rasterio.open(
        path, "w", driver="GTiff", count=count, height=height, width=width, dtype=bands.dtype,
        crs=crs, transform=transform, nodata=nodata, **profile,
    ) as file:  # fmt: skip
        if point:
            file.update_tags(AREA_OR_POINT="Point")
        file.write(bands)
        file.scales, file.offsets = (scale,) * count, (offset,) * count
        if unit:
            file.units = (unit,) * count
        if mask is not None:
            file.write_mask(np.asarray(mask))
    return path
