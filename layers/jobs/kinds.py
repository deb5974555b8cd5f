"""The kinds of jobs, by name: the one registry of them.

Alarms have a lane for themselves: they wait neither for a map nor for a null distribution, which
may take a minute. So have bodies that programs send, sources that are read, and processes that
people wait for. What computes is imported when a job runs, so that a worker stays light.
"""

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from gis.connectors.connector import Surroundings
from gis.database.engine import Database
from gis.egress import EgressPolicy
from gis.errors import BadInput, GisError
from gis.jobs.kind import JobKind, RunningJob
from gis.jobs.queue import Claim
from gis.notify.channels.mail import MailChannel
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from layers.definition.reload import LayerFiles
from layers.jobs.detection import ALARM, ATTEMPTS, MAP, NULLS, is_due
from layers.jobs.failures import Failures
from layers.jobs.letters import LETTERS
from layers.jobs.places import PLACES
from layers.jobs.pushes import PUSH, drop_body, load_queued
from layers.jobs.sources import SOURCES
from layers.processes.runs import ATTEMPTS as EXECUTIONS
from layers.processes.runs import PROCESS

if TYPE_CHECKING:
    from layers.detect.method import RunReport

log = structlog.get_logger("watch")

NO_SURROUNDINGS = Surroundings({}, EgressPolicy())
NO_MAIL = MailChannel()
PROMPT, SLOW, LOADS, FEEDS, PROCESSES = "prompt", "slow", "loads", "feeds", "processes"
LANES = (PROMPT, SLOW, LOADS, FEEDS, PROCESSES)


def job_kinds(
    database: Database,
    files: LayerFiles,
    surroundings: Surroundings = NO_SURROUNDINGS,
    mail: MailChannel = NO_MAIL,
    *,
    quiet_letters: bool = False,
    rasters: Path | None = None,
) -> dict[str, JobKind]:
    """All kinds, over the layers in force when a job runs; `surroundings` of connectors.

    Letters leave by `mail`; `quiet_letters`: none about weeks without anything to correct.
    `rasters` is the folder of raster files.
    """
    detects, ended = _runs(files), _counted(database, files)
    kinds = (
        JobKind(ALARM, detects, 2000, 600, ATTEMPTS, PROMPT, ended),
        JobKind(MAP, detects, 2000, 1800, ATTEMPTS, SLOW, ended),
        JobKind(NULLS, _draws(database, files), 2000, 1800, ATTEMPTS, SLOW, ended),
        JobKind(PLACES, _places(files), 4000, 3600, ATTEMPTS, SLOW),
        JobKind(PUSH, _pushes(files), 2000, 3600, ATTEMPTS, LOADS, _drops_refused(database)),
        JobKind(SOURCES, _sources(files, surroundings), 1000, 1800, ATTEMPTS, FEEDS),
        JobKind(LETTERS, _letters(files, mail, quiet_letters), 1000, 1800, ATTEMPTS, FEEDS),
        JobKind(PROCESS, _executes(files, rasters), 3000, 900, EXECUTIONS, PROCESSES),
    )
    return {kind.name: kind for kind in kinds}


def _runs(files: LayerFiles) -> "Callable[[RunningJob], RunReport | None]":
    """Job that runs a method on a layer: its arguments are `layer`, `method` and `prompt`."""
    from layers.detect.scan_cache import ScanCache

    scans = ScanCache()

    def run(job: RunningJob) -> "RunReport | None":
        from layers.detect import methods_of, run_method

        files.follow()
        layer, method = _layer(files, job.claim), str(job.arguments["method"])
        if layer is None or method not in methods_of(layer):
            return None  # the layer's file has asked for it no more since it was queued
        now = datetime.now(UTC)
        if not is_due(job.database, layer, method, now):
            return None  # it was run between the look of the leader and this claim
        prompt = bool(job.arguments["prompt"])
        report = run_method(job.database, layer, method, now, prompt=prompt, scans=scans, job=job)
        log.info(
            "run", layer=layer.id, method=method, run=report.run_id, records=report.records,
            found=report.found,
        )  # fmt: skip
        return report

    return run


def _draws(database: Database, files: LayerFiles) -> Callable[[RunningJob], None]:
    """Job that draws the null distributions that the newest scan of a layer lacks."""
    from layers.detect.null_distribution import NullPrecomputation

    drawer = NullPrecomputation(database)

    def draw(job: RunningJob) -> None:
        files.follow()
        layer = _layer(files, job.claim)
        if layer is None or layer.hotspots is None or layer.hotspots.scan is None:
            return
        while (stream := drawer.draw_next(layer, datetime.now(UTC), job)) is not None:
            job.report(None, f"drawn: {stream}")
            log.info("null drawn", layer=layer.id, stream=stream)

    return draw


def _places(files: LayerFiles) -> Callable[[RunningJob], None]:
    """Job that re-geocodes layers that were placed on earlier units."""

    def place(job: RunningJob) -> None:
        from layers.ingest.regeocode import regeocode

        files.follow()
        for done in regeocode(job.database, files.catalogue, job):
            counts = asdict(done)
            log.info("placed again", layer=counts.pop("layer_id"), **counts)

    return place


def _pushes(files: LayerFiles) -> Callable[[RunningJob], None]:
    """Job that loads a body that a program sent; its argument is `pushed`, the body's number."""

    def load(job: RunningJob) -> None:
        files.follow()
        load_queued(job, files.catalogue)
        log.info("pushed", number=job.arguments["pushed"])

    return load


def _executes(files: LayerFiles, rasters: Path | None) -> Callable[[RunningJob], None]:
    """Job that executes a process; its argument is `run`, the id of the execution."""

    def execute(job: RunningJob) -> None:
        from layers.processes.execution import execute_job

        files.follow()
        execute_job(job, files.catalogue, rasters)
        log.info("executed", run=job.arguments["run"])

    return execute


def _sources(files: LayerFiles, surroundings: Surroundings) -> Callable[[RunningJob], None]:
    """Job that runs the sources that are due, until none is."""

    def run(job: RunningJob) -> None:
        from layers.sources.round import run_due

        def in_force() -> Catalogue:
            files.follow()
            return files.catalogue

        run_due(job.database, in_force, surroundings)

    return run


def _letters(
    files: LayerFiles, mail: MailChannel, quiet_letters: bool
) -> Callable[[RunningJob], None]:
    """Job that sends the letters to stewards that are due."""

    def send(job: RunningJob) -> None:
        from layers.letters.sending import send_letters

        files.follow()
        now = datetime.now(UTC)
        send_letters(job.database, files.catalogue, mail, now, only_needed=quiet_letters)

    return send


def _drops_refused(database: Database) -> Callable[[Claim, GisError | None], None]:
    """Drops the body of a job that was refused for what is in it."""

    def ended(held: Claim, error: GisError | None) -> None:
        if isinstance(error, BadInput):
            with database.writing() as connection:
                drop_body(connection, int(held.arguments["pushed"]))

    return ended


def _counted(database: Database, files: LayerFiles) -> Callable[[Claim, GisError | None], None]:
    """Counter of failures in a row of a layer's work, which are an alert (see failures.py)."""
    failures = Failures(database)

    def ended(held: Claim, error: GisError | None) -> None:
        layer = _layer(files, held)
        work = str(held.arguments.get("method", NULLS))
        if layer is None:
            return
        if error is None:
            failures.worked(layer, work)
        else:
            failures.failed(layer, work, error)

    return ended


def _layer(files: LayerFiles, held: Claim) -> Layer | None:
    """The layer that a job is about; None where there is none any more."""
    wanted = held.arguments["layer"]
    return next((layer for layer in files.catalogue.layers if layer.id == wanted), None)
