"""A worker and the process of its jobs: limits, crashes, cancelling, and who dies with whom."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text

from gis.database.engine import Database
from gis.errors import BadInput, JobCrashed, JobFailed, Unavailable
from gis.jobs.process import JobProcess
from gis.jobs.pulse import Pulse
from gis.jobs.queue import cancel, succeed
from gis.jobs.session import WorkerSession
from gis.jobs.worker import Worker, working
from tests.integration.jobs.made import (
    CHILD,
    claimed,
    entered,
    facts,
    kinds,
    make_book,
    queue,
    state_of,
    swept,
)
from tests.waiting import wait_until


@dataclass
class Crew:
    """A worker with one lane and its process."""

    session: WorkerSession
    process: JobProcess
    ended: list = field(default_factory=list)


def children() -> list[psutil.Process]:
    """The processes that run jobs."""
    return [one for one in psutil.Process().children() if is_child(one)]


def is_child(process: psutil.Process) -> bool:
    try:
        return CHILD[-1] in process.cmdline()
    except psutil.Error:  # it has just ended
        return False


@contextmanager
def crew(database: Database, idle_s: float | None = None, **limits) -> Iterator[Crew]:
    ended: list = []
    session, stopped = WorkerSession(database), threading.Event()
    pulse, made = Pulse(session), kinds(ended=ended, **limits)
    process = JobProcess(CHILD, database.url, stopped, idle_s)
    worker = Worker(database, session, made, stopped)
    try:
        with working(worker, pulse, made, {"prompt": process}, stopped), pulse.beating():
            yield Crew(session, process, ended)
    finally:
        session.close()


@pytest.fixture
def booked(database: Database) -> Database:
    make_book(database)
    return database


def test_jobs_run_in_one_process_that_is_kept_and_ends_with_the_worker(booked: Database):
    jobs = [queue(booked, "enter") for _ in range(3)]
    with crew(booked) as at_work:
        wait_until(lambda: entered(booked) == jobs)
        (child,) = children()
        with booked.reading() as connection:
            pids = set(connection.scalars(text("SELECT worker_pid FROM gis.book")))
        assert pids == {child.pid}
        wait_until(lambda: at_work.ended == [(job, None) for job in jobs])
    assert not child.is_running()
    found = facts(booked, jobs[0])
    assert (found["state"], found["message"], found["progress"]) == ("succeeded", "entered", 1)


def test_a_process_without_a_job_for_long_ends_and_the_next_job_has_another(booked: Database):
    process = JobProcess(CHILD, booked.url, threading.Event(), idle_s=0.1)
    for _ in range(2):
        queue(booked, "enter")
        with claimed(booked, "enter") as held:
            process.run(kinds()["enter"], held, lambda: True, lambda *of: None)
        assert len(children()) == 1
        time.sleep(0.2)
        process.rest()
        assert children() == []
    assert len(entered(booked)) == 2


def test_a_process_that_is_kept_is_there_before_the_first_job_and_after_its_death(url: str):
    process = JobProcess(CHILD, url, threading.Event(), idle_s=None)
    process.rest()
    (child,) = children()
    child.kill()
    child.wait(10)
    process.rest()
    assert [one.pid for one in children()] != [child.pid]
    process.close()
    assert children() == []


@pytest.mark.parametrize(
    ("kind", "limits", "error", "why"),
    [
        ("grow", {"memory_mb": 300}, JobFailed, "MB, and 300 MB is the limit of grow"),
        ("sleep", {"time_s": 1}, JobFailed, "it took longer than 1 s, which is the limit of sleep"),
        ("sleep_in_database", {"time_s": 1}, JobFailed, "the limit of sleep_in_database"),
        ("refuse", {}, BadInput, "the input is wrong: give another"),
        ("stumble", {}, JobFailed, "unexpected ZeroDivisionError: the log tells where"),
    ],
)
def test_a_job_beyond_a_limit_or_at_fault_fails_with_words_and_the_next_one_runs(
    booked: Database, tmp_path: Path, kind: str, limits: dict, error: type, why: str
):
    failing = queue(booked, kind, pid_file=str(tmp_path / "pid"))
    with crew(booked, **limits) as at_work:
        wait_until(lambda: state_of(booked, failing) == "failed")
        good = queue(booked, "enter")
        wait_until(lambda: entered(booked) == [good])
        wait_until(lambda: len(at_work.ended) == 2)
    found = facts(booked, failing)
    wait_until(lambda: not is_sleeping(booked))  # nor does the database go on
    assert why in found["error"]
    assert found["attempts"] == 1
    assert (at_work.ended[0][0], type(at_work.ended[0][1])) == (failing, error)


def is_sleeping(database: Database) -> bool:
    statement = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query = :it"
    with database.reading() as connection:
        values = {"it": "SELECT pg_sleep(600)"}
        return connection.scalar(text(f"{statement} AND state = 'active'"), values) is not None


def test_a_job_that_crashes_its_process_has_all_its_attempts_and_then_fails(booked: Database):
    failing = queue(booked, "crash", attempts=2)
    with crew(booked) as at_work:
        wait_until(lambda: state_of(booked, failing) == "failed")
        wait_until(lambda: at_work.ended != [])
    found = facts(booked, failing)
    assert (found["attempts"], found["error"]) == (2, "its process ended: killed by SIGKILL")
    assert [(job, type(error)) for job, error in at_work.ended] == [(failing, JobCrashed)]


def test_cancelling_a_job_kills_its_process_and_the_next_job_runs(booked: Database, tmp_path: Path):
    pid_file = tmp_path / "pid"
    job = queue(booked, "sleep", pid_file=str(pid_file))
    with crew(booked) as at_work:
        wait_until(lambda: pid_file.exists() and pid_file.read_text() != "")
        sleeper = psutil.Process(int(pid_file.read_text()))
        with booked.writing() as connection:
            cancel(connection, job)
        wait_until(lambda: not sleeper.is_running(), within_s=10)
        after = queue(booked, "enter")
        wait_until(lambda: entered(booked) == [after])
    assert (state_of(booked, job), at_work.ended) == ("cancelled", [(after, None)])


def test_a_worker_that_stops_gives_back_what_runs(booked: Database, tmp_path: Path):
    pid_file = tmp_path / "pid"
    job = queue(booked, "sleep", pid_file=str(pid_file))
    with crew(booked):
        wait_until(lambda: pid_file.exists() and pid_file.read_text() != "")
        (child,) = children()
    assert not child.is_running()
    assert (state_of(booked, job), facts(booked, job)["attempts"]) == ("queued", 0)


def test_what_a_late_process_computes_is_refused(booked: Database, tmp_path: Path):
    """Its worker loses the database, and another takes the job up and is first."""
    go = tmp_path / "go"
    job = queue(booked, "enter", wait_for=str(go))
    with crew(booked) as late:
        wait_until(lambda: state_of(booked, job) == "running" and children() != [])
        (child,) = children()
        child.suspend()
        late.session.close()  # as when its connection is cut
        assert swept(booked, job) == []
        with claimed(booked, "enter") as held, booked.writing() as connection:
            connection.execute(text("INSERT INTO gis.book VALUES (:job, 0)"), {"job": job})
            go.touch()
            child.resume()
            succeed(connection, held, "by another")
        after = queue(booked, "enter")
        wait_until(lambda: entered(booked) == [job, after])
    assert facts(booked, job)["message"] == "by another"


WORKER = """
import sys, threading
from gis.database.engine import Database
from gis.jobs.process import JobProcess
from gis.jobs.queue import Claim
from tests.integration.jobs.made import CHILD, kinds
held = Claim(1, "sleep", {"pid_file": sys.argv[2]}, 1, 1)
process = JobProcess(CHILD, sys.argv[1], threading.Event(), None)
process.run(kinds()["sleep"], held, lambda: True, print)
"""


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM])
def test_the_process_of_a_job_dies_with_its_worker(database: Database, tmp_path: Path, kill):
    pid_file = tmp_path / "pid"
    command = [sys.executable, "-c", WORKER, database.url, str(pid_file)]
    with subprocess.Popen(command) as worker:
        wait_until(lambda: pid_file.exists() and pid_file.read_text() != "")
        child = psutil.Process(int(pid_file.read_text()))
        os.kill(worker.pid, kill)
        worker.wait(10)
    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_the_leader_is_one_and_another_leads_when_its_session_ends(database: Database):
    first, second = WorkerSession(database), WorkerSession(database)
    for session in (first, second):
        session.pulse()
    assert (first.is_leader, second.is_leader) == (True, False)
    with database.writing() as connection:
        connection.execute(text(
            "SELECT set_config('role', 'none', true);"
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
            " AND granted AND pid <> pg_backend_pid()"
        ))  # fmt: skip
    database.close()
    wait_until(lambda: led_by_one(first, second))
    first.close()
    second.close()


def led_by_one(*sessions: WorkerSession) -> bool:
    for session in sessions:
        try:
            session.pulse()
        except Unavailable:
            assert not session.is_leader
    return sum(session.is_leader for session in sessions) == 1
