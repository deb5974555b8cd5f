"""Summaries beside bare SQL and geopandas, on the same points.

Run by `make bench`. Prints seconds, the least of some alternating runs; fails where a summary takes
more than 1.5 times the bare statement, or where geopandas.sjoin with groupby is not five times
slower. GIS_BENCH_ROWS makes it smaller.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import shapely
from sqlalchemy import text

from gis.database.engine import Database
from gis.database.migrate import migrate
from layers.cql2 import FilterScope, condition, parse, properties_of
from layers.items import Query, source_of
from layers.summary.parameters import SummaryParameters
from layers.summary.statement import summarise
from tests.databases import server
from tests.planners import LAYERS, plant_points, plant_province
from tests.provinces import toy_communes

ROWS = int(os.environ.get("GIS_BENCH_ROWS", "1000000"))
RUNS = 5
WORST, LEAST = 1.5, 5.0
FILL = """
INSERT INTO layer.requests
  (source, source_key, geom, h3, commune, unit_then, valid_at, category, agency, hours)
SELECT 'bench', n::text, ST_Point(x, 22 + random() * 0.1, 4326),
  627149962132238335 + ((random() * 1000)::bigint << 18),
  (ARRAY['00001', '00004', '00007'])[1 + floor((x - 104) * 10)],
  (ARRAY['00001', '00004', '00007'])[1 + floor((x - 104) * 10)],
  timestamptz '2025-07-02' + random() * interval '300 days',
  (ARRAY['traffic', 'security'])[1 + floor(random() * 2)], 'A' || mod(n, 10), random() * 100
FROM (SELECT n, 104 + random() * 0.2999 AS x FROM generate_series(1, :rows) AS n) AS points
"""
CASES = {
    "count by commune": (
        {"by": "commune"},
        "SELECT commune, count(*) FROM layer.requests GROUP BY 1 ORDER BY 1",
    ),
    "count by commune and category": (
        {"by": "commune,category"},
        "SELECT commune, category, count(*) FROM layer.requests GROUP BY 1, 2 ORDER BY 1, 2",
    ),
    "count by month": (
        {"by": "month"},
        "SELECT date_trunc('month', valid_at AT TIME ZONE interval '7 hours')::date, count(*)"
        " FROM layer.requests GROUP BY 1 ORDER BY 1",
    ),
    "sum and mean by agency": (
        {"by": "agency", "measure": "hours", "statistics": "count,sum,mean"},
        "SELECT agency, count(*), sum(hours), avg(hours) FROM layer.requests GROUP BY 1 ORDER BY 1",
    ),
    "median by agency": (
        {"by": "agency", "measure": "hours", "statistics": "median"},
        "SELECT agency, percentile_cont(0.5) WITHIN GROUP (ORDER BY hours) FROM layer.requests"
        " GROUP BY 1 ORDER BY 1",
    ),
    "count by hex": (
        {"by": "hex", "resolution": 8},
        "SELECT gis.h3_parent(h3, 8), count(*) FROM layer.requests WHERE NOT default_point"
        " GROUP BY 1 ORDER BY 1",
    ),
}


def main() -> int:
    with server() as running, running.opened() as database:
        migrate(database)
        plant_province(database, Path(tempfile.mkdtemp()))
        fill(database)
        failures = [
            name
            for name, (given, sql) in CASES.items()
            if not beside_sql(database, name, given, sql)
        ]
        failures += [] if beside_geopandas(database) else ["geopandas"]
        near_another_layer(database)
    return 1 if failures else 0


def fill(database: Database) -> None:
    with database.writing() as connection:
        connection.exec_driver_sql("SET ROLE gis_owner")
        connection.exec_driver_sql("ALTER TABLE layer.requests DISABLE TRIGGER USER")
        connection.execute(text(FILL), {"rows": ROWS})
        connection.exec_driver_sql("ANALYZE layer.requests")


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def summary(database: Database, given: dict[str, object]) -> None:
    source = source_of(LAYERS.get("requests"))
    with database.reading() as connection:
        summarise(connection, source, Query(), SummaryParameters.model_validate(given))


def statement(database: Database, sql: str) -> None:
    with database.reading() as connection:
        connection.exec_driver_sql(sql).all()


def beside_sql(database: Database, name: str, given: dict[str, object], sql: str) -> bool:
    ours, bare = [], []
    for _ in range(RUNS):
        ours.append(seconds(lambda: summary(database, given)))
        bare.append(seconds(lambda: statement(database, sql)))
    ratio = min(ours) / min(bare)
    print(f"{name:32} {min(ours):7.3f} s, bare SQL {min(bare):7.3f} s: {ratio:.2f} times")
    return ratio <= WORST


def beside_geopandas(database: Database) -> bool:
    with database.reading() as connection:
        rows = connection.execute(text("SELECT ST_X(geom), ST_Y(geom) FROM layer.requests")).all()
    lon, lat = zip(*rows, strict=True)
    points = gpd.GeoDataFrame(geometry=shapely.points(lon, lat), crs="EPSG:4326")
    communes = toy_communes()

    def joined() -> None:
        gpd.sjoin(points, communes, predicate="within").groupby("code").size()

    theirs = min(seconds(joined) for _ in range(2))
    ours = min(seconds(lambda: summary(database, {"by": "commune"})) for _ in range(2))
    print(f"{'geopandas.sjoin and groupby':32} {theirs:7.3f} s: {theirs / ours:.1f} times ours")
    return theirs >= LEAST * ours


def near_another_layer(database: Database) -> None:
    """Not promised: what lies within 500 m of a hundred points of another layer."""
    plant_points(database, "slides", *((104 + n * 0.003, 22.05, n) for n in range(100)))
    source = source_of(LAYERS.get("requests"))

    def counted() -> None:
        scope = FilterScope(source, lambda name: source_of(LAYERS.get(name)))
        wanted = parse("IN_LAYER(geom, 'slides', 500)")
        query = Query(condition=condition(wanted, properties_of(source), scope=scope))
        with database.reading() as connection:
            summarise(connection, source, query, SummaryParameters(by="commune"))

    print(f"{'within 500 m of 100 others':32} {seconds(counted):7.3f} s")


if __name__ == "__main__":
    sys.exit(main())
