"""GeoTIFFs made in memory of what was read."""

from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from rasterio.io import MemoryFile
from rasterio.transform import from_bounds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gis.rasters.queries import RasterCube


def geotiff(cube: "RasterCube", unit: str | None) -> bytes:
    """A band for each step, named by its beginning; a float's nodata is NaN.

    Pixels without a value are overwritten in the cube itself, which spares a copy of it.
    """
    steps, height, width = cube.values.shape
    nodata = cube.steps[0].nodata
    values = cube.values
    if not cube.has_value.all():
        if nodata is None:
            values, nodata = _with_nodata(values, values[cube.has_value])
        values[~cube.has_value] = nodata
    with rasterio.Env(GDAL_CACHEMAX=16), MemoryFile() as memory:
        with memory.open(
            driver="GTiff", count=steps, height=height, width=width, dtype=values.dtype,
            crs=cube.grid.crs, transform=from_bounds(*cube.grid.bounds, width, height),
            nodata=nodata,
        ) as file:  # fmt: skip
            file.write(values)
            if unit:
                file.units = (unit,) * steps
            for band, step in enumerate(cube.steps, 1):
                if step.start is not None:
                    file.set_band_description(band, f"{step.start:%Y-%m-%dT%H:%M:%SZ}")
        content: bytes = memory.read()
        return content


def _with_nodata(
    values: "NDArray[Any]", known: "NDArray[Any]"
) -> "tuple[NDArray[Any], float | int]":
    """The values in a type that has one to spare, and that one."""
    if values.dtype.kind == "f":
        return values, np.nan
    limits, used = np.iinfo(values.dtype), set(np.unique(known).tolist())
    spare = next((one for one in (limits.max, limits.min) if one not in used), None)
    if spare is not None:
        return values, int(spare)
    return values.astype(np.float64), np.nan
