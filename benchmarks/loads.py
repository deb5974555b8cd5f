"""Loads of CSV rows with coordinates beside geopandas, in one run, on the same database server.

Theirs is `read_csv → points_from_xy → sjoin → to_postgis`, which checks nothing, knows no keys and
counts no hexes. Prints rows a second, the memory of each process, and how much faster a reload is.
GIS_BENCH_LOAD_ROWS makes it smaller; the communes are those of GIS_BOUNDARIES where it is set, else
made-up ones.
"""

import csv
import multiprocessing
import os
import resource
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from sqlalchemy import create_engine

from gis.boundaries.loader import load_boundaries
from gis.boundaries.package_units import package_history
from gis.boundaries.sources import BoundarySource
from gis.boundaries.units import BoundaryQuality
from gis.clock import HERE
from gis.database.engine import Database
from gis.database.migrate import migrate
from layers.definition.catalogue import read_catalogue
from layers.definition.model import Layer
from layers.ingest.load import LoadOptions, load_file
from layers.storage.sync import sync
from tests.conftest import LAYERS
from tests.databases import server
from tests.provinces import toy_communes, toy_history, write_boundaries

ROWS = int(os.environ.get("GIS_BENCH_LOAD_ROWS", "300000"))
BATCH = 1_000
_COLUMNS = ("incident_id", "happened_at", "kind", "severity", "note", "lon", "lat")
_KINDS, _SEVERITIES = (
    ("road_closed", "power_cut", "forest_fire", "flood"),
    ("low", "medium", "high"),
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, server() as running, running.database() as url:
        communes = prepare(url, Path(folder))
        path = Path(folder) / "incidents.csv"
        write_rows(path, communes, ROWS)
        theirs_s, theirs_mb = in_process(geopandas_load, url, path, communes)
        ours_s, ours_mb = in_process(our_load, url, path)
        again_s, _ = in_process(our_load, url, path)
        print(f"{ROWS:,} rows: geopandas {ROWS / theirs_s:,.0f} rows/s, {theirs_mb:,.0f} MB")
        print(f"{ROWS:,} rows: gis       {ROWS / ours_s:,.0f} rows/s, {ours_mb:,.0f} MB")
        print(f"{theirs_s / ours_s:.2f}× as fast; a reload without changes {ours_s / again_s:.1f}×")
        clean_s, bad_s = in_process(batches, url, Path(folder), communes)
        ratio = bad_s / clean_s
        print(f"a batch of {BATCH:,}: {BATCH / clean_s:,.0f} rows/s; with one bad row {ratio:.2f}×")


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


def in_process[*A](work, *given: *A) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    """The two numbers that `work` gives, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, given)


def _incidents() -> Layer:
    return read_catalogue(LAYERS).get("field_incidents")


def our_load(url: str, path: Path) -> tuple[float, float]:
    """Seconds, and megabytes of the process."""
    database = Database(url)
    layer = _incidents()
    started = time.perf_counter()
    report = load_file(database, layer, path, LoadOptions("bench", "bench"))
    seconds = time.perf_counter() - started
    assert report.added + report.unchanged == report.read, report
    return seconds, _peak_mb()


def geopandas_load(url: str, path: Path, communes: gpd.GeoDataFrame) -> tuple[float, float]:
    """Seconds, and megabytes of the process."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    started = time.perf_counter()
    frame = pd.read_csv(path, parse_dates=["happened_at"])
    points = gpd.GeoDataFrame(
        frame, geometry=gpd.points_from_xy(frame["lon"], frame["lat"]), crs="EPSG:4326"
    )
    placed = gpd.sjoin(points, communes, predicate="within", how="left")
    placed.drop(columns="index_right").to_postgis("bench_incidents", engine, if_exists="replace")
    return time.perf_counter() - started, _peak_mb()


def batches(url: str, folder: Path, communes: gpd.GeoDataFrame) -> tuple[float, float]:
    """Seconds of a small load without a bad row, and of one with one; the median of five."""
    database = Database(url)
    layer = _incidents()
    times: dict[bool, list[float]] = {False: [], True: []}
    for n in range(10):
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


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
