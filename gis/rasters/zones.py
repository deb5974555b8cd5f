"""Zonal statistics: pixels of a raster over areas, each by the share of it that lies in the area.

exactextract computes (Baston 2025, exactextract 0.3), over shapes as WKB and chunk by chunk of the
raster: its frames would go by GeoJSON, and its usual order reads a block for each area in it.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from exactextract import exact_extract
from exactextract.feature import Feature, FeatureSource
from exactextract.raster import RasterioRasterSource
from exactextract.writer import Writer

from gis.errors import BadInput
from gis.hexes import Cells, boundaries
from gis.rasters.raster import RasterQuantity
from gis.rasters.reading import opened

type Floats = npt.NDArray[np.float64]
type Shapes = npt.NDArray[np.object_]

STATISTICS = ("count", "sum", "mean", "min", "max", "stdev", "median", "majority", "variety")
USUAL = {
    RasterQuantity.MEASURE: "mean",
    RasterQuantity.TOTAL: "sum",
    RasterQuantity.CLASS: "majority",
}
# A mean of pixels that all have 100 is 100, and not less for the rounding of a sum of shares.
MEAN_DIGITS = 6
# An area whose edge is that of a pixel does not hold the next one for a rounding of its corners.
_LEAST_SHARE = 1e-9
_CELLS_IN_MEMORY = 4_000_000  # 32 MB of float64
_AT_ONCE = 25_000  # shapes: what exactextract keeps of one is some kilobytes


class WkbShapes(FeatureSource):  # type: ignore[misc]
    """Shapes for exactextract as WKB: four times faster than its frames, which use GeoJSON."""

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        self._shapes = shapes

    def count(self) -> int:
        return len(self._shapes)

    def __iter__(self) -> Iterator[Feature]:
        return (_WkbShape(number, wkb) for number, wkb in enumerate(shapely.to_wkb(self._shapes)))

    def srs_wkt(self) -> None:
        return None


class _WkbShape(Feature):  # type: ignore[misc]
    def __init__(self, number: int, wkb: bytes) -> None:
        super().__init__()
        self._number = number
        self._wkb = wkb

    def geometry(self) -> bytes:
        return self._wkb

    def get(self, name: str) -> int:
        return self._number

    def fields(self) -> list[str]:
        return ["number"]


class _Row(Feature):  # type: ignore[misc]
    """One result, written over by the next."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, Any] = {}

    def set(self, name: str, value: Any) -> None:
        self.values[name] = value

    def set_geometry(self, wkb: bytes) -> None: ...

    def set_geometry_format(self) -> str:
        return "wkb"


class _Columns(Writer):  # type: ignore[misc]
    """Results as columns, in whatever order they come."""

    def __init__(self, count: int, names: Sequence[str]) -> None:
        super().__init__()
        self.columns = {name: np.full(count, np.nan) for name in names}
        self._row = _Row()

    def add_operation(self, operation: Any) -> None: ...

    def add_column(self, name: str) -> None: ...

    def write(self, feature: Any) -> None:
        feature.copy_to(self._row)
        number = self._row.values["number"]
        for name, column in self.columns.items():
            value = self._row.values.get(name)
            column[number] = np.nan if value is None else value

    def features(self) -> dict[str, Floats]:
        return self.columns


def zonal_statistics(
    path: Path, shapes: Shapes, statistics: Sequence[str], crs: str = "EPSG:4326"
) -> dict[str, Floats]:
    """Statistics of a raster over n areas of a CRS; a column of n numbers for each.

    `count` is the sum of shares of pixels with a value, so an area in pixels; `sum` of people by
    pixel are the people. NaN for an area without a value. `majority` is the value with most area.
    Raises BadInput for a statistic that is none of STATISTICS; Unavailable.
    """
    wrong = [name for name in statistics if name not in STATISTICS]
    if wrong:
        raise BadInput(f"there is no statistic {wrong[0]}: there are {', '.join(STATISTICS)}")
    with opened(path) as dataset:
        moved = _moved_to(dataset.crs.to_wkt(), crs, shapes)
        columns = {name: np.full(len(shapes), np.nan) for name in statistics}
        # Areas that lie together are worked on together, so that each block is read about once.
        order = np.argsort(_place_of(moved, dataset), kind="stable")
        source = RasterioRasterSource(dataset)
        for chosen in np.array_split(order, max(1, -(-len(order) // _AT_ONCE))):
            found = _extract(source, moved[chosen], statistics)
            for name, column in found.items():
                columns[name][chosen] = column
    return columns


def hex_statistics(path: Path, cells: Cells, statistics: Sequence[str]) -> dict[str, Floats]:
    """The same over H3 cells."""
    return zonal_statistics(path, boundaries(cells), statistics)


def _extract(source: Any, shapes: Shapes, statistics: Sequence[str]) -> dict[str, Floats]:
    counted = [*dict.fromkeys([*statistics, "count"])]  # without pixels a sum is none, and not 0
    writer = _Columns(len(shapes), counted)
    exact_extract(
        source,
        WkbShapes(shapes),
        [f"{name}={name}(min_coverage_frac={_LEAST_SHARE})" for name in counted],
        include_cols=["number"],
        strategy="raster-sequential",
        max_cells_in_memory=_CELLS_IN_MEMORY,
        output=writer,
    )
    columns = writer.columns
    if "sum" in columns:
        columns["sum"] = np.where(columns["count"] > 0, columns["sum"], np.nan)
    return {name: columns[name] for name in statistics}


def _moved_to(wkt: str, crs: str, shapes: Shapes) -> Shapes:
    """Shapes in the CRS of a raster."""
    target = pyproj.CRS.from_wkt(wkt)
    source = pyproj.CRS.from_user_input(crs)
    if target == source:
        return shapes
    move = pyproj.Transformer.from_crs(source, target, always_xy=True)
    moved: Shapes = shapely.transform(shapes, move.transform, interleaved=False)
    return moved


def _place_of(shapes: Shapes, dataset: Any) -> npt.NDArray[np.int64]:
    """A number that is near for shapes that lie in the same rows of blocks."""
    bounds = shapely.bounds(shapes)
    rows = (dataset.transform.f - bounds[:, 3]) / -dataset.transform.e
    blocks = np.nan_to_num(rows // max(dataset.block_shapes[0][0], 1))
    return np.asarray(blocks, np.int64)
