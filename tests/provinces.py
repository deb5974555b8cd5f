"""A toy province for tests that need units but no real ones: three squares side by side.

00001 Phường Sao Mai | 00004 Xã Bãi Cát | 00007 Xã Đồi Thông
each 0.1° wide and high, from 104.0° E, 22.0° N
"""

from datetime import date
from pathlib import Path

import geopandas as gpd
import shapely

from gis.boundaries.package_units import package_history
from gis.boundaries.units import Level, Unit, UnitHistory

SINCE = date(2025, 7, 1)
GRID_DAY = date(2026, 1, 1)
NAMES = {"00001": ("Phường", "Sao Mai"), "00004": ("Xã", "Bãi Cát"), "00007": ("Xã", "Đồi Thông")}


def toy_history() -> UnitHistory:
    province = Unit("15", "Lào Cai", "Tỉnh Lào Cai", "Tỉnh", Level.PROVINCE, SINCE, None, None)
    communes = (
        Unit(code, name, f"{kind} {name}", kind, Level.COMMUNE, SINCE, None, "15")
        for code, (kind, name) in NAMES.items()
    )
    return UnitHistory((province, *communes), ())


def toy_communes() -> gpd.GeoDataFrame:
    """Columns code, name, full_name, geometry (EPSG:4326)."""
    boxes = [shapely.box(104 + n / 10, 22, 104.1 + n / 10, 22.1) for n in range(len(NAMES))]
    columns = {
        "code": list(NAMES),
        "name": [name for _, name in NAMES.values()],
        "full_name": [f"{kind} {name}" for kind, name in NAMES.values()],
    }
    return gpd.GeoDataFrame(columns, geometry=boxes, crs="EPSG:4326")


def write_boundaries(folder: Path, communes: gpd.GeoDataFrame) -> Path:
    """Communes as a GeoJSON file."""
    path = folder / "communes.geojson"
    communes.to_file(path, driver="GeoJSON")
    return path


def grid_communes() -> gpd.GeoDataFrame:
    """The 99 communes of today as squares of 0.1° in rows of ten, from 103.6° E, 21.4° N.

    Codes and names are real; the shapes are not.
    """
    units = sorted(package_history().on(GRID_DAY, Level.COMMUNE), key=lambda unit: unit.code)
    boxes = [
        shapely.box(
            103.6 + n % 10 / 10, 21.4 + n // 10 / 10, 103.7 + n % 10 / 10, 21.5 + n // 10 / 10
        )
        for n in range(len(units))
    ]
    columns = {"code": [unit.code for unit in units], "name": [unit.name for unit in units]}
    return gpd.GeoDataFrame(columns, geometry=boxes, crs="EPSG:4326")
