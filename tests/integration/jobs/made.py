"""Jobs that do what tests ask of them, and the process that runs them."""

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from sqlalchemy import text

from gis.database.engine import Database
from gis.database.roles import as_owner
from gis.errors import BadInput
from gis.jobs.child import serve_jobs
from gis.jobs.kind import JobKind, RunningJob
from gis.jobs.queue import Claim, enqueue, sweep
from gis.jobs.session import WorkerSession
from tests.waiting import wait_until

CHILD = [sys.executable, "-m", "tests.integration.jobs.made"]
ENOUGH_MB = 4000


def make_book(database: Database) -> None:
    """A table in which each result is entered, by its job."""
    with database.writing() as connection, as_owner(connection):
        connection.execute(text("CREATE TABLE gis.book (job bigint, worker_pid int)"))


def entered(database: Database) -> list[int]:
    """The jobs whose results were stored, each as often as that happened."""
    with database.reading() as connection:
        return list(connection.scalars(text("SELECT job FROM gis.book ORDER BY job")))


def state_of(database: Database, job_id: int) -> str:
    return str(facts(database, job_id)["state"])


def facts(database: Database, job_id: int) -> dict:
    with database.reading() as connection:
        statement = text("SELECT * FROM gis.job WHERE id = :id")
        return dict(connection.execute(statement, {"id": job_id}).one()._mapping)


def queue(database: Database, kind: str, attempts: int = 3, key: str | None = None, **more) -> int:
    with database.writing() as connection:
        made = enqueue(connection, kind, more, key=key, most_attempts=attempts)
    assert made is not None
    return made


@contextmanager
def claimed(database: Database, *kinds: str) -> Iterator[Claim]:
    """A claim by a worker that ends with the block, as if it was killed."""
    session = WorkerSession(database, leads=False)
    try:
        held = session.claim(kinds)
        assert held is not None
        yield held
    finally:
        session.close()


def swept(database: Database, job_id: int) -> list[Claim]:
    """What sweeps give until one has taken up this job.

    The server gives up the locks of a session soon after its client has left, not before.
    """
    lost: list[Claim] = []

    def is_taken_up() -> bool:
        with database.writing() as connection:
            lost.extend(sweep(connection))
        return state_of(database, job_id) != "running"

    wait_until(is_taken_up)
    return lost


def enter(job: RunningJob) -> None:
    """Wait for a file, where one is named; then enter the result, and end with it."""
    wait_for = job.arguments.get("wait_for")
    while wait_for and not Path(wait_for).exists():
        time.sleep(0.01)
    job.report(0.5, "half")
    with job.database.writing() as connection:
        values = {"job": job.claim.id, "pid": os.getpid()}
        connection.execute(text("INSERT INTO gis.book VALUES (:job, :pid)"), values)
        job.succeed(connection, "entered")


def sleep(job: RunningJob) -> None:
    Path(job.arguments["pid_file"]).write_text(str(os.getpid()))
    time.sleep(600)


def sleep_in_database(job: RunningJob) -> None:
    with job.database.writing() as connection:
        connection.execute(text("SELECT pg_sleep(600)"))


def grow(job: RunningJob) -> None:
    """Take memory, 16 MB at a time."""
    taken = []
    while True:
        taken.append(bytearray(os.urandom(1024) * 2**14))
        time.sleep(0.01)


def crash(job: RunningJob) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def refuse(job: RunningJob) -> None:
    raise BadInput("the input is wrong: give another")


def stumble(job: RunningJob) -> None:
    raise ZeroDivisionError("secret: +84 912 345 678")


def kinds(
    memory_mb: int = ENOUGH_MB, time_s: float = 600, ended: list | None = None
) -> Mapping[str, JobKind]:
    """All of these; `ended` gets each job that ended, with its error."""
    works = (enter, sleep, sleep_in_database, grow, crash, refuse, stumble)

    def note(held: Claim, error: Exception | None) -> None:
        if ended is not None:
            ended.append((held.id, error))

    return {
        work.__name__: JobKind(work.__name__, work, memory_mb, time_s, 3, "prompt", note)
        for work in works
    }


if __name__ == "__main__":
    serve_jobs(Connection(int(sys.argv[1])), int(sys.argv[2]), lambda _: kinds())
