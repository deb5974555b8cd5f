"""Kills in the middle of an execution: it is taken up again, and its result is there once."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from gis.access import ANONYMOUS
from gis.database.engine import Database
from layers.definition.catalogue import read_catalogue
from layers.jobs.service import watching
from layers.processes.runs import ProcessRun, add_run, find_run, queue_run, readable_result
from tests.conftest import LAYERS
from tests.integration.inline_jobs import inline
from tests.integration.jobs.killing import arm
from tests.waiting import wait_until

WORKER = [sys.executable, "-m", "tests.integration.processes.lane_worker"]
WITHIN_S = 200  # on a busy machine processes take long to begin
AREAS = {"layer": {"layer": "communes"}, "distance_m": 10.0, "dissolve": False}


@contextmanager
def worker(folder: Path, database: Database) -> Iterator[subprocess.Popen[bytes]]:
    """A worker in a process of its own, which ends with the block."""
    running = subprocess.Popen([*WORKER, str(folder), database.url])
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def found(database: Database, run) -> ProcessRun:
    with database.reading() as connection:
        return find_run(connection, run, ANONYMOUS)


def has_succeeded(database: Database, run) -> bool:
    return found(database, run).status == "successful"


def queued(database: Database):
    with database.writing() as connection:
        return queue_run(connection, "buffer", AREAS, ANONYMOUS)


def rows(database: Database) -> dict:
    statement = text("SELECT run, count(*) FROM gis.process_row GROUP BY run")
    with database.reading() as connection:
        return {row[0]: row[1] for row in connection.execute(statement)}


def test_whenever_its_process_is_killed_the_result_is_there_once(toy_province, tmp_path):
    database, made = toy_province, []
    with worker(tmp_path, database):
        for phase in ("store", "end", "commit"):
            arm(tmp_path, "job", 1, phase=phase)
            run = queued(database)
            made.append(run)
            wait_until(
                lambda run=run: found(database, run).status == "successful", within_s=WITHIN_S
            )
            assert not (tmp_path / "armed").exists(), f"nobody died in phase {phase}"
    assert rows(database) == dict.fromkeys(made, 3)
    phases = (tmp_path / "phases").read_text().splitlines()
    assert [line.split()[1] for line in phases] == ["store", "end", "commit"]
    with database.reading() as connection:
        layer = readable_result(connection, made[0], read_catalogue(LAYERS), ANONYMOUS).layer
    assert layer.fields["buffer_km2"].unit == "km2"


def test_when_its_worker_is_killed_another_takes_it_up(toy_province, tmp_path):
    database = toy_province
    with database.writing() as connection:
        run = queue_run(connection, "echo", {"text": "x", "pause_s": 3.0}, ANONYMOUS)
    with worker(tmp_path, database) as first:
        wait_until(lambda: found(database, run).status == "running", within_s=WITHIN_S)
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        with worker(tmp_path, database):
            wait_until(lambda: found(database, run).status == "successful", within_s=WITHIN_S)
    assert found(database, run).value == {"text": "x"}


def test_what_kills_its_process_at_the_last_attempt_has_failed(toy_province, tmp_path):
    database = toy_province
    with database.writing() as connection:
        run = queue_run(connection, "echo", {"text": "x"}, ANONYMOUS)
        connection.execute(text("UPDATE gis.job SET most_attempts = 1"))
    with worker(tmp_path, database):
        arm(tmp_path, "job", 1)
        wait_until(lambda: found(database, run).status == "failed", within_s=WITHIN_S)
    assert "its process ended" in found(database, run).message


def test_the_leader_forgets_what_has_expired(toy_province, catalogue):
    database = toy_province
    with database.writing() as connection:
        run = add_run(connection, "echo", {}, ANONYMOUS)
        connection.execute(text("UPDATE gis.process_run SET expires_at = now() - interval '1 s'"))

    def is_gone() -> bool:
        statement = text("SELECT count(*) FROM gis.process_run WHERE id = :id")
        with database.reading() as connection:
            return connection.scalar(statement, {"id": run}) == 0

    with watching(database, LAYERS, catalogue, 400, inline(database)):
        wait_until(is_gone, within_s=WITHIN_S)
