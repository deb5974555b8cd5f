"""The worker: threads that claim jobs and have them run, and take up those of dead workers."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import Protocol

import structlog

from gis.database.engine import Database
from gis.errors import GisError, JobCrashed, JobFailed, Superseded, Unavailable
from gis.jobs.kind import JobKind, Report, RunningJob, run_here
from gis.jobs.periodic import repeating
from gis.jobs.process import WorkerStops
from gis.jobs.pulse import Pulse
from gis.jobs.queue import Claim, fail, has_succeeded, is_held, release, report, retry, sweep
from gis.jobs.session import WorkerSession

log = structlog.get_logger("work")

_LOOK_EVERY_S = 5.0  # without a bell
_RETRY_AFTER = timedelta(seconds=2)  # a crash, or the loss of the database


class JobRunner(Protocol):
    """What runs the jobs of a lane."""

    def run(self, kind: JobKind, held: Claim, is_held: Callable[[], bool], report: Report) -> None:
        """Returns once the job has stored its result and ended."""

    def rest(self) -> None:
        """Called where there is nothing to do."""

    def close(self) -> None:
        """Called at the end, by the thread of the lane."""


class ThisProcess:
    """Runs jobs in this very process, where nothing heavy is to be kept out of it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def run(self, kind: JobKind, held: Claim, is_held: Callable[[], bool], report: Report) -> None:
        run_here(kind, RunningJob(self._database, held, report))

    def rest(self) -> None: ...

    def close(self) -> None: ...


class Worker:
    """Claims jobs of some kinds, has them run, and enters how they ended."""

    def __init__(
        self,
        database: Database,
        session: WorkerSession,
        kinds: Mapping[str, JobKind],
        stopped: threading.Event,
    ) -> None:
        self._database = database
        self._session = session
        self._kinds = kinds
        self._stopped = stopped

    def work_off(self, names: Sequence[str], runner: JobRunner) -> int:
        """Run the jobs of these kinds that are due; gives how many. Raises Unavailable."""
        number = 0
        while not self._stopped.is_set() and (held := self._session.claim(names)) is not None:
            self._run(held, runner)
            number += 1
        runner.rest()
        return number

    def sweep(self) -> None:
        """Take up what workers that have ended left behind. Raises Unavailable."""
        if not self._session.others_work:
            return
        with self._database.writing() as connection:
            lost = sweep(connection)
        for held in lost:
            if held.kind in self._kinds:
                self._kinds[held.kind].ended(held, JobCrashed("its workers ended while it ran"))

    def _run(self, held: Claim, runner: JobRunner) -> None:
        kind, error = self._kinds[held.kind], None
        try:
            runner.run(kind, held, partial(self._is_held, held), partial(self._report, held))
        except WorkerStops:
            with suppress(Superseded), self._database.writing() as connection:
                release(connection, held)
            return
        except GisError as failure:
            error = failure
        except Exception as failure:
            log.exception("failed", job=held.id, kind=held.kind)
            error = JobFailed(f"unexpected {type(failure).__name__}: the log tells where")
        match self._entered(held, error) if error else "succeeded":
            case "succeeded":
                kind.ended(held, None)
            case "failed":
                kind.ended(held, error)

    def _entered(self, held: Claim, error: GisError) -> str:
        """The state of a job after an error, which is entered however long the database is lost."""
        log.warning("job failed", job=held.id, kind=held.kind, why=str(error))
        while True:
            try:
                return self._enter(held, error)
            except Unavailable:
                if self._stopped.wait(1.0):
                    return "running"  # the next worker's sweep takes it up

    def _enter(self, held: Claim, error: GisError) -> str:
        try:
            with self._database.writing() as connection:
                if isinstance(error, JobCrashed | Unavailable):
                    is_queued = retry(connection, held, str(error), _RETRY_AFTER)
                    return "queued" if is_queued else "failed"
                fail(connection, held, str(error))
                return "failed"
        except Superseded:  # by itself, where it ended just before the process did
            with self._database.reading() as connection:
                return "succeeded" if has_succeeded(connection, held) else "superseded"

    def _is_held(self, held: Claim) -> bool:
        try:
            with self._database.reading() as connection:
                return is_held(connection, held)
        except Unavailable:
            return True  # that is known; its result will be refused otherwise

    def _report(self, held: Claim, progress: float | None, message: str) -> None:
        # It may have ended since it said so.
        with suppress(Superseded, Unavailable), self._database.writing() as connection:
            report(connection, held, progress, message)


@contextmanager
def working(
    worker: Worker,
    pulse: Pulse,
    kinds: Mapping[str, JobKind],
    runners: Mapping[str, JobRunner],
    stopped: threading.Event,
) -> Iterator[None]:
    """While inside, jobs are run, each lane by its runner; at the end what runs is given back."""
    with ExitStack() as stack:
        for lane, runner in runners.items():
            names = [kind.name for kind in kinds.values() if kind.lane == lane]
            stack.callback(runner.close)
            look = partial(_work_off, worker, names, runner, pulse)
            bell = pulse.bell("jobs_due")
            stack.enter_context(repeating(f"jobs {lane}", look, every_s=_LOOK_EVERY_S, bell=bell))
        bell = pulse.bell("working")
        stack.enter_context(repeating("sweep", worker.sweep, every_s=1.0, bell=bell))
        try:
            yield
        finally:
            stopped.set()


def _work_off(worker: Worker, names: Sequence[str], runner: JobRunner, pulse: Pulse) -> None:
    if worker.work_off(names, runner):
        pulse.hurry()  # what follows from the results waits for no beat
