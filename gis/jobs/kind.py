"""Kinds of jobs: what runs one, within which limits; and what it is given."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from gis.database.engine import Database
from gis.errors import GisError
from gis.jobs.queue import Claim, fence, succeed

# How far a job is, from 0 to 1 where that is known, and what it does.
type Report = Callable[[float | None, str], None]
type Ended = Callable[[Claim, GisError | None], None]


@dataclass
class RunningJob:
    """A job as its function sees it, which ends it in the transaction of its result."""

    database: Database
    claim: Claim
    report: Report
    is_ended: bool = False

    @property
    def arguments(self) -> dict[str, Any]:
        return dict(self.claim.arguments)

    def fence(self, connection: Connection) -> None:
        """Fence a transaction that stores a part of the result. Raises Superseded."""
        fence(connection, self.claim)

    def succeed(self, connection: Connection, message: str = "") -> None:
        """End the job, last in the transaction of its result. Raises Superseded."""
        succeed(connection, self.claim, message)
        self.is_ended = True


def _nobody(_: Claim, __: GisError | None) -> None: ...


@dataclass(frozen=True, slots=True)
class JobKind:
    """A kind of jobs, as a registry of kinds has it.

    `run` may be called again for the same job after a worker was lost; of all that it stores, only
    what it stored in transactions that it fenced counts.
    """

    name: str
    run: Callable[[RunningJob], object]
    memory_mb: int  # of the process that runs it, all in all
    time_s: float
    attempts: int  # most of them, where workers are lost or the process crashes
    lane: str = "prompt"  # jobs of a lane run one after the other
    ended: Ended = _nobody  # called by the worker after each job, with its error


def run_here(kind: JobKind, job: RunningJob) -> object:
    """Run a job in this process and end it; gives what its function gives. Raises Superseded."""
    result = kind.run(job)
    if not job.is_ended:
        with job.database.writing() as connection:
            job.succeed(connection)
    return result
