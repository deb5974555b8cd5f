"""Load of boundaries: polygons of a source are read, repaired and stored in one transaction."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyogrio
import shapely

from gis.boundaries.approximate import approximate_communes
from gis.boundaries.repair import Overlap, make_valid, resolve_overlaps
from gis.boundaries.sources import BoundarySource
from gis.boundaries.store import (
    digest_of,
    read_history,
    replace_units,
    store_polygons,
    stored_digest,
)
from gis.boundaries.units import BoundaryQuality, Level, Unit, UnitHistory
from gis.clock import today
from gis.database.engine import Database
from gis.errors import BadFile
from gis.placing.shapes import vertex_fault

Show = Callable[[int, int], None]
_STEPS = 4
_WIDEST_DEGREES = 2.0  # the whole province is 1.5° wide and high
_MAX_FAULTS = 5
_CODE_DIGITS = {Level.COMMUNE: 5, Level.DISTRICT: 3, Level.PROVINCE: 2}


@dataclass(frozen=True, slots=True)
class BoundaryLoad:
    """Counts of a load; `changed` is false when these boundaries were in force already."""

    source: str
    quality: BoundaryQuality
    communes: int
    units: int
    changes: int
    overlaps: tuple[Overlap, ...]
    changed: bool


def load_boundaries(
    database: Database, source: BoundarySource, history: UnitHistory, show: Show | None = None
) -> BoundaryLoad:
    """Make the units of `history`, with the polygons of `source`, the ones in force.

    Overlaps are resolved by the official areas; the province is the union of its communes. All is
    stored, or nothing. Raises BadFile when the polygons are not those of the communes of today.
    """
    progress = show or (lambda done, total: None)
    communes = _with_areas(read_communes(source, history), history)
    progress(1, _STEPS)
    communes, overlaps = resolve_overlaps(make_valid(communes))
    progress(2, _STEPS)
    history = _with_official_areas(history, communes)
    digest = digest_of(history, communes, source.quality)
    shapes = _shapes(communes, history)
    progress(3, _STEPS)
    with database.writing() as connection:
        changed = stored_digest(connection) != digest
        if changed:
            replace_units(
                connection,
                history,
                shapes,
                source=source.name,
                quality=source.quality,
                digest=digest,
            )
    progress(_STEPS, _STEPS)
    return BoundaryLoad(
        source=source.name,
        quality=source.quality,
        communes=len(communes),
        units=len(history.units),
        changes=len(history.changes),
        overlaps=overlaps,
        changed=changed,
    )


@dataclass(frozen=True, slots=True)
class FormerReport:
    """Number of old units that got a polygon, and codes of those of that day without one."""

    stored: int
    without_polygon: tuple[str, ...]


def load_former(
    database: Database, path: Path, day: date, level: Level = Level.COMMUNE
) -> FormerReport:
    """Give the communes or districts of an earlier day their polygons.

    Points of that day then know their commune, and summaries by old district go by where points
    lie. The file has the form of any boundary file, with the codes of that day; it may hold a part
    of them. Raises BadFile for codes that no such unit had on that day.
    """
    polygons = make_valid(_read_file(path, level))
    with database.writing() as connection:
        history = read_history(connection)
        units = {unit.code for unit in history.on(day, level) if unit.valid_to is not None}
        unknown = sorted(set(polygons["code"]) - units)
        if unknown:
            raise BadFile(
                f"{path.name}: no former {level} had the code {', '.join(unknown[:5])} on {day}"
            )
        rows = zip(polygons["code"], shapely.to_wkb(polygons.geometry.to_numpy()), strict=True)
        store_polygons(connection, dict(rows), day, level)
    return FormerReport(len(polygons), tuple(sorted(units - set(polygons["code"]))))


def read_communes(source: BoundarySource, history: UnitHistory) -> gpd.GeoDataFrame:
    """Columns code, area_km2 (NaN when the source has none), geometry (EPSG:4326), by code.

    Raises BadFile when codes are missing, repeated, or not those of the communes of today.
    """
    living = {unit.code for unit in _living(history, Level.COMMUNE)}
    if source.quality is BoundaryQuality.APPROXIMATE:
        (province,) = _living(history, Level.PROVINCE)
        communes = approximate_communes(province.code)
    else:
        communes = pd.concat([_read_file(path) for path in source.files], ignore_index=True)
    _check_codes(communes["code"].tolist(), living, source.name)
    return communes.sort_values("code").reset_index(drop=True)


def _read_file(path: Path, level: Level = Level.COMMUNE) -> gpd.GeoDataFrame:
    try:
        frame = gpd.read_file(path)
    except (pyogrio.errors.DataSourceError, OSError) as error:
        raise BadFile(f"{path.name} cannot be read as boundaries: {error}") from error
    names = {str(name).lower(): name for name in frame.columns}
    code = next(
        (names[name] for name in ("code", "ma_xa", "maxa", "ward_code") if name in names), None
    )
    if code is None or frame.crs is None:
        raise BadFile(
            f"{path.name} needs a column `code` with the codes of communes, and a CRS; it has "
            f"{', '.join(map(str, frame.columns))} and the CRS {frame.crs}"
        )
    areas = frame[names["area_km2"]].astype(float) if "area_km2" in names else np.nan
    shapes = frame.geometry.to_crs("EPSG:4326")
    columns = {"code": frame[code].astype(str).str.zfill(_CODE_DIGITS[level]), "area_km2": areas}
    faults = list(_shape_faults(columns["code"], shapes.to_numpy()))
    if faults:
        raise BadFile(f"{path.name}: {'; '.join(faults[:_MAX_FAULTS])}")
    return gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:4326")


def _shape_faults(codes: Iterable[str], shapes: npt.NDArray[np.object_]) -> Iterator[str]:
    """Faults of polygons in degrees: a vertex off the earth, or an extent that no commune has."""
    for code, shape in zip(codes, shapes, strict=True):
        if shape is None or shape.is_empty:
            yield f"commune {code} has no geometry"
            continue
        fault = vertex_fault(shape)
        west, south, east, north = shape.bounds
        if fault is not None:
            yield f"commune {code}: {fault}"
        elif max(east - west, north - south) > _WIDEST_DEGREES:
            box = f"{west:g} {south:g} {east:g} {north:g}"
            yield f"commune {code} reaches over {box} (degrees): no commune is so wide"


def _check_codes(codes: list[str], living: set[str], name: str) -> None:
    unknown, missing = sorted(set(codes) - living), sorted(living - set(codes))
    repeated = sorted({code for code in codes if codes.count(code) > 1})
    faults = {"unknown": unknown, "missing": missing, "repeated": repeated}
    messages = [
        f"{kind}: {', '.join(fault_codes[:5])}"
        for kind, fault_codes in faults.items()
        if fault_codes
    ]
    if messages and (unknown or repeated or len(missing) > 0.5 * len(living)):
        raise BadFile(
            f"{name} does not hold the {len(living)} communes of today; {'; '.join(messages)}"
        )


def _with_areas(communes: gpd.GeoDataFrame, history: UnitHistory) -> gpd.GeoDataFrame:
    """The communes with the official area of the source, else of the units."""
    areas = {unit.code: unit.area_km2 for unit in _living(history, Level.COMMUNE)}
    unit_areas = communes["code"].map(areas).astype(float)
    return communes.assign(area_km2=communes["area_km2"].fillna(unit_areas))


def _with_official_areas(history: UnitHistory, communes: gpd.GeoDataFrame) -> UnitHistory:
    """The units with the areas of the source, where it has them."""
    areas = communes.set_index("code")["area_km2"].dropna().to_dict()
    living = {(unit.code, unit.level) for unit in _living(history, Level.COMMUNE)}
    units = (
        replace(unit, area_km2=areas.get(unit.code, unit.area_km2))
        if (unit.code, unit.level) in living and unit.valid_to is None
        else unit
        for unit in history.units
    )
    return UnitHistory(tuple(units), history.changes)


def _shapes(
    communes: gpd.GeoDataFrame, history: UnitHistory
) -> dict[tuple[str, Level], shapely.Geometry]:
    shapes = {
        (code, Level.COMMUNE): shape
        for code, shape in zip(communes["code"], communes.geometry, strict=True)
    }
    union = shapely.union_all(communes.geometry.to_numpy())
    for province in _living(history, Level.PROVINCE):
        shapes[province.code, Level.PROVINCE] = union
    return shapes


def _living(history: UnitHistory, level: Level) -> list[Unit]:
    return list(history.on(today(), level))
