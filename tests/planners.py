"""A toy province with old wards and districts, and records of which each answer is counted by hand.

    commune of today   00001 (104.0–104.1)      00004 (104.1–104.2)     00007 (104.2–104.3)
    old wards          00001 in 080, 00002 in 082   00004, 00005 in 082   00008 in 080
    polygons of 080    104.00–104.05 and 104.2–104.3; those of 082 104.05–104.2
    inhabitants        500 (104.02) + 1,500 (104.08)   1,000              30

The commune 00001 is the only one that was made of wards of two districts.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from sqlalchemy import text

from gis.boundaries.loader import load_boundaries
from gis.boundaries.sources import BoundarySource
from gis.boundaries.units import BoundaryQuality, Level, Unit, UnitChange, UnitHistory
from gis.database.engine import Database
from gis.hexes import FINEST
from gis.placing.cells import h3_cells
from gis.population.pieces import PeopleByCell
from gis.population.store import Population, PopulationQuality, store_population
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from layers.storage.sync import sync
from tests.intake_layers import layer_of
from tests.provinces import NAMES, SINCE, toy_communes, write_boundaries

OLD_DISTRICTS = {"080": "Thành phố Cũ", "082": "Huyện Xưa"}
OLD_WARDS = {
    "00001": ("Phường Một", "080", "00001"),
    "00002": ("Xã Hai", "082", "00001"),
    "00004": ("Xã Bốn", "082", "00004"),
    "00005": ("Xã Năm", "082", "00004"),
    "00008": ("Xã Tám", "080", "00007"),
}
DISTRICT_POLYGONS = {
    "080": shapely.MultiPolygon(
        [shapely.box(104.0, 22, 104.05, 22.1), shapely.box(104.2, 22, 104.3, 22.1)]
    ),
    "082": shapely.MultiPolygon([shapely.box(104.05, 22, 104.2, 22.1)]),
}


def planners_history() -> UnitHistory:
    def unit(
        code: str, name: str, kind: str, level: Level, parent: str | None, *, old: bool
    ) -> Unit:
        since, until = (None, SINCE) if old else (SINCE, None)
        return Unit(code, name, f"{kind} {name}", kind, level, since, until, parent)

    def split(full_name: str) -> tuple[str, str]:
        kind = next(k for k in ("Thành phố", "Huyện", "Phường", "Xã") if full_name.startswith(k))
        return full_name.removeprefix(kind).strip(), kind

    units = [
        unit("10", "Lào Cai", "Tỉnh", Level.PROVINCE, None, old=True),
        unit("15", "Lào Cai", "Tỉnh", Level.PROVINCE, None, old=False),
    ]
    for code, full_name in OLD_DISTRICTS.items():
        units.append(unit(code, *split(full_name), Level.DISTRICT, "10", old=True))
    for code, (full_name, district, _) in OLD_WARDS.items():
        units.append(unit(code, *split(full_name), Level.COMMUNE, district, old=True))
    for code, (kind, name) in NAMES.items():
        units.append(unit(code, name, kind, Level.COMMUNE, "15", old=False))
    changes = [UnitChange(old, new, SINCE) for old, (_, _, new) in OLD_WARDS.items()]
    return UnitHistory(tuple(units), tuple(changes))


CATEGORIES = {
    "traffic": {"vi": "Giao thông", "en": "Traffic"},
    "security": {"vi": "An ninh", "en": "Security"},
    "disaster": {"vi": "Thiên tai", "en": "Disaster"},
}
REQUESTS = layer_of(
    {"key": "id", "coordinates": {"x": "lon", "y": "lat"}, "time": {"column": "when"}},
    {
        "category": {"type": "text", "values": CATEGORIES},
        "agency": "text",
        "hours": "number",
        "overdue": "boolean",
        "received_at": "datetime",
        "answered_at": "datetime",
        "note": "text",
    },
    hexes={"category": "category", "min_count": 3},
    tiles={},
)
REQUESTS = REQUESTS.model_copy(update={"id": "requests"})
SLIDES = layer_of({"key": "id", "coordinates": {"x": "lon", "y": "lat"}}, {"deaths": "integer"})
SLIDES = SLIDES.model_copy(update={"id": "slides"})
SECRETS = Layer.model_validate(
    SLIDES.model_dump(mode="json") | {"id": "secrets", "access": {"read": "department"}}
)
COUNTED = Layer.model_validate(
    REQUESTS.model_dump(mode="json")
    | {
        "id": "counted",
        "access": {"read": "department"},
        "hexes": {"category": "category", "min_count": 3, "read": "public"},
    }
)
WAYS = Layer.model_validate(
    SLIDES.model_dump(mode="json")
    | {"id": "ways", "geometry": "line", "hexes": {"resolutions": [7]},
       "source": {"connector": "file", "key": "id"}, "fields": {
           "name": {"type": "text", "label": {"vi": "Tên", "en": "Name"}},
           "lanes": {"type": "integer", "label": {"vi": "Làn", "en": "Lanes"}}}}
)  # fmt: skip
CLOSED_ZONE = Layer.model_validate(
    WAYS.model_dump(mode="json") | {"id": "zones", "geometry": "polygon"}
)
LAYERS = Catalogue((COUNTED, REQUESTS, SECRETS, SLIDES, WAYS, CLOSED_ZONE))

# key, lon, lat, commune, unit of its day, when, category, agency, hours, overdue, note
RECORDS: Sequence[tuple[Any, ...]] = (
    ("a", 104.02, 22.05, "00001", "00001", "2026-03-02T08:00+07", "traffic", "A", 2, True,
     "Mất điện thôn 1"),
    ("b", 104.08, 22.05, "00001", "00001", "2026-03-02T23:30+07", "traffic", "A", 4, True,
     "mất nước"),
    ("c", 104.15, 22.05, "00004", "00004", "2026-03-03T00:30+07", "security", "A", 9, False,
     "mat dien"),
    ("d", 104.15, 22.02, "00004", "00004", "2026-02-10T10:00+07", "security", "B", 10, True, None),
    ("e", 104.08, 22.08, "00001", "00002", "2025-03-10T10:00+07", "traffic", "B", 20, False, None),
    ("f", None, None, "00004", "00004", "2026-03-31T23:59+07", "traffic", "B", None, None, None),
    ("g", 104.25, 22.05, "00007", None, None, None, None, None, None, None),
)  # fmt: skip


def plant_province(database: Database, folder: Path) -> None:
    """Units and inhabitants, and the tables of the layers, in a migrated database."""
    path = write_boundaries(folder, toy_communes())
    source = BoundarySource("toy", BoundaryQuality.OFFICIAL, (path,))
    load_boundaries(database, source, planners_history())
    lon, lat = np.array([104.02, 104.08, 104.15, 104.25]), np.full(4, 22.05)
    people = PeopleByCell(
        h3_cells(lon, lat, FINEST).astype(np.int64), np.array([500.0, 1500, 1000, 30])
    )
    order = np.argsort(people.cells)
    with database.writing() as connection:
        store_population(
            connection,
            PeopleByCell(people.cells[order], people.people[order]),
            Population("toy", 2025, PopulationQuality.GRIDDED, 3030.0),
        )
        sync(connection, LAYERS)


def plant(
    database: Database, records: Iterable[tuple[Any, ...]] = RECORDS, layer: str = "requests"
) -> None:
    """Records of requests, as `RECORDS` has them; the answer comes `hours` after the receipt."""
    with database.writing() as connection:
        for key, lon, lat, commune, then, when, category, agency, hours, overdue, note in records:
            cell = None if lon is None else int(h3_cells(np.array([lon]), np.array([lat]))[0])
            connection.execute(
                text(f"""
                  INSERT INTO layer.{layer} (source, source_key, geom, h3, commune, unit_then,
                    category, agency, overdue, note, hours, valid_at, received_at, answered_at)
                  SELECT 'tests', :key, ST_Point(:lon, :lat, 4326), :cell, :commune, :then,
                    :category, :agency, :overdue, :note, hours, at, at,
                    at + make_interval(secs => 3600 * hours)
                  FROM (SELECT CAST(:at AS timestamptz), CAST(:hours AS float8)) AS v (at, hours)
                """),
                {
                    "key": key, "lon": lon, "lat": lat, "cell": cell, "commune": commune,
                    "then": then, "at": when, "category": category, "agency": agency,
                    "hours": hours, "overdue": overdue, "note": note,
                },
            )  # fmt: skip


def plant_reports(database: Database, records: Iterable[tuple[Any, ...]]) -> None:
    """The same records as citizens' reports; who has no category reports a disaster."""
    with database.writing() as connection:
        for key, lon, lat, commune, then, when, category, *_, note in records:
            cell = None if lon is None else int(h3_cells(np.array([lon]), np.array([lat]))[0])
            connection.execute(
                text("""
                  INSERT INTO layer.citizen_reports (source, source_key, geom, h3, commune,
                    unit_then, valid_at, category, description)
                  VALUES ('tests', :key, ST_Point(:lon, :lat, 4326), :cell, :commune, :then,
                    :at, :category, :note)
                """),
                {
                    "key": key, "lon": lon, "lat": lat, "cell": cell, "commune": commune,
                    "then": then, "at": when, "category": category or "disaster", "note": note,
                },
            )  # fmt: skip


def plant_points(database: Database, layer: str, *points: tuple[float, float, int]) -> None:
    """Points of slides or secrets: longitude, latitude, deaths."""
    with database.writing() as connection:
        for n, (lon, lat, deaths) in enumerate(points):
            connection.execute(
                text(
                    f"INSERT INTO layer.{layer} (source, source_key, geom, deaths)"
                    " VALUES ('tests', :key, ST_Point(:lon, :lat, 4326), :deaths)"
                ),
                {"key": str(n), "lon": lon, "lat": lat, "deaths": deaths},
            )


def plant_shapes(database: Database, layer: str, *shapes: tuple[str, str, int]) -> None:
    """Lines of ways or areas of zones: name, WKT, lanes."""
    from layers.storage.covers import fill_covers

    with database.writing() as connection:
        for name, wkt, lanes in shapes:
            connection.execute(
                text(
                    f"INSERT INTO layer.{layer} (source, source_key, geom, name, lanes)"
                    " VALUES ('tests', :name, ST_Multi(ST_GeomFromText(:wkt, 4326)), :name, :lanes)"
                ),
                {"name": name, "wkt": wkt, "lanes": lanes},
            )
        fill_covers(connection, LAYERS.get(layer))


def write_districts(folder: Path) -> Path:
    """The polygons of the old districts as a file that an operator would load."""
    path = folder / "old_districts.geojson"
    frame = gpd.GeoDataFrame(
        {"code": list(DISTRICT_POLYGONS)},
        geometry=list(DISTRICT_POLYGONS.values()),
        crs="EPSG:4326",
    )
    frame.to_file(path, driver="GeoJSON")
    return path
