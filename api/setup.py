"""From an empty database to a service that has something to show; each step can be repeated."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime

from sqlalchemy import Connection, text

from api.demo import load_demo, wants_demo
from gis.boundaries.loader import BoundaryLoad, load_boundaries
from gis.boundaries.package_units import package_history
from gis.boundaries.sources import BoundarySource, find_source
from gis.boundaries.store import read_history
from gis.boundaries.units import BoundaryQuality, UnitHistory
from gis.database.engine import Database
from gis.database.migrate import migrate
from gis.jobs.kind import JobKind, Report
from gis.jobs.queue import Claim
from gis.jobs.session import WorkerSession
from gis.jobs.worker import ThisProcess, Worker
from gis.notify.cap.approval import publish_at_once
from gis.settings import ROOT, Settings
from layers.definition.catalogue import Catalogue
from layers.definition.recipients import follow_files
from layers.definition.reload import LayerFiles
from layers.jobs.detection import RUNS, DetectionScheduler
from layers.jobs.failures import Failures
from layers.jobs.kinds import job_kinds
from layers.jobs.places import PLACES, queue_places
from layers.jobs.sources import surroundings_of
from layers.sources.run import run_source
from layers.sources.state import enter_sources, list_sources
from layers.storage.sync import sync
from tiles.outdated import delete_outdated

Show = Callable[[int, int], None]
Step = Callable[[str], None]
Progress = Callable[[str], AbstractContextManager[Show]]


def prepare(
    database: Database, settings: Settings, catalogue: Catalogue, step: Step, progress: Progress
) -> None:
    """Bring the database to where the service can serve, naming each step that has work to do.

    Who starts on the same database meanwhile waits, and then finds nothing left to do.
    """
    with database.alone("set up"):
        _prepare(database, settings, catalogue, step, progress)


def _prepare(
    database: Database, settings: Settings, catalogue: Catalogue, step: Step, progress: Progress
) -> None:
    step("schema of the database")
    migrate(database)
    if wants_boundaries(database, settings):
        step("boundaries")
        with progress("boundaries") as show:
            loaded = load_units(database, settings, show)
        step(f"boundaries of {loaded.source}: {_told(loaded.quality)}")
    step("layers")
    with database.writing() as connection:
        sync(connection, catalogue)
        publish_at_once(connection, settings.publish_alerts)
    delete_outdated(database, settings.archives, settings.kept_tiles)
    for words in follow_files(database):
        step(words)
    with _working_here(database, settings, catalogue, step) as work_off:
        queue_places(database)
        work_off(PLACES)
        now = datetime.now(UTC)
        if settings.demo and wants_demo(database, catalogue, now):
            step("simulated records (GIS_DEMO=false goes without)")
            with progress("simulated records") as show:
                load_demo(database, catalogue, now, show)
        scheduler = DetectionScheduler(database, Failures(database))
        while scheduler.queue_runs(catalogue, now, prompt=False):
            work_off(*RUNS)
    if settings.demo_address is not None:
        _read_departments(database, settings, catalogue, step)


def _read_departments(
    database: Database, settings: Settings, catalogue: Catalogue, step: Step
) -> None:
    """Read each simulated department once, so that the first look shows its data.

    A failure is logged and stops nothing: the worker reads it again.
    """
    simulated = {path.stem for path in settings.demo_folder.glob("*.yaml")}
    with database.writing() as connection:
        enter_sources(connection, catalogue.layers)
        sources = list_sources(connection)
    new = {row["layer_id"] for row in sources if row["last_try"] is None} & simulated
    if not new:
        return
    step("data of simulated departments (GIS_DEMO_SOURCES=false goes without)")
    surroundings = surroundings_of(settings)
    for layer in catalogue.layers:
        if layer.id in new:
            run_source(database, layer, surroundings)


class _ToldJobs(ThisProcess):
    """Runs jobs in this process, and says what of."""

    def __init__(self, database: Database, step: Step) -> None:
        super().__init__(database)
        self._step = step

    def run(self, kind: JobKind, held: Claim, is_held: Callable[[], bool], report: Report) -> None:
        if kind.name in RUNS:
            self._step(f"hotspots of {held.arguments['layer']}: {held.arguments['method']}")
        super().run(kind, held, is_held, report)


@contextmanager
def _working_here(
    database: Database, settings: Settings, catalogue: Catalogue, step: Step
) -> Iterator[Callable[..., int]]:
    """While inside, jobs of the kinds that are named can be worked off.

    One that fails is logged and stops nothing: a worker tries again.
    """
    session = WorkerSession(database, leads=False)
    files = LayerFiles(database, settings.layers, catalogue, *settings.more_layers)
    kinds = job_kinds(database, files)
    worker = Worker(database, session, kinds, threading.Event())
    try:
        yield lambda *names: worker.work_off(names, _ToldJobs(database, step))
    finally:
        session.close()


def _told(quality: BoundaryQuality) -> str:
    if quality is BoundaryQuality.OFFICIAL:
        return "official"
    return (
        "approximate, since no boundary file was given and the public source cannot be reached; "
        "`gis boundaries load --from FILE` replaces them"
    )


def load_units(database: Database, settings: Settings, show: Show) -> BoundaryLoad:
    """The units of the province, from the first source that exists."""
    source = units_source(settings, show)
    return load_boundaries(database, source, known_history(database, settings), show)


def known_history(database: Database, settings: Settings) -> UnitHistory:
    """The units that are stored, with all later decrees; at first those of the package."""
    with database.reading() as connection:
        stored = read_history(connection)
    return stored if stored.units else package_history(settings.province)


def units_source(settings: Settings, show: Show) -> BoundarySource:
    """Where the polygons of communes come from; those that are fetched are kept in the home."""
    folder = ROOT / "data" / "boundaries"
    return find_source(
        settings.boundaries, folder, settings.province, cache=settings.home, show=show
    )


def wants_boundaries(database: Database, settings: Settings) -> bool:
    """True where there are none, or only approximate ones although a source is named."""
    with database.reading() as connection:
        quality = _quality(connection)
    return quality is None or (
        quality is BoundaryQuality.APPROXIMATE and settings.boundaries is not None
    )


def _quality(connection: Connection) -> BoundaryQuality | None:
    found = connection.scalar(text("SELECT quality FROM gis.boundary_state"))
    return BoundaryQuality(found) if found else None
