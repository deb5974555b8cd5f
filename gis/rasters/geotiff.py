"""GeoTIFFs made in memory of what was read."""

from typing import TYPE_CHECKING

import numpy as np
import rasterio
from rasterio.io import MemoryFile
from rasterio.transform import from_bounds

if TYPE_CHECKING:
    from gis.rasters.queries import RasterCube


def geotiff(cube: "RasterCube", unit: str | None) -> bytes:
    """A band for each step, named by its beginning; a float's nodata is NaN."""
    steps, height, width = cube.values.shape
    nodata = cube.steps[0].nodata
    values = cube.values
    if not cube.has_value.all():
        if nodata is None:
            nodata = np.nan if values.dtype.kind == "f" else float(np.iinfo(values.dtype).max)
        values = np.where(cube.has_value, values, np.asarray(nodata).astype(values.dtype))
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
