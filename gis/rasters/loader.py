"""Adding rasters to a layer: header, CRS and time checked first, then converted, then switched to.

What parses a file runs in a confined child (`gis.intake.confined`); what is asked about stores
nothing.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gis.database.engine import Database
from gis.errors import AmbiguousInput, BadFile, BadInput
from gis.intake.confined import run_confined
from gis.placing.crs import check_crs
from gis.placing.source_crs import to_wgs84
from gis.rasters.conversion import convert, describe
from gis.rasters.raster import RasterGrid, RasterSpec
from gis.rasters.store import (
    NewRaster,
    file_in_place,
    incoming_file,
    require_span,
    switch_rasters,
)
from gis.values import BBox, TimeSpan

_SUFFIXES = (".tif", ".tiff")
_SAMPLES = 24  # points a side, at which the CRS is held against the province
_NONE = "none"
_DATE = re.compile(
    r"(?<!\d)(\d{4})[-_]?(\d{2})[-_]?(\d{2})(?:[T_-]?(\d{2})[:-]?(\d{2})?(?:\d{2})?)?(?!\d)"
)

type Show = Callable[[int, int], None]
type ReaderRunner = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class RasterOptions:
    """What a person says beside the file, as answers to earlier questions or at once.

    `time`: of the step; None: from the file's name. `band` from 1. `crs`: where the file has none
    or a doubtful one; `declared` keeps it. `nodata`: values that mean none; empty: each is a value;
    None: not said. `unit`: that of the file, where it says another.
    """

    who: str
    time: str | None = None
    band: int | None = None
    crs: str | None = None
    nodata: tuple[float, ...] | None = None
    unit: str | None = None
    simulated: bool = False
    source: str | None = None


@dataclass(frozen=True, slots=True)
class RasterReport:
    """The rasters that were added to a layer, and how many of them replaced others."""

    layer_id: str
    added: int
    replaced: int
    bytes: int


def parse_nodata(values: Sequence[str]) -> tuple[float, ...] | None:
    """The values of `--nodata`; `none`: each value is one. Raises BadInput."""
    if not values:
        return None
    try:
        return () if list(values) == [_NONE] else tuple(map(float, values))
    except ValueError:
        raise BadInput(f"--nodata {' '.join(values)}: give numbers, or none") from None


def add_rasters(
    database: Database,
    folder: Path,
    layer_id: str,
    spec: RasterSpec,
    path: Path,
    options: RasterOptions,
    area: BBox,
    show: Show = lambda done, total: None,
    run: ReaderRunner | None = None,
) -> RasterReport:
    """Add a file, or all GeoTIFFs of a folder as steps of time; all of them or none.

    `folder` is that of the rasters, `area` the province. `run` runs what reads a file: in a
    confined child, unless the file was made by this very process (`run_here`). Raises
    AmbiguousInput, BadFile, BadInput; Conflict for another grid or overlapping times.
    """
    files = _files_of(path)
    if len(files) > 1 and options.time is not None:
        raise BadInput("--time is of one file: in a folder each file has its date in its name")
    spans = [_span_of(file, spec, options) for file in files]
    added: list[NewRaster] = []
    try:
        for number, (file, span) in enumerate(zip(files, spans, strict=True)):
            show(number, len(files))
            added.append(
                _converted(run or run_confined, folder, layer_id, spec, file, span, options, area)
            )
        with database.writing() as connection:
            replaced = switch_rasters(connection, added)
    except BaseException:
        for raster in added:
            (folder / raster.file).unlink(missing_ok=True)
        raise
    show(len(files), len(files))
    return RasterReport(layer_id, len(added), replaced, sum(raster.bytes for raster in added))


def run_here(work: Callable[..., Any], *given: Any, size: int) -> Any:
    """What reads a file, in this process."""
    return work(*given)


def _files_of(path: Path) -> list[Path]:
    """Raises BadFile where there is none."""
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.suffix.lower() in _SUFFIXES)
    else:
        files = [path] if path.is_file() else []
    if not files:
        raise BadFile(f"{path}: không có tệp GeoTIFF / there is no GeoTIFF (.tif, .tiff)")
    return files


def _span_of(file: Path, spec: RasterSpec, options: RasterOptions) -> TimeSpan | None:
    """The step of a file; raises BadInput where it has none and the layer has time, AmbiguousInput
    for a name with several dates.
    """
    text = options.time
    if text is None and spec.has_time:
        dates = {match.group(0): match for match in _DATE.finditer(file.stem)}
        if len(dates) > 1:
            raise AmbiguousInput(f"{file.name} has several dates: name the time, --time")
        text = next(map(_time_in_name, dates.values()), None)
    span = None if text is None else spec.step_of(text)
    require_span(span, has_time=spec.has_time, source=file.name)
    return span


def _time_in_name(match: re.Match[str]) -> str:
    """An hour in a name is UTC, as in the archives of satellites and models."""
    year, month, day, hour, minute = match.groups()
    return f"{year}-{month}-{day}" + (f"T{hour}:{minute or '00'}+00:00" if hour else "")


def _converted(
    run: ReaderRunner,
    folder: Path,
    layer_id: str,
    spec: RasterSpec,
    file: Path,
    span: TimeSpan | None,
    options: RasterOptions,
    area: BBox,
) -> NewRaster:
    size, source = file.stat().st_size, str(file.absolute())
    header = run(describe, source, size=size)
    grid = _grid(file, header, options, area)
    _require_unit(file, header, spec, options)
    plan: dict[str, Any] = {
        "band": _band(file, header, options),
        "crs": grid.crs,
        "quantity": str(spec.quantity),
        "unit": spec.unit,
        "least": spec.least,
        "most": spec.most,
        "classes": list(spec.classes),
        "nodata": None if options.nodata is None else list(options.nodata),
    }
    with incoming_file(folder) as target:
        # A compressed file may be a hundredth of its pixels, which are what takes time and memory.
        pixels = 8 * grid.width * grid.height
        made = run(convert, source, str(target), plan, size=max(size, pixels))
        written = target.stat().st_size
        return NewRaster(
            layer_id=layer_id,
            span=span,
            grid=grid,
            file=file_in_place(folder, target, layer_id),
            dtype=made["dtype"],
            nodata=None if made["nodata"] is None else float(made["nodata"]),
            statistics=made["statistics"],
            bytes=written,
            source=options.source or file.name,
            simulated=options.simulated,
            added_by=options.who,
        )


def _grid(file: Path, header: Any, options: RasterOptions, area: BBox) -> RasterGrid:
    """The grid with a CRS that is known to be true. Raises AmbiguousInput and BadInput."""
    width, height, west, north, pixel_x, pixel_y = header["grid"]
    declared = header["code"] or header["crs"]
    columns = west + pixel_x * np.linspace(0, width, _SAMPLES)
    rows = north - pixel_y * np.linspace(0, height, _SAMPLES)
    x, y = (part.ravel() for part in np.meshgrid(columns, rows))
    if declared is None and options.crs is None:
        raise AmbiguousInput(
            f"{file.name}: tệp không ghi hệ tọa độ / the file names no CRS: say it, such as "
            "`--crs EPSG:9208` (VN-2000, 104°45′) or `--crs EPSG:4326`"
        )
    crs = check_crs(x, y, declared or options.crs, area, assume=options.crs)
    if crs.swapped:
        raise BadInput("a raster's axes are east and north: warp it with gdalwarp")
    lon, lat = to_wgs84(x, y, crs)
    apart = (
        np.nanmax(lon) < area.west or np.nanmin(lon) > area.east
        or np.nanmax(lat) < area.south or np.nanmin(lat) > area.north
    )  # fmt: skip
    if apart or np.isnan(lon).all():
        raise BadInput(
            f"{file.name}: ảnh nằm ngoài tỉnh / the raster lies outside the province, at "
            f"{np.nanmin(lon):.2f} {np.nanmin(lat):.2f} {np.nanmax(lon):.2f} {np.nanmax(lat):.2f}: "
            "check its CRS"
        )
    return RasterGrid(str(crs), int(width), int(height), west, north, pixel_x, pixel_y)


def _require_unit(file: Path, header: Any, spec: RasterSpec, options: RasterOptions) -> None:
    """Raises AmbiguousInput where the file says another unit than the layer."""
    declared = options.unit or header["unit"]
    if declared is None or spec.unit is None or _unit(declared) == _unit(spec.unit):
        return
    raise AmbiguousInput(
        f"{file.name}: đơn vị trong tệp là {declared}, của lớp là {spec.unit} / the file is in "
        f"{declared}, the layer in {spec.unit}: convert it, or say that the file is wrong, "
        f"`--unit {spec.unit}`"
    )


_UNITS = {"metre": "m", "meter": "m", "metres": "m", "meters": "m", "millimeter": "mm",
          "millimetre": "mm", "mm/day": "mm", "kg/m2": "mm", "degree": "deg"}  # fmt: skip


def _unit(text: str) -> str:
    return _UNITS.get(text.strip().lower(), text.strip())


def _band(file: Path, header: Any, options: RasterOptions) -> int:
    """Raises AmbiguousInput for several bands of which none was named, BadInput for no band."""
    bands = header["bands"]
    if options.band is not None:
        if not 1 <= options.band <= bands:
            raise BadInput(f"{file.name} has bands 1 to {bands}: there is no band {options.band}")
        return options.band
    if bands > 1:
        named = ", ".join(f"{n} {name}".strip() for n, name in enumerate(header["names"][:12], 1))
        raise AmbiguousInput(f"{file.name} has {bands} bands ({named}): name one, --band")
    return 1
