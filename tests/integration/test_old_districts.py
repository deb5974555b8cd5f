"""The districts of before the reform, with the real polygons that an operator may load."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely
from sqlalchemy import text

from gis.boundaries.lineage import LAST_OLD_DAY, Key, old_shares
from gis.boundaries.loader import load_former
from gis.boundaries.units import Level
from gis.database.engine import Database
from gis.hexes import FINEST
from gis.placing.cells import h3_cells
from gis.placing.reference import stored_territory
from gis.population.pieces import PeopleByCell, sum_by_cell
from gis.population.store import Population, PopulationQuality, store_population
from gis.population.units import old_sizes
from layers.definition.catalogue import Catalogue
from layers.items import Query, source_of
from layers.summary.parameters import SummaryParameters
from layers.summary.statement import summarise


def test_points_and_people_are_in_the_district_whose_polygon_holds_them(
    lao_cai: Database, catalogue: Catalogue, shared: Path
) -> None:
    path = shared / "data" / "old_districts_10_15.geojson"
    report = load_former(lao_cai, path, LAST_OLD_DAY, Level.DISTRICT)
    assert (report.stored, report.without_polygon) == (18, ())
    with lao_cai.reading() as connection:
        territory = stored_territory(connection)
    west, south, east, north = territory.outline.bounds
    draw = np.random.default_rng(5)
    lon, lat = draw.uniform(west, east, 3000), draw.uniform(south, north, 3000)
    index = territory.table.assign(lon, lat)
    lon, lat, index = lon[index >= 0], lat[index >= 0], index[index >= 0]
    communes = [territory.table.codes[i] for i in index]
    cells = h3_cells(lon, lat).astype(np.int64)
    ten = h3_cells(lon, lat, FINEST).astype(np.int64)
    with lao_cai.writing() as connection:
        connection.execute(
            text(
                "INSERT INTO layer.citizen_reports (source, source_key, geom, h3, commune,"
                " unit_then, valid_at, category) SELECT 'tests', n::text, ST_Point(x, y, 4326), h3,"
                " commune, commune, '2026-03-01', 'traffic' FROM unnest(CAST(:x AS float8[]),"
                " CAST(:y AS float8[]), CAST(:h AS bigint[]), CAST(:c AS text[]))"
                " WITH ORDINALITY AS v (x, y, h3, commune, n)"
            ),
            {"x": lon.tolist(), "y": lat.tolist(), "h": cells.tolist(), "c": communes},
        )
        people = sum_by_cell([PeopleByCell(ten, np.full(len(ten), 10.0))])
        total = Population("toy", None, PopulationQuality.GRIDDED, 10.0 * len(ten))
        store_population(connection, people, total)
    source = source_of(catalogue.get("citizen_reports"))
    with lao_cai.reading() as connection:
        answer = summarise(connection, source, Query(), SummaryParameters(by="old_district"))
        sizes = old_sizes(connection, Level.DISTRICT)
    assert answer.total == len(lon)
    assert not any(row["estimated"] for row in answer.rows)
    found = {row["old_district"]: row["count"] for row in answer.rows}
    # Of a commune made of one district's wards all are of it; of others, whose polygon holds them.
    polygons = gpd.read_file(path)
    expected: dict[str, int] = {}
    for x, y, commune in zip(lon, lat, communes, strict=True):
        shares = old_shares(territory.history, Key(None, commune, is_old=False), Level.DISTRICT)
        (district,) = shares if len(shares) == 1 else _holding(polygons, x, y)
        expected[district] = expected.get(district, 0) + 1
    assert found == expected
    # People go by the polygon alone: borders of the two sources differ by little.
    by_polygon = _count(polygons, lon, lat)
    for (code,), size in sizes.items():
        assert abs(size.people - 10 * by_polygon[code]) <= 10 * (3 + 0.05 * by_polygon[code])
    assert 12_000 < sum(size.area_km2 for size in sizes.values()) < 14_500


def _holding(polygons: gpd.GeoDataFrame, x: float, y: float) -> list[str]:
    holds = shapely.intersects(polygons.geometry.to_numpy(), shapely.Point(x, y))
    return sorted(polygons["code"][holds])[:1]


def _count(polygons: gpd.GeoDataFrame, lon: np.ndarray, lat: np.ndarray) -> dict[str, int]:
    points = shapely.points(lon, lat)
    return {
        code: int(shapely.intersects(shape, points).sum())
        for code, shape in zip(polygons["code"], polygons.geometry, strict=True)
    }
