"""Files of inhabitants for tests, small enough to check by hand."""

from pathlib import Path

import numpy as np
import rasterio

# Nine pixels of 0.02° over the corner of two communes of the toy province; west, north in degrees.
WEST, NORTH, PIXEL = 104.07, 22.05, 0.02
NOTHING = -99999.0
PEOPLE = np.array([[100, 200, 300], [400, 500, 600], [700, 800, NOTHING]])


def people(times: float) -> np.ndarray:
    """So many times the nine pixels."""
    return np.where(PEOPLE == NOTHING, NOTHING, PEOPLE * times)


def write_raster(
    path: Path,
    people: np.ndarray = PEOPLE,
    *,
    crs: str | None = "EPSG:4326",
    corner: tuple[float, float] = (WEST, NORTH),
    pixel: float = PIXEL,
    **more: object,
) -> Path:
    """A GeoTIFF of one band, or as many as `people` has; `corner` is its north-western one."""
    bands = people.reshape((-1, *people.shape[-2:]))
    grid = rasterio.Affine(pixel, 0, corner[0], 0, -pixel, corner[1])
    told = {"nodata": NOTHING, "crs": crs, "transform": grid, "dtype": "float64", **more}
    count, height, width = bands.shape
    with rasterio.open(path, "w", "GTiff", width, height, count, **told) as file:
        file.write(bands)
    return path


def write_table(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
