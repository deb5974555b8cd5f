"""Raster of people per pixel, summed by hex: a pixel is divided by area among its hexes."""

from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil, floor
from pathlib import Path

import numpy as np
import pyproj
import rasterio
import shapely
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from rasterio.windows import Window

from gis.errors import BadFile
from gis.population.pieces import Floats, PeopleByCell, Pieces, Shapes, pieces_of
from gis.rasters.zones import WkbShapes

SUFFIXES = (".tif", ".tiff")


class PeopleRaster:
    """One band of people per pixel, read by windows."""

    def __init__(self, dataset: rasterio.DatasetReader) -> None:
        self._dataset = dataset
        self._name = Path(dataset.name).name
        self._require_usable()
        crs = pyproj.CRS.from_wkt(dataset.crs.to_wkt())
        self._moved = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)

    def people_of(self, area: shapely.Geometry) -> Iterator[PeopleByCell]:
        """People by hex of an area in degrees, WGS 84, in batches of hexes.

        Raises BadFile for a pixel with fewer than 0 people.
        """
        return (PeopleByCell(some.cells, self._of(some)) for some in pieces_of(area))

    def _of(self, pieces: Pieces) -> Floats:
        shapes = shapely.transform(pieces.shapes, self._moved.transform, interleaved=False)
        window = self._window(shapes)
        if window.width == 0 or window.height == 0:
            return np.zeros(len(shapes))
        return people_in(shapes, self._pixels(window), self._dataset.window_bounds(window))

    def _window(self, shapes: Shapes) -> Window:
        """The rows and columns of the raster that hold the shapes; empty where it has none."""
        west, south, east, north = shapely.total_bounds(shapes)
        grid = self._dataset.transform
        first_column, last_column = ((x - grid.c) / grid.a for x in (west, east))
        top, bottom = ((y - grid.f) / grid.e for y in (north, south))
        column, row = max(floor(first_column), 0), max(floor(top), 0)
        width = min(ceil(last_column), self._dataset.width) - column
        height = min(ceil(bottom), self._dataset.height) - row
        return Window(column, row, max(width, 0), max(height, 0))

    def _pixels(self, window: Window) -> Floats:
        """People by row and column, 0 where the raster has no data."""
        pixels = self._dataset.read(1, window=window, masked=True).astype(np.float64)
        has_data = np.isfinite(pixels.data) & ~np.ma.getmaskarray(pixels)
        people = np.where(has_data, pixels.data, 0.0)
        if (people < 0).any():
            raise BadFile(
                f"{self._name}: a pixel has {people.min():g} people: write the value that stands "
                "for no data into the file, for example with gdal_edit.py -a_nodata"
            )
        return people

    def _require_usable(self) -> None:
        if self._dataset.crs is None:
            raise BadFile(f"{self._name}: the raster has no CRS: write it into the file")
        if self._dataset.count != 1:
            raise BadFile(
                f"{self._name}: the raster has {self._dataset.count} bands: give one band of "
                "people per pixel"
            )
        grid = self._dataset.transform
        if not (grid.is_rectilinear and grid.a > 0 > grid.e):
            raise BadFile(f"{self._name}: the raster is turned: warp it so that north is up")


@contextmanager
def open_raster(path: Path) -> Iterator[PeopleRaster]:
    """Open a raster of people; raises BadFile for another file, also while it is read."""
    try:
        with rasterio.open(path) as dataset:
            yield PeopleRaster(dataset)
    except rasterio.errors.RasterioError as error:
        raise BadFile(f"{path.name} cannot be read as a raster: {error}") from None


def people_in(shapes: Shapes, people: Floats, bounds: tuple[float, float, float, float]) -> Floats:
    """The people of each shape: a pixel counts by the share of its area that lies in the shape.

    `people` has a pixel in each row (from the north) and column of `bounds`: west, south, east,
    north, in the CRS of the shapes.
    """
    west, south, east, north = bounds
    pixels = NumPyRasterSource(people, xmin=west, ymin=south, xmax=east, ymax=north)
    sums = exact_extract(pixels, WkbShapes(shapes), ["sum"], output="pandas")
    return np.asarray(np.nan_to_num(sums["sum"].to_numpy(np.float64)))
