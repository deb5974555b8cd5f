"""Series of measurements beside bare SQL, on one server: newest values, daily sums, storing.

* Newest values of all stations: the rows of stations, beside a plain table of the same measurements
  with the best index (station, quantity, time), of which bare SQL takes the newest by a lateral
  join.
* Daily sums of one station in a year: ours, with completeness, beside `date_bin` on that table.
* Storing: a load of measurements in place, newest values kept, beside a bare INSERT of the same.

Each is told for GIS_BENCH_SERIES measurements (10,000,000 of 1,000 stations), and for a tenth and
a hundredth of them. Fails where, of all of them, the newest values take more than twice as long as
bare SQL, or daily sums more than three times. Times are the least of several turns.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from gis.boundaries.loader import load_boundaries
from gis.boundaries.sources import BoundarySource
from gis.boundaries.units import BoundaryQuality
from gis.database.engine import Database
from gis.database.migrate import migrate
from gis.database.roles import as_owner
from gis.intake.chunks import TableChunks
from gis.intake.tables import RawTable
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from layers.ingest.load import LoadOptions, load_chunks
from layers.series.latest import refresh_latest
from layers.series.partitions import add_months
from layers.series.reading import find_stations, interval_values
from layers.storage.sync import sync
from tests.databases import own_cluster
from tests.provinces import toy_communes, toy_history, write_boundaries
from tests.series_layers import gauges

MEASUREMENTS = int(os.environ.get("GIS_BENCH_SERIES", "10000000"))
STATIONS = 1_000
STORED = 10_000  # by the load
TURNS = 7
LATEST_PROMISED, SUMS_PROMISED = 2.0, 3.0  # times bare SQL, at most
END = datetime(2026, 9, 1, tzinfo=UTC)
RAIN = {"every": "1h", "aggregate": "sum"}

_NEWEST = text("SELECT source_key, level, level_quality, valid_at FROM layer.mz")
_BARE_NEWEST = text("""
SELECT s.id, m.value, m.quality, m.measured_at FROM layer.mz s CROSS JOIN LATERAL (
  SELECT value, quality, measured_at FROM layer.bare WHERE station = s.id AND quantity = 'level'
  ORDER BY measured_at DESC LIMIT 1) AS m
""")
_BARE_SUMS = text("""
SELECT date_bin('1 day', measured_at - interval '1 microsecond', '2000-01-01 12:00+00') AS day,
       sum(value), count(*)
FROM layer.bare WHERE station = :station AND quantity = 'level'
  AND measured_at > :start AND measured_at <= :end GROUP BY 1 ORDER BY 1
""")
_BARE_INSERT = text("""
INSERT INTO layer.bare (station, quantity, measured_at, value, quality)
SELECT s.id, 'level', CAST(:start AS timestamptz) + n * interval '1 hour', n, 'good'
FROM layer.mz s, generate_series(1, CAST(:hours AS int)) AS n
""")


def main() -> int:
    failed = False
    with tempfile.TemporaryDirectory() as folder, own_cluster({}) as cluster:
        database = Database(cluster.url, reader_timeout_ms=600_000)
        migrate(database)
        layer = gauges(RAIN, series={"day_starts": "19:00"})
        prepare(database, layer, Path(folder))
        stored = 0
        for share in (100, 10, 1):
            hours = MEASUREMENTS // share // STATIONS
            fill(database, layer, stored, hours)
            stored = hours
            failed = compare(database, layer, hours)
        database.close()
    return int(failed)


def prepare(database: Database, layer: Layer, folder: Path) -> None:
    """Communes, the layer with its stations, and a plain table with the best index."""
    path = write_boundaries(folder, toy_communes())
    load_boundaries(
        database, BoundarySource("toy", BoundaryQuality.OFFICIAL, (path,)), toy_history()
    )
    with database.writing() as connection:
        sync(connection, Catalogue((layer,), {layer.id: "1"}))
        connection.execute(
            text(
                "INSERT INTO layer.mz (source, source_key, geom, commune, place_method, name)"
                " SELECT 'tests', n::text, ST_Point(104.05, 22.05, 4326), '00001', 'coordinates',"
                " n::text FROM generate_series(1, CAST(:number AS int)) AS n"
            ),
            {"number": STATIONS},
        )
        with as_owner(connection):
            connection.execute(
                text(
                    "CREATE TABLE layer.bare (station bigint NOT NULL, quantity text NOT NULL,"
                    " measured_at timestamptz NOT NULL, value float8 NOT NULL, quality text"
                    " NOT NULL, PRIMARY KEY (station, quantity, measured_at))"
                )
            )


def fill(database: Database, layer: Layer, stored: int, hours: int) -> None:
    """Hourly values of each station, so many back from the end, of which some are stored."""
    months = {
        (END - timedelta(hours=each) + timedelta(hours=7)).date().replace(day=1)
        for each in range(0, hours + 24, 24)
    }
    values = {"end": END, "first": stored, "last": hours - 1}
    with database.writing() as connection:
        add_months(connection, layer, months)
        for table in ("mz_measurements", "bare"):
            connection.execute(
                text(
                    f"INSERT INTO layer.{table} (station, quantity, measured_at, value, quality)"
                    " SELECT s.id, 'level', CAST(:end AS timestamptz) - n * interval '1 hour',"
                    " (s.id * 7 + n) % 40, 'good'"
                    " FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS n,"
                    " layer.mz s"
                ),
                values,
            )
        refresh_latest(connection, layer)
    with database.connect_apart() as connection:
        connection.execute(text("VACUUM ANALYZE"))


def compare(database: Database, layer: Layer, hours: int) -> bool:
    """Print the three comparisons at one size; True where a promise is broken."""
    print(f"{hours * STATIONS:,} measurements of {STATIONS:,} stations")
    with database.reading() as connection:
        ours = least(lambda: connection.execute(_NEWEST).all())
        bare = least(lambda: connection.execute(_BARE_NEWEST).all())
        latest = tell("newest of all stations", ours, bare)
        stations = find_stations(connection, layer, keys=["17"])
        first, last = END - timedelta(days=365), END
        days = f"{first:%Y-%m-%d}/{last - timedelta(days=1):%Y-%m-%d}"
        span = {"station": stations[0].id, "start": first, "end": last}
        ours = least(lambda: interval_values(connection, layer, stations, ["level"], "day", days))
        bare = least(lambda: connection.execute(_BARE_SUMS, span).all())
        sums = tell("days of a station's year", ours, bare)
    store(database, layer)
    sys.stdout.flush()
    return latest > LATEST_PROMISED or sums > SUMS_PROMISED


def store(database: Database, layer: Layer) -> None:
    """Print the rates of storing beside a bare INSERT; all is rolled back."""
    per_station = STORED // STATIONS
    after = [END + timedelta(hours=each + 1) for each in range(per_station)]
    cells = {
        "code": [str(n) for n in range(1, STATIONS + 1) for _ in after],
        "at": [at.isoformat() for _ in range(STATIONS) for at in after],
        "level": [str(n % 40) for n in range(STORED)],
    }
    for name in ("lon", "lat", "name", "flag"):
        cells[name] = [""] * STORED
    table = RawTable("bench", "", tuple(cells), cells, range(1, STORED + 1))
    options = LoadOptions(who="bench", source="tests", confirmed=True)

    def load(connection: Connection) -> None:
        report = load_chunks(connection, layer, TableChunks(None, table), options)
        assert report.added == STORED, report

    def insert(connection: Connection) -> None:
        connection.execute(_BARE_INSERT, {"start": END, "hours": per_station})

    rates = []
    for work in (load, insert):
        with database.writing() as connection:
            start = time.perf_counter()
            work(connection)
            rates.append(STORED / (time.perf_counter() - start))
            connection.rollback()
    print(f"  stored a second: {rates[0]:,.0f} by a load, {rates[1]:,.0f} by a bare INSERT")


def least(work: Callable[[], Any]) -> float:
    """Milliseconds of the fastest turn."""
    times = []
    for _ in range(TURNS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times) * 1000


def tell(name: str, ours: float, bare: float) -> float:
    print(f"  {name}: {ours:.2f} ms, bare SQL {bare:.2f} ms: {ours / bare:.2f}×")
    return ours / bare


if __name__ == "__main__":
    raise SystemExit(main())
