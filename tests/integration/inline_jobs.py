"""Jobs of detection run in the process of a test, by layers that the test gives."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from gis.database.engine import Database
from gis.jobs.kind import RunningJob, run_here
from gis.jobs.session import WorkerSession
from gis.jobs.worker import ThisProcess, Worker
from layers.definition.catalogue import Catalogue
from layers.definition.reload import LayerFiles
from layers.detect import RunReport
from layers.jobs.detection import NULLS, RUNS, DetectionScheduler
from layers.jobs.failures import Failures
from layers.jobs.kinds import LANES, job_kinds
from tests.conftest import LAYERS

_LONGER_AGO = text("UPDATE gis.failing_work SET last = last - CAST(:ahead AS interval)")


class TestedLayers(LayerFiles):
    """The layers that a test gives, whatever is published."""

    def follow(self) -> None: ...


class Reporting(ThisProcess):
    """Runs jobs here, and keeps what their functions give."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._database = database
        self.results: list[Any] = []

    def run(self, kind, held, is_held, report) -> None:
        self.results.append(run_here(kind, RunningJob(self._database, held, report)))


def inline(database: Database):
    """What runs the jobs of each lane, for `watching`."""
    return lambda stopped: {lane: ThisProcess(database) for lane in LANES}


class Runner:
    """Queues what is due and runs it, as a leader and its worker do."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._scheduler = DetectionScheduler(database, Failures(database))

    def run_due(self, catalogue: Catalogue, now: datetime) -> list[RunReport]:
        """The reports of the runs that were due; by a clock that may be ahead."""
        ahead = now - datetime.now(UTC)
        if ahead > timedelta(0):
            now -= ahead
            with self._database.writing() as connection:
                connection.execute(_LONGER_AGO, {"ahead": ahead})
        reports: list[RunReport] = []
        while self._scheduler.queue_runs(catalogue, now):
            reports += self.work_off(catalogue, RUNS)
        return reports

    def draw_due(self, catalogue: Catalogue, now: datetime) -> None:
        """Null distributions, by a clock that goes on two minutes between."""
        with self._database.writing() as connection:
            connection.execute(_LONGER_AGO, {"ahead": timedelta(minutes=2)})
        self._scheduler.queue_nulls(catalogue, datetime.now(UTC))
        self.work_off(catalogue, (NULLS,))

    def work_off(self, catalogue: Catalogue, names: tuple[str, ...]) -> list[Any]:
        session = WorkerSession(self._database, leads=False)
        kinds = job_kinds(self._database, TestedLayers(self._database, LAYERS, catalogue))
        reporting = Reporting(self._database)
        Worker(self._database, session, kinds, threading.Event()).work_off(names, reporting)
        session.close()
        return reporting.results
