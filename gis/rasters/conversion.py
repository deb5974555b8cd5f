"""A raster file → a checked Cloud Optimized GeoTIFF; runs in a confined child.

Both functions take and give plain values, as `gis.intake.confined.run_confined` asks. The file is
opened as a GeoTIFF alone, under its path on this machine: no other driver, no name that leads into
an archive or the network, no file beside it.
"""

import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import MaskFlags
from rasterio.errors import RasterioError
from rasterio.windows import Window

from gis.errors import AmbiguousInput, BadFile
from gis.rasters.raster import RasterQuantity

type Plain = dict[str, Any]
type Pixels = NDArray[Any]

MOST_PIXELS = 2_000_000_000
MOST_BANDS = 1_000
_CHUNK_BYTES = 64 * 2**20
_BLOCK = 512
_MOST_NAMED = 8
_GDAL = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # neither .ovr nor .aux.xml beside the file count
    "GDAL_CACHEMAX": 256,  # MiB: a row of blocks of a raster 100,000 pixels wide
    "GDAL_NUM_THREADS": 1,
}
_DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")
# Values that programs write where there is none, and then do not say so.
_SENTINELS = (-9999.0, -99999.0, -32768.0, -32767.0, -3.4028234663852886e38, -999.0, -1e20, 1e20,
              9.969209968386869e36, 3.4028234663852886e38)  # fmt: skip


def describe(path: str) -> Plain:
    """The header of a raster: `crs` (WKT, or None), `grid`, `bands`, `dtype`, `nodata`, `unit`.

    Raises BadFile for what is no GeoTIFF of bounded size with north up.
    """
    with _opened(path) as dataset:
        return {
            "crs": dataset.crs.to_wkt() if dataset.crs else None,
            "code": _code_of(dataset.crs),
            "grid": _grid_of(dataset),
            "bands": dataset.count,
            "names": [text or "" for text in dataset.descriptions],
            "unit": next((unit for unit in dataset.units if unit), None),
        }


def convert(path: str, target: str, plan: Mapping[str, Any]) -> Plain:
    """Write a band of a raster as a Cloud Optimized GeoTIFF; gives `dtype`, `nodata`, `statistics`.

    `plan` has `band` (from 1), `crs`, `quantity`, `least`, `most`, `classes` and `nodata`: values
    that mean none beside the declared one; None where the person has not said. Values are written
    unscaled, in their unit. A float's nodata is NaN. Raises BadFile for values that cannot be what
    the layer says, AmbiguousInput for a value that may mean none.
    """
    with _opened(path) as dataset:
        band, dtype, nodata = int(plan["band"]), *_target_type(dataset, plan)
        half = Path(target).with_suffix(".half")
        tally = _ValueTally(plan, is_float=np.issubdtype(np.dtype(dtype), np.floating))
        profile = {
            "driver": "GTiff", "count": 1, "dtype": dtype, "nodata": nodata, "crs": plan["crs"],
            "width": dataset.width, "height": dataset.height, "transform": dataset.transform,
            "tiled": True, "blockxsize": _BLOCK, "blockysize": _BLOCK, "compress": "zstd",
            "zstd_level": 1, "bigtiff": "if_safer",
        }  # fmt: skip
        try:
            with rasterio.open(half, "w", **profile) as raw:
                for window in _chunks(dataset):
                    values, has_value = _read(dataset, band, window, plan["nodata"])
                    tally.count(values[has_value])
                    missing = 0 if nodata is None else nodata
                    raw.write(np.where(has_value, values, missing).astype(dtype), 1, window=window)
            tally.require_sound()
            _write_cog(half, Path(target), plan, dtype)
        finally:
            half.unlink(missing_ok=True)
    return {"dtype": dtype, "nodata": None if nodata is None else float(nodata),
            "statistics": tally.statistics(dataset.width * dataset.height)}  # fmt: skip


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    file = Path(path)
    if path.startswith("/vsi") or not file.is_file():
        raise BadFile(f"{file.name}: there is no such file on this machine")
    with rasterio.Env(**_GDAL), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a raster without georeference, which is refused
        try:
            with rasterio.open(file.absolute(), driver="GTiff", sharing=False) as dataset:
                _require_usable(file.name, dataset)
                yield dataset
        except RasterioError as error:
            raise BadFile(
                f"{file.name} không đọc được như GeoTIFF; hãy chuyển bằng gdal_translate -of GTiff "
                f"/ cannot be read as a GeoTIFF ({error}); convert it with gdal_translate -of GTiff"
            ) from None


def _require_usable(name: str, dataset: Any) -> None:
    """Raises BadFile."""
    grid = dataset.transform
    kinds = set(dataset.dtypes)
    if dataset.width * dataset.height > MOST_PIXELS or dataset.count > MOST_BANDS:
        raise BadFile(
            f"{name}: {dataset.width} × {dataset.height} pixels in {dataset.count} bands are more "
            f"than {MOST_PIXELS:.0e} in {MOST_BANDS}: split it"
        )
    if not kinds <= set(_DTYPES):
        raise BadFile(f"{name}: pixels of type {', '.join(kinds)}: give {', '.join(_DTYPES)}")
    if dataset.gcps[0] or not (grid.is_rectilinear and grid.a > 0 > grid.e):
        raise BadFile(
            f"{name}: lưới ảnh bị xoay hoặc lật; hãy nắn lại bằng gdalwarp / the grid is turned or "
            "upside down, or has no place on the ground: warp it with gdalwarp, north up"
        )


def _code_of(crs: Any) -> str | None:
    code = crs.to_epsg(confidence_threshold=100) if crs else None
    return f"EPSG:{code}" if code else None


def _grid_of(dataset: Any) -> list[float]:
    grid = dataset.transform  # GDAL has moved it by half a pixel where AREA_OR_POINT is Point
    return [dataset.width, dataset.height, grid.c, grid.f, grid.a, -grid.e]


def _target_type(dataset: Any, plan: Mapping[str, Any]) -> tuple[str, float | int | None]:
    """The type that holds unscaled values, and its nodata; None where each pixel has a value."""
    band = int(plan["band"])
    given = np.dtype(dataset.dtypes[band - 1])
    scaled = (dataset.scales[band - 1], dataset.offsets[band - 1]) != (1.0, 0.0)
    if np.issubdtype(given, np.floating) or scaled:
        if plan["quantity"] == RasterQuantity.CLASS:
            raise BadFile("a raster of classes has whole numbers: these are fractions")
        wide = given.itemsize >= 4 and np.issubdtype(given, np.integer)
        return ("float64" if wide or given == np.float64 else "float32"), math.nan
    limits = np.iinfo(given)
    extra = [value for value in plan["nodata"] or () if limits.min <= value <= limits.max]
    declared = dataset.nodatavals[band - 1]
    if declared is not None and limits.min <= declared <= limits.max:
        return str(given), int(declared)
    if extra:
        return str(given), int(extra[0])
    if MaskFlags.all_valid not in dataset.mask_flag_enums[band - 1]:
        unused = set(plan["classes"])
        free = next(
            value for value in (limits.max, limits.min, *range(limits.max)) if value not in unused
        )
        return str(given), int(free)
    return str(given), None


def _chunks(dataset: Any) -> Iterator[Window]:
    """Strips of whole rows of blocks, each within a bound of memory."""
    rows = _CHUNK_BYTES // (8 * dataset.width) // _BLOCK * _BLOCK or _BLOCK
    for top in range(0, dataset.height, rows):
        yield Window(0, top, dataset.width, min(rows, dataset.height - top))


def _read(
    dataset: Any, band: int, window: Window, nodata: list[float] | None
) -> tuple[Pixels, NDArray[np.bool_]]:
    """Values in their unit, and the mask of those that are values."""
    raw = dataset.read(band, window=window)
    has_value = dataset.read_masks(band, window=window) > 0
    if np.issubdtype(raw.dtype, np.floating):
        has_value &= np.isfinite(raw)
    for value in nodata or ():
        has_value &= raw != np.asarray(value).astype(raw.dtype)
    scale, offset = dataset.scales[band - 1], dataset.offsets[band - 1]
    if (scale, offset) != (1.0, 0.0):
        return raw * float(scale) + float(offset), has_value
    return raw, has_value


class _ValueTally:
    """Counts the values of a band, bit by bit, against what the layer says of them."""

    def __init__(self, plan: Mapping[str, Any], *, is_float: bool) -> None:
        self._plan = plan
        self._is_float = is_float
        self._count = 0
        self._sum = self._squares = 0.0
        self._least, self._most = math.inf, -math.inf
        self._suspects: dict[float, int] = {}
        self._values: set[int] = set()

    def count(self, values: Pixels) -> None:
        if not len(values):
            return
        if self._plan["quantity"] == RasterQuantity.CLASS:
            self._values |= set(np.unique(values).tolist())
        self._least = min(self._least, float(values.min()))
        self._most = max(self._most, float(values.max()))
        self._count += len(values)
        wide = values.astype(np.float64)
        self._sum += float(wide.sum())
        self._squares += float(np.square(wide).sum())
        if self._plan["nodata"] is None:
            for value in _SENTINELS:
                alike = np.asarray(value, np.float64) == wide
                if self._is_float:  # what was written as float32 is not exactly its double
                    alike |= values == np.asarray(value).astype(values.dtype)
                if alike.any():
                    given = float(wide[alike][0])
                    self._suspects[given] = self._suspects.get(given, 0) + int(alike.sum())

    def require_sound(self) -> None:
        """Raises BadFile and AmbiguousInput."""
        if not self._count:
            raise BadFile("không có điểm ảnh nào có giá trị / no pixel has a value")
        for value, pixels in self._suspects.items():
            if value in (self._least, self._most):
                raise AmbiguousInput(
                    f"{pixels} điểm ảnh có giá trị {value:g}, có thể nghĩa là không có dữ liệu / "
                    f"{pixels} pixels are {value:g}, which may mean no data: say "
                    f"`--nodata {value:g}`, or `--nodata none` where it is a value"
                )
        if self._plan["quantity"] == RasterQuantity.CLASS:
            unknown = sorted(self._values - set(self._plan["classes"]))
            if unknown:
                named = ", ".join(map(str, unknown[:_MOST_NAMED]))
                raise BadFile(
                    f"giá trị không có trong `classes` của lớp / values that are in no class of "
                    f"the layer: {named}: name them in its file, or say what means none: --nodata"
                )
        least, most = self._plan["least"], self._plan["most"]
        if (least is not None and self._least < least) or (most is not None and self._most > most):
            raise BadFile(
                f"giá trị từ {self._least:g} đến {self._most:g}, lớp cho phép từ {least} đến {most}"
                f" / values from {self._least:g} to {self._most:g}, where the layer has {least} to "
                f"{most}: check the unit, and what means none (--nodata)"
            )

    def statistics(self, pixels: int) -> Plain:
        mean = self._sum / self._count
        spread = max(self._squares / self._count - mean * mean, 0.0)
        return {
            "least": self._least, "most": self._most, "mean": mean,
            "deviation": math.sqrt(spread), "valid": self._count / pixels,
        }  # fmt: skip


def _write_cog(source: Path, target: Path, plan: Mapping[str, Any], dtype: str) -> None:
    from rio_cogeo.cogeo import cog_translate

    is_class = plan["quantity"] == RasterQuantity.CLASS
    profile = {
        "driver": "GTiff", "interleave": "pixel", "tiled": True, "compress": "DEFLATE",
        "blockxsize": _BLOCK, "blockysize": _BLOCK, "bigtiff": "if_safer",
        "predictor": 3 if dtype.startswith("float") else 2,
    }  # fmt: skip
    with rasterio.open(source) as dataset:
        cog_translate(
            dataset,
            str(target),
            profile,
            in_memory=False,
            allow_intermediate_compression=True,
            overview_resampling="mode" if is_class else "average",
            additional_cog_metadata={"AREA_OR_POINT": "Area", **(
                {"unit": str(plan["unit"])} if plan.get("unit") else {})},
            quiet=True,
        )  # fmt: skip
