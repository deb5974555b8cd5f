"""Processes beside public peers and bare statements, in one run, on the same data.

`python -m benchmarks.processes [summarise|suitability|crosswalk|job]`: prints a line a
comparison (medians of alternating pairs) and ends with an error where a ratio is worse than it has
to be. GIS_BENCH_ROWS makes it smaller. Zones beside rasterstats: benchmarks.rasters.
"""

import statistics
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from sqlalchemy import text
from threadpoolctl import threadpool_limits

from benchmarks.summaries import fill
from gis.access import LOCAL_ADMIN
from gis.database.engine import Database
from gis.database.migrate import migrate
from gis.jobs.session import WorkerSession
from gis.jobs.worker import ThisProcess, Worker
from gis.settings import ROOT
from layers.definition.catalogue import Catalogue, read_catalogue
from layers.definition.reload import LayerFiles
from layers.jobs.kinds import job_kinds
from layers.processes.context import Context
from layers.processes.execution import as_inputs, execute_now, process_of, read_parameters
from layers.processes.runs import PROCESS, queue_run
from layers.storage.sync import sync
from tests.databases import server
from tests.planners import LAYERS, plant_province
from tests.provinces import toy_communes

RUNS = 5
CATALOGUE = Catalogue((*read_catalogue(ROOT / "layers").layers, *LAYERS.layers))
_FAILED: list[str] = []


def compare(
    name: str, ours: Callable[[], object], theirs: Callable[[], object], *, at_most: float,
    clock: Callable[[], float] = time.perf_counter, runs: int = RUNS,
) -> None:  # fmt: skip
    """Ours as a multiple of theirs; `at_most` below 1 asks to be faster."""

    def timed(work: Callable[[], object]) -> float:
        started = clock()
        work()
        return clock() - started

    ours(), theirs()
    pairs = [(timed(ours), timed(theirs)) for _ in range(runs)]
    mine, its = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(one / other for one, other in pairs)
    verdict = "ok" if ratio <= at_most else "WORSE"
    if verdict != "ok":
        _FAILED.append(name)
    print(f"{name}: ours {mine:.4f} s, peer {its:.4f} s, {ratio:.3f}× (≤ {at_most:.3f}) {verdict}")


def run(database: Database, name: str, **inputs: Any) -> object:
    """The outcome of a process, without its storing."""
    process = process_of(name)
    parameters = read_parameters(process, inputs)
    with database.snapshot() as connection:
        context = Context(connection, CATALOGUE, LOCAL_ADMIN, lambda *_: None)
        return process.run(context, parameters)


BARE = text("""
SELECT c.code, count(*) FROM layer.communes c JOIN layer.requests r ON ST_Intersects(r.geom, c.geom)
GROUP BY 1
""")


def compare_summarise() -> None:
    with server() as running, running.opened() as database:
        migrate(database)
        plant_province(database, Path(tempfile.mkdtemp()))
        with database.writing() as connection:
            sync(connection, CATALOGUE)
        fill(database)
        with database.reading() as connection:
            rows = connection.execute(
                text("SELECT ST_X(geom), ST_Y(geom) FROM layer.requests")
            ).all()
        points = gpd.GeoDataFrame(geometry=shapely.points(np.array(rows, float)), crs="EPSG:4326")
        communes = toy_communes()

        def bare() -> None:
            with database.snapshot() as connection:
                connection.execute(BARE).all()

        def joined() -> None:
            gpd.sjoin(points, communes, predicate="within").groupby("code").size()

        def ours() -> object:
            return run(database, "summarise", records="requests")

        compare(f"summarise {len(rows):,} points beside bare SQL", ours, bare, at_most=1.5)
        # Not promised: bare SQL is slower too. By commune of today, /summary is five times as fast
        # (benchmarks.summaries), since it reads the unit that each record was placed in.
        compare(
            "summarise beside geopandas.sjoin and groupby", ours, joined, at_most=np.inf, runs=2
        )


def compare_suitability() -> None:
    """The score of 117,000 cells by six criteria, beside the same sum in bare NumPy."""
    from layers.processes.operations.suitability import contributions

    random = np.random.default_rng(1)
    values = random.uniform(0, 10_000, (117_000, 6))
    values[random.random(values.shape) < 0.02] = np.nan
    worst, best = np.full(6, 10_000.0), np.zeros(6)
    weights = np.arange(1, 7) / 21

    def bare() -> np.ndarray:
        scaled = np.clip((values - worst) / (best - worst), 0, 1)
        return np.nan_to_num(scaled) @ weights

    def ours() -> np.ndarray:
        return contributions(values, worst, best, weights).sum(axis=1)

    assert np.allclose(ours(), bare())
    compare("suitability of 117,000 cells × 6 criteria beside NumPy", ours, bare, at_most=2,
            clock=time.process_time, runs=15)  # fmt: skip


def compare_crosswalk() -> None:
    """1,000 indicators of 319 wards as those of 99 communes, beside tobler: both by area.

    Wards and communes are stretches of one band, so that each share has a closed form.
    """
    from tobler.area_weighted import area_interpolate

    from layers.processes.operations.crosswalk import Shares, carried

    wards, communes, indicators = 319, 99, 1_000
    edges = np.linspace(0, wards, communes + 1)
    west, east = np.arange(wards)[:, None], np.arange(1, wards + 1)[:, None]
    overlap = np.clip(np.minimum(east, edges[1:]) - np.maximum(west, edges[:-1]), 0, None)
    table = Shares([f"{n}" for n in range(wards)], [f"{n}" for n in range(communes)], overlap,
                   np.ones(wards))  # fmt: skip
    values = np.random.default_rng(2).uniform(0, 1_000, (wards, indicators))
    names = [f"i{n}" for n in range(indicators)]
    source = gpd.GeoDataFrame(
        dict(zip(names, values.T, strict=True)),
        geometry=shapely.box(np.arange(wards), 0, np.arange(1, wards + 1), 1), crs="EPSG:9208",
    )  # fmt: skip
    target = gpd.GeoDataFrame(geometry=shapely.box(edges[:-1], 0, edges[1:], 1), crs="EPSG:9208")
    given = np.ones(wards, bool)

    def ours() -> np.ndarray:
        return carried(table, values.T, given, "count").values

    def theirs() -> gpd.GeoDataFrame:
        return area_interpolate(source, target, extensive_variables=names)

    other = theirs()[names].to_numpy().T
    error = float(np.abs(ours() - other).max() / values.sum(axis=0).max())
    report("crosswalk: greatest difference from tobler, as a share", error, 1e-9)
    compare("crosswalk of 1,000 indicators × 319 wards beside tobler", ours, theirs, at_most=1 / 20,
            clock=time.process_time, runs=3)  # fmt: skip


def compare_job() -> None:
    """What a job costs beside its work: queued, claimed, executed and ended, less executed."""
    with server() as running, running.opened() as database:
        migrate(database)
        with database.writing() as connection:
            sync(connection, CATALOGUE)
        echo = process_of("echo")
        parameters = read_parameters(echo, {"text": "x"})
        session = WorkerSession(database, leads=False)
        files = LayerFiles(database, ROOT / "layers", CATALOGUE)
        worker = Worker(database, session, job_kinds(database, files), threading.Event())

        def alone() -> None:
            execute_now(database, CATALOGUE, echo, parameters, LOCAL_ADMIN, 10_000)

        def as_job() -> None:
            with database.writing() as connection:
                queue_run(connection, echo.name, as_inputs(parameters), LOCAL_ADMIN)
            worker.work_off([PROCESS], ThisProcess(database))

        def timed(work: Callable[[], None]) -> float:
            started = time.perf_counter()
            work()
            return time.perf_counter() - started

        for work in (as_job, alone):
            work()
        costs = [timed(as_job) - timed(alone) for _ in range(25)]
        session.close()
    report("a job beside its work, ms", 1_000 * statistics.median(costs), 20)


def report(name: str, value: float, most: float) -> None:
    verdict = "ok" if value <= most else "WORSE"
    if verdict != "ok":
        _FAILED.append(name)
    print(f"{name}: {value:.3g} (≤ {most:g}) {verdict}")


PARTS = {
    "summarise": compare_summarise,
    "suitability": compare_suitability,
    "crosswalk": compare_crosswalk,
    "job": compare_job,
}


def main() -> None:
    warnings.simplefilter("ignore")  # of tobler
    with threadpool_limits(1):  # other threads would wait in a circle, and count as work
        for name in sys.argv[1:] or list(PARTS):
            PARTS[name]()
    if _FAILED:
        sys.exit(f"worse than asked: {', '.join(_FAILED)}")


if __name__ == "__main__":
    main()
