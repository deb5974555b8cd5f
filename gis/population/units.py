"""Inhabitants and areas of administrative units, today's and those of before the reform.

The inhabitants of a unit are those of the hexes (resolution 10) whose centre lies in it. Old units
have those of the polygons that an operator loaded; without these the people and the area of each
commune of today are shared among the wards that it was made of, in equal parts, as its records are.
"""

import threading
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import h3ronpy.vector
import numpy as np
from cachetools import LRUCache
from sqlalchemy import Connection, text

from gis.boundaries.lineage import Key, old_shares
from gis.boundaries.package_units import REFORM
from gis.boundaries.units import Level, UnitHistory
from gis.hexes import FINEST, cells_of_resolution
from gis.placing.cells import CellTable, cached_cell_table
from gis.placing.reference import Territory, stored_territory


@dataclass(frozen=True, slots=True)
class UnitSize:
    """Inhabitants (None: none are loaded) and area (km²) of a unit; `estimated`: from shares."""

    people: float | None
    area_km2: float
    estimated: bool = False


type Sizes = Mapping[tuple[str, ...], UnitSize]

_cache: LRUCache[Hashable, dict[str, float]] = LRUCache(16)
_lock = threading.Lock()


def commune_sizes(connection: Connection) -> dict[tuple[str, ...], UnitSize]:
    """Sizes of the communes of today, by (code,)."""
    territory = stored_territory(connection)
    people = _people_by_unit(connection, territory.placed_on, territory.table)
    return {
        (row.code,): UnitSize(None if people is None else people.get(row.code, 0.0), row.area)
        for row in connection.execute(_COMMUNE_AREAS)
    }


def old_sizes(connection: Connection, level: Level) -> dict[tuple[str, ...], UnitSize]:
    """Sizes of the wards or districts of before the reform, by (code,)."""
    with_polygons = _sizes_of_polygons(connection, level)
    if with_polygons is not None:
        return with_polygons
    by_unit: dict[tuple[str, ...], UnitSize] = {}
    for (_, code), size in parts_of_communes(connection, level).items():
        before = by_unit.get((code,))
        by_unit[code,] = size if before is None else _together(before, size)
    return by_unit


def parts_of_communes(connection: Connection, level: Level) -> dict[tuple[str, ...], UnitSize]:
    """Sizes of what each commune of today took from each old ward or district, by (commune, old
    code), from shares.
    """
    history = stored_territory(connection).history
    parts: dict[tuple[str, ...], UnitSize] = {}
    for (commune,), size in commune_sizes(connection).items():
        shares = old_shares(history, Key(None, commune, is_old=False), level)
        for code, share in shares.items():
            if code is not None:
                people = None if size.people is None else size.people * share
                parts[commune, code] = UnitSize(people, size.area_km2 * share, share < 1)
    return parts


def has_old_polygons(connection: Connection, level: Level) -> bool:
    """True where all old wards or districts have polygons."""
    state = connection.execute(_OLD_POLYGONS, {"level": level.value, "day": REFORM}).one()
    return bool(0 < state.units == state.polygons)


def mixed_communes(history: UnitHistory, level: Level, communes: Iterable[str]) -> list[str]:
    """Those of the communes of today that were made of several old units."""
    return [
        code
        for code in communes
        if len(old_shares(history, Key(None, code, is_old=False), level)) > 1
    ]


def _together(one: UnitSize, other: UnitSize) -> UnitSize:
    people = None if one.people is None or other.people is None else one.people + other.people
    return UnitSize(people, one.area_km2 + other.area_km2, one.estimated or other.estimated)


def _sizes_of_polygons(
    connection: Connection, level: Level
) -> dict[tuple[str, ...], UnitSize] | None:
    if not has_old_polygons(connection, level):
        return None
    import geopandas as gpd

    frame = gpd.read_postgis(
        _OLD_SHAPES,
        connection,
        geom_col="geometry",
        params={"level": level.value, "day": REFORM},
    )
    territory: Territory = stored_territory(connection)
    # Reading the table is dear: it is only needed where its people are not known yet.
    key = (territory.placed_on, level.value)
    people = _people_by_unit(connection, key, lambda: cached_cell_table(connection, frame))
    return {
        (code,): UnitSize(None if people is None else people.get(code, 0.0), area)
        for code, area in zip(frame["code"], frame["area"], strict=True)
    }


def _people_by_unit(connection: Connection, key: Hashable, table: Any) -> dict[str, float] | None:
    """Inhabitants by unit of a table of cells, or of what makes one; None where none are loaded."""
    source = connection.execute(_SOURCE).one_or_none()
    if source is None:
        return None
    full_key = (key, tuple(source))
    with _lock:
        if full_key in _cache:
            return _cache[full_key]
    units: CellTable = table if isinstance(table, CellTable) else table()
    span = cells_of_resolution(FINEST)
    packed = connection.execute(_PEOPLE, {"first": span.first, "last": span.last}).one()
    cells = np.frombuffer(packed[0] or b"", ">i8").astype(np.uint64)
    people = np.frombuffer(packed[1] or b"", ">f8").astype(np.float64)
    centres = h3ronpy.vector.cells_to_coordinates(cells)
    index = units.assign(np.asarray(centres["lng"]), np.asarray(centres["lat"]))
    inside = index >= 0
    sums = np.bincount(index[inside], people[inside], len(units.codes))
    by_unit = dict(zip(units.codes, sums.tolist(), strict=True))
    with _lock:
        _cache[full_key] = by_unit
    return by_unit


_SOURCE = text("SELECT xmin::text, source, people FROM gis.population_source")
_PEOPLE = text("""
SELECT string_agg(int8send(cell), '' ORDER BY cell),
       string_agg(float8send(people), '' ORDER BY cell)
FROM gis.population WHERE cell BETWEEN :first AND :last
""")
_COMMUNE_AREAS = text("""
SELECT code, coalesce(area_km2, ST_Area(geom::geography) / 1e6) AS area FROM layer.communes
""")
_OLD_POLYGONS = text("""
SELECT count(*) AS units, count(geom) AS polygons FROM gis.admin_unit
WHERE level = :level AND valid_to = :day
""")
_OLD_SHAPES = text("""
SELECT code, geom AS geometry, coalesce(area_km2, ST_Area(geom::geography) / 1e6) AS area
FROM gis.admin_unit WHERE level = :level AND valid_to = :day ORDER BY code
""")
