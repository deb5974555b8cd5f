"""Whatever part is killed, after whichever statement: no run is lost, and none counts twice."""

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import numpy as np
import pytest
from sqlalchemy import text

from gis.access import Role, create_key
from gis.database.cluster import Cluster
from gis.database.engine import Database
from gis.errors import Unavailable
from layers.definition.catalogue import Catalogue
from layers.jobs.detection import due_runs
from tests import soak
from tests.acceptance.service import free_port
from tests.conftest import migrated_toy_province
from tests.databases import killable_cluster
from tests.integration.jobs.killing import PHASES, PROGRAM, arm, is_dead
from tests.integration.test_hotspots import LAYER, cluster, report
from tests.waiting import wait_until

# In the short form a statement of each part; in the long form every statement of one run.
STATEMENTS = {
    "job": soak.size([5, 30], list(range(1, 140))),
    "worker": soak.size([2], list(range(1, 60))),
    "server": soak.size([3], list(range(1, 12))),
}
POSTMASTER_EVERY = 10  # of the kills in the long form
WITHIN_S = 300


@pytest.fixture
def server() -> Iterator[Cluster]:
    with killable_cluster() as running:
        yield running


@pytest.fixture
def province(server, catalogue, tmp_path) -> Iterator[Database]:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    with migrated_toy_province(server.url, catalogue, tmp_path) as database:
        report(database, np.random.default_rng(3).uniform((104, 22), (104.3, 22.1), (80, 2)),
               at=yesterday, days=60)  # fmt: skip
        yield database


@dataclass
class Parts:
    """The processes of a service, each of which has a successor when it is killed."""

    folder: Path
    url: str
    port: int = field(default_factory=free_port)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def revive(self) -> None:
        """Start what does not run."""
        for part, words in (("worker", [self.url]), ("server", [self.url, str(self.port)])):
            process = self.running.get(part)
            if process is None or process.poll() is not None:
                command = [*PROGRAM, str(self.folder), part, *words]
                self.running[part] = subprocess.Popen(command, process_group=0)

    def show(self) -> None:
        """Have each part that runs write to stderr where its threads are."""
        for part, process in self.running.items():
            print(part, process.pid, "ended" if process.poll() is not None else "runs")
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGUSR1)  # the processes of its jobs too
        time.sleep(2)

    def stop(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait(30)


@contextmanager
def at_work(folder: Path, url: str) -> Iterator[Parts]:
    parts = Parts(folder, url)
    try:
        parts.revive()
        yield parts
    except AssertionError:
        parts.show()
        raise
    finally:
        parts.stop()


def kills() -> list[tuple[str, int, str, bool]]:
    """Parts, the statement after which each dies, of which phase, and whether the postmaster dies
    instead.

    In the long form each phase has a kill of its own too: one that comes every few seconds, such as
    that of the senders, is met by counting statements or not, as chance has it.
    """
    plan = [(part, k, "any") for part, statements in STATEMENTS.items() for k in statements]
    if soak.LONG:
        plan += [(part, 1, phase) for part in ("job", "worker") for phase in PHASES[part]]
    random.Random(soak.SEED).shuffle(plan)
    every = POSTMASTER_EVERY if soak.LONG else len(plan)
    return [(*kill, number % every == every - 1) for number, kill in enumerate(plan)]


def test_a_kill_after_any_statement_loses_nothing_and_doubles_nothing(
    server: Cluster, province: Database, catalogue: Catalogue, tmp_path: Path
):
    with province.writing() as connection:
        key = create_key(connection, "tests", Role.OPERATOR, [])
    marks: dict[str, int | None] = {}
    killed = 0
    with at_work(tmp_path, server.url) as parts:
        wait_until(lambda: is_whole(parts, province, catalogue), within_s=WITHIN_S, every_s=0.3)
        for number, (part, statement, phase, is_postmaster) in enumerate(kills()):
            arm(tmp_path, part, statement, server.postmaster if is_postmaster else 0, phase)
            print(f"{number}: {part} {statement} {phase} {'postmaster' if is_postmaster else ''}")
            mark = f"mark {number}"
            if part == "server":
                marks[mark] = post(parts, key, mark)
            else:
                report(province, cluster(n=1), at=datetime.now(UTC))
                over = is_over if phase == "any" else is_disarmed
                done = partial(over, tmp_path, province, catalogue)
                wait_until(done, within_s=WITHIN_S, every_s=0.3)
            wait_until(lambda: is_dead(tmp_path))
            killed += not (tmp_path / "armed").exists()
            (tmp_path / "armed").unlink(missing_ok=True)  # the run had fewer statements
            if is_postmaster:
                server.start()
                province.close()
            wait_until(lambda: is_whole(parts, province, catalogue), within_s=WITHIN_S, every_s=0.3)
            check_runs(province)
    check_marks(province, marks)
    phases = Counter((tmp_path / "phases").read_text().splitlines())
    print("\n".join(f"{phase:20} {'#' * times} {times}" for phase, times in phases.items()))
    soak.count("kills", killed)
    assert killed >= 3
    if soak.LONG:
        wanted = {f"{part} {phase}" for part in ("job", "worker") for phase in PHASES[part]}
        assert wanted - phases.keys() == set()


def is_whole(parts: Parts, database: Database, catalogue: Catalogue) -> bool:
    """All parts are there, with nothing left to do."""
    parts.revive()
    return is_settled(database, catalogue) and answers(parts)


def is_over(folder: Path, database: Database, catalogue: Catalogue) -> bool:
    """Somebody was killed, or all work was done without."""
    return is_disarmed(folder, database, catalogue) or is_settled(database, catalogue)


def is_disarmed(folder: Path, database: Database, catalogue: Catalogue) -> bool:
    """Somebody was killed."""
    return not (folder / "armed").exists()


def is_settled(database: Database, catalogue: Catalogue) -> bool:
    """Nothing is due, queued or running: nothing was lost."""
    try:
        with database.reading() as connection:
            if connection.scalar(text("SELECT 1 FROM gis.job WHERE ended_at IS NULL LIMIT 1")):
                return False
        return due_runs(database, catalogue, datetime.now(UTC)) == [] or only_maps(
            database, catalogue
        )
    except Unavailable:
        return False


def only_maps(database: Database, catalogue: Catalogue) -> bool:
    """Maps that pause between runs are no alarms, and may wait."""
    return not {one.method for one in due_runs(database, catalogue, datetime.now(UTC))} & {
        "stp_scan", "series",
    }  # fmt: skip


def answers(parts: Parts) -> bool:
    try:
        url = f"http://127.0.0.1:{parts.port}/health/ready"
        return httpx.get(url, timeout=5, verify=False).is_success
    except httpx.HTTPError:
        return False


def post(parts: Parts, key: str, mark: str) -> int | None:
    """Send a report; gives the status, None where the server died of it."""
    feature = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [104.05, 22.05]},
        "properties": {"description": mark, "valid_at": datetime.now(UTC).isoformat(),
                       "received_at": datetime.now(UTC).isoformat(), "category": "traffic"},
    }  # fmt: skip
    address = f"http://127.0.0.1:{parts.port}/ogc/collections/{LAYER}/items"
    try:
        headers = {"X-API-Key": key, "Content-Type": "application/geo+json"}
        return httpx.post(address, json=feature, headers=headers, timeout=60).status_code
    except httpx.HTTPError:
        return None


def check_marks(database: Database, marks: dict[str, int | None]) -> None:
    """What was answered as stored is stored, once; what was not answered, once or not at all."""
    statement = text("SELECT count(*) FROM layer.citizen_reports WHERE description = :mark")
    with database.reading() as connection:
        for mark, status in marks.items():
            stored = connection.scalar(statement, {"mark": mark})
            assert status in (201, None, 503), mark
            assert stored == 1 if status == 201 else stored in (0, 1), mark


def check_runs(database: Database) -> None:
    """Each run belongs to one job that succeeded, and each such job to one run."""
    with database.reading() as connection:
        runs = connection.scalars(text("SELECT id FROM gis.hotspot_run ORDER BY id")).all()
        messages = connection.scalars(text(
            "SELECT message FROM gis.job WHERE state = 'succeeded' AND message LIKE 'run %'"
        )).all()  # fmt: skip
        twice = connection.execute(text("""
            SELECT layer_id, method, input_version FROM gis.hotspot_run
            GROUP BY layer_id, method, input_version HAVING count(*) > 1
            """)).all()  # fmt: skip
        failed = connection.scalar(text("SELECT count(*) FROM gis.job WHERE state = 'failed'"))
        steps = connection.scalar(text("SELECT count(*) FROM gis.alert_event"))
        notices = connection.scalar(text("SELECT count(DISTINCT event_id) FROM gis.notification"))
        opened = connection.execute(text("""
            SELECT alert_id FROM gis.alert_event WHERE act = 'open'
            GROUP BY alert_id HAVING count(*) > 1
            """)).all()  # fmt: skip
    assert sorted(int(message.split()[1].rstrip(":")) for message in messages) == runs
    assert twice == opened == []
    assert failed == 0
    assert notices == steps
