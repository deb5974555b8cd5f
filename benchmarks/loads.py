"""Intake beside geopandas, in turns, on one durable database server of its own.

Theirs is `read_csv → points_from_xy → sjoin → to_postgis`, which checks nothing, knows no keys and
counts no hexes. Both read the same CSV file of records with coordinates, into an empty table, each
in a process of its own. Prints rows a second and seconds of CPU (of the process and of the server)
of each, how often faster a reload without changes is, the memory of a larger load, and what a
program gets answered that pushes lines of JSON. Fails when a reload is not at least three times as
fast as the load, or a batch with a bad row takes twice as long as one without.

GIS_BENCH_LOAD_ROWS and GIS_BENCH_LOAD_ROUNDS set the size (100,000 records, 3 rounds),
GIS_BENCH_LARGE_ROWS that of the larger load (0: none; 10,000,000 take about 5 GB of disk). The
communes are those of GIS_BOUNDARIES where it is set, else made-up ones.
"""

import csv
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import psycopg
import shapely
from sqlalchemy import create_engine

from api.app import create_app
from gis.access import Role, create_key
from gis.boundaries.loader import load_boundaries
from gis.boundaries.package_units import package_history
from gis.boundaries.sources import BoundarySource
from gis.boundaries.units import BoundaryQuality
from gis.clock import HERE
from gis.database.engine import Database
from gis.database.migrate import migrate
from gis.database.roles import as_owner
from gis.placing.reference import stored_territory
from gis.settings import Settings
from layers.definition.catalogue import read_catalogue
from layers.definition.model import Layer
from layers.ingest.load import LoadOptions, load_file
from layers.storage.sync import sync
from tests.conftest import LAYERS
from tests.databases import own_cluster
from tests.integration.ogc_app import Client, serving
from tests.provinces import toy_communes, toy_history, write_boundaries

ROWS = int(os.environ.get("GIS_BENCH_LOAD_ROWS", "100000"))
ROUNDS = int(os.environ.get("GIS_BENCH_LOAD_ROUNDS", "3"))
LARGE_ROWS = int(os.environ.get("GIS_BENCH_LARGE_ROWS", "0"))
BATCH, BATCHES = 1_000, 10
RELOAD_PROMISED = 3.0  # times as fast as the load
BAD_ROW_PROMISED = 2.0  # times the seconds of a clean batch, at most
_COLUMNS = ("incident_id", "happened_at", "kind", "severity", "note", "lon", "lat")
_KINDS, _SEVERITIES = (
    ("road_closed", "power_cut", "forest_fire", "flood"),
    ("low", "medium", "high"),
)


@dataclass(frozen=True)
class Run:
    """What one process took: seconds, seconds of CPU with those of the server, and memory."""

    seconds: float
    cpu_s: float
    peak_mb: float

    def told(self, name: str, rows: int) -> str:
        return (
            f"{rows:>11,} rows: {name:<22}{rows / self.seconds:>9,.0f} rows/s"
            f"{self.cpu_s:>8.1f} s of CPU{self.peak_mb:>7,.0f} MB"
        )


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, own_cluster({}) as cluster:
        communes = prepare(cluster.url, Path(folder))
        reload_times = compare_loads(cluster.url, Path(folder), communes)
        bad_times = compare_batches(cluster.url, Path(folder), communes)
        push(cluster.url, Path(folder), communes)
        if LARGE_ROWS:
            load_large(cluster.url, Path(folder), communes)
    return 0 if reload_times >= RELOAD_PROMISED and bad_times < BAD_ROW_PROMISED else 1


def compare_loads(url: str, folder: Path, communes: gpd.GeoDataFrame) -> float:
    """Prints both; gives how often faster a reload is. All are medians of the rounds."""
    path = folder / "incidents.csv"
    write_rows(path, communes, ROWS)
    rounds = []
    for _ in range(ROUNDS):
        empty(url)
        theirs = in_process(geopandas_load, url, path, communes)
        ours = in_process(our_load, url, path)
        rounds.append((theirs, ours, in_process(our_load, url, path)))
    for name, runs in zip(
        ("geopandas", "gis", "gis, reload"), zip(*rounds, strict=True), strict=True
    ):
        print(sorted(runs, key=lambda run: run.seconds)[len(runs) // 2].told(name, ROWS))
    times = statistics.median(theirs.seconds / ours.seconds for theirs, ours, _ in rounds)
    cpu_times = statistics.median(theirs.cpu_s / ours.cpu_s for theirs, ours, _ in rounds)
    reload_times = statistics.median(ours.seconds / again.seconds for _, ours, again in rounds)
    print(f"gis is {times:.2f}× as fast as geopandas (by CPU {cpu_times:.2f}×)")
    print(f"a reload is {reload_times:.1f}× as fast (promised: {RELOAD_PROMISED:.0f})", flush=True)
    return reload_times


def load_large(url: str, folder: Path, communes: gpd.GeoDataFrame) -> None:
    path = folder / "large.csv"
    write_rows(path, communes, LARGE_ROWS)
    empty(url)
    print(in_process(our_load, url, path).told("gis", LARGE_ROWS), flush=True)


def compare_batches(url: str, folder: Path, communes: gpd.GeoDataFrame) -> float:
    """Prints what a batch takes; gives how often longer with one bad row. Medians, in turns."""
    clean_s, bad_s = batches(url, folder, communes)
    print(
        f"a batch of {BATCH:,}: {BATCH / clean_s:,.0f} rows/s; with one bad row "
        f"{bad_s / clean_s:.2f}× as long (promised: less than {BAD_ROW_PROMISED:.0f})"
    )
    return bad_s / clean_s


def push(url: str, folder: Path, communes: gpd.GeoDataFrame) -> None:
    """Prints how many records a second are answered of a program that sends lines of JSON."""
    database = Database(url)
    layer = _incidents()
    app = create_app(
        Settings(_env_file=None, log_level="warning"), database, read_catalogue(LAYERS)
    )
    with database.writing() as connection:
        key = create_key(connection, "bench", Role.DEPARTMENT, (layer.id,))
    with serving(app) as at, Client(base_url=at, timeout=600) as client:
        client.headers.update({"X-API-Key": key, "Content-Type": "application/x-ndjson"})
        for size in (BATCH, BATCH // 10):
            write_rows(folder / "pushed.csv", communes, size * (BATCHES + 1), first=size * 10**5)
            rows = pd.read_csv(folder / "pushed.csv", dtype=str).to_dict("records")
            seconds = []
            for start in range(0, len(rows), size):
                body = "\n".join(map(json.dumps, rows[start : start + size])).encode()
                started = time.perf_counter()
                answer = client.post(f"/ingest/{layer.id}", content=body)
                seconds.append(time.perf_counter() - started)
                assert answer.json()["added"] == size, answer.text
            each_s = statistics.median(seconds[1:])  # the first reads the units
            print(f"pushed by {size:,}: {size / each_s:,.0f} records/s answered", flush=True)
    database.close()


def empty(url: str) -> None:
    """Take all incidents away."""
    database = Database(url)
    with database.writing() as connection, as_owner(connection):
        connection.exec_driver_sql("TRUNCATE layer.field_incidents")
    database.close()


def server_cpu_s(url: str) -> float:
    """Seconds of CPU of a database server on this machine, and of its processes (proc(5))."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("SELECT pg_read_file('postmaster.pid', 0, 20)").fetchone()
    assert row is not None
    pid = row[0].split()[0]
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    ticks = _ticks(pid, 4) + sum(_ticks(child, 2) for child in children)
    return ticks / os.sysconf("SC_CLK_TCK")


def _ticks(pid: str, fields: int) -> int:
    """Ticks of user and system time of a process, of its ended children too where `fields` is 4;
    0 of one that has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return sum(map(int, stat.rpartition(")")[2].split()[11 : 11 + fields]))


def prepare(url: str, folder: Path) -> gpd.GeoDataFrame:
    """Fill a database with boundaries and layers; gives the communes (EPSG:4326)."""
    given = os.environ.get("GIS_BOUNDARIES")
    real = given is not None and Path(given).is_file()
    path = Path(str(given)) if real else write_boundaries(folder, toy_communes())
    database = Database(url)
    migrate(database)
    source = BoundarySource("bench", BoundaryQuality.OFFICIAL, (path,))
    load_boundaries(database, source, package_history() if real else toy_history())
    with database.writing() as connection:
        sync(connection, read_catalogue(LAYERS))
    with database.reading() as connection:
        communes = gpd.read_postgis(
            "SELECT code, geom FROM layer.communes", connection, geom_col="geom"
        )
    database.close()
    return communes


def write_rows(path: Path, communes: gpd.GeoDataFrame, rows: int, first: int = 0) -> None:
    """A CSV file of incidents inside the communes, in random order."""
    random = np.random.default_rng(15 + first)
    outline = shapely.union_all(communes.geometry.to_numpy())
    shapely.prepare(outline)
    west, south, east, north = outline.bounds
    points = np.empty((0, 2))
    while len(points) < rows:
        drawn = random.uniform((west, south), (east, north), (rows, 2))
        points = np.vstack([points, drawn[shapely.contains_xy(outline, *drawn.T)]])
    seconds = random.integers(0, 300 * 86_400, rows).tolist()
    kinds, severities = random.choice(_KINDS, rows), random.choice(_SEVERITIES, rows)
    start = datetime(2026, 1, 1, tzinfo=HERE)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for n in range(rows):
            at = (start + timedelta(seconds=seconds[n])).isoformat()
            lon, lat = points[n]
            note = f"Sự việc số {n % 5_000}"
            key = f"I{first + n:08}"
            writer.writerow([key, at, kinds[n], severities[n], note, f"{lon:.6f}", f"{lat:.6f}"])


def in_process(prepare: Callable[..., Callable[[], None]], *given: object) -> Run:
    """What the work that `prepare` gives takes in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (prepare, *given))


def _measured(prepare: Callable[..., Callable[[], None]], url: str, *given: object) -> Run:
    work = prepare(url, *given)
    server_s, own_s, started = server_cpu_s(url), time.process_time(), time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    cpu_s = time.process_time() - own_s + server_cpu_s(url) - server_s
    # Not ru_maxrss, which begins with what the process that started this one had.
    status = Path("/proc/self/status").read_text()
    peak_kb = int(status.partition("VmHWM:")[2].split()[0])
    return Run(seconds, cpu_s, peak_kb / 1024)


def _incidents() -> Layer:
    return read_catalogue(LAYERS).get("field_incidents")


def our_load(url: str, path: Path) -> Callable[[], None]:
    """Ours; the units are read before, as theirs are given."""
    database = Database(url)
    layer = _incidents()
    with database.writing() as connection:
        stored_territory(connection)

    def load() -> None:
        report = load_file(database, layer, path, LoadOptions("bench", "bench"))
        # A point at the border, written with six digits, may lie beyond it.
        assert report.quarantined == 0 and report.outside < 10, report

    return load


def geopandas_load(url: str, path: Path, communes: gpd.GeoDataFrame) -> Callable[[], None]:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))

    def load() -> None:
        frame = pd.read_csv(path, parse_dates=["happened_at"])
        points = gpd.GeoDataFrame(
            frame, geometry=gpd.points_from_xy(frame["lon"], frame["lat"]), crs="EPSG:4326"
        )
        placed = gpd.sjoin(points, communes, predicate="within", how="left")
        placed.drop(columns="index_right").to_postgis(
            "bench_incidents", engine, if_exists="replace"
        )

    return load


def batches(url: str, folder: Path, communes: gpd.GeoDataFrame) -> tuple[float, float]:
    """Seconds of a small load without a bad row, and of one with one; medians."""
    database = Database(url)
    layer = _incidents()
    times: dict[bool, list[float]] = {False: [], True: []}
    for n in range(2 * BATCHES):
        bad = n % 2 == 1
        path = folder / f"batch{n}.csv"
        write_rows(path, communes, BATCH, first=10**7 + n * BATCH)
        if bad:
            content = path.read_text(encoding="utf-8")
            path.write_text(content.rpartition(",")[0] + ",x\n", encoding="utf-8")
        started = time.perf_counter()
        report = load_file(database, layer, path, LoadOptions("bench", "batches"))
        times[bad].append(time.perf_counter() - started)
        assert report.quarantined == int(bad), report
    return float(np.median(times[False])), float(np.median(times[True]))


if __name__ == "__main__":
    sys.exit(main())
