"""Two real `gis work` on one database: all is done once, and one takes over from the other."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from api.cli import command_line
from gis.database.engine import Database
from gis.database.migrate import check_revision, newest_revision
from gis.errors import Unavailable
from tests.acceptance.service import GIS, ROOT, free_port
from tests.databases import Server
from tests.integration.jobs.test_kills import check_runs, is_settled
from tests.integration.test_hotspots import cluster, report
from tests.waiting import wait_until

WITHIN_S = 240


@contextmanager
def gis_work(url: str, home: Path, name: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A worker, and its log."""
    log = home / f"{name}.log"
    environment = os.environ | {"GIS_DATABASE_URL": url, "GIS_HOME": str(home)}
    with log.open("w") as out:
        process = subprocess.Popen(
            [*GIS, "work"], env=environment, cwd=ROOT, stdout=out, stderr=out
        )
        try:
            yield process, log
        finally:
            process.kill()
            process.wait(30)


def test_two_workers_do_all_once_and_one_takes_over(
    toy_province: Database, catalogue, tmp_path: Path
):
    now = datetime.now(UTC)
    scattered = np.random.default_rng(3).uniform((104.0, 22.0), (104.3, 22.1), (80, 2))
    report(toy_province, scattered, at=now - timedelta(days=1), days=60)
    with (
        gis_work(toy_province.url, tmp_path, "one") as (one, log_of_one),
        gis_work(toy_province.url, tmp_path, "two") as (two, log_of_two),
    ):
        works = [(one, log_of_one), (two, log_of_two)]
        wait_until(
            lambda: leaders(works) != [] and all(map(works_now, works)),
            within_s=WITHIN_S,
            every_s=0.3,
        )
        report(toy_province, cluster(n=20), at=now)
        wait_until(lambda: opened(toy_province) > 0, within_s=WITHIN_S, every_s=0.3)
        wait_until(lambda: is_settled(toy_province, catalogue), within_s=WITHIN_S, every_s=0.3)
        check_runs(toy_province)
        wait_until(lambda: documents(toy_province) == steps(toy_province) != [])
        (leader,) = leaders(works)
        leader[0].kill()
        leader[0].wait(30)
        report(toy_province, cluster(n=5), at=datetime.now(UTC))
        wait_until(lambda: len(leaders(works)) == 2, within_s=WITHIN_S, every_s=0.3)
        wait_until(lambda: is_settled(toy_province, catalogue), within_s=WITHIN_S, every_s=0.3)
        check_runs(toy_province)
        (other,) = [work for work in works if work[0].poll() is None]
        assert "leads" in other[1].read_text()
        other[0].terminate()
        assert other[0].wait(60) == 0


def leaders(works: list) -> list:
    """Those that lead, or did until they were killed."""
    return [work for work in works if " leads  " in work[1].read_text()]


def works_now(work: tuple[subprocess.Popen[bytes], Path]) -> bool:
    return "working (Ctrl-C stops)" in work[1].read_text()


def opened(database: Database) -> int:
    with database.reading() as connection:
        found = connection.scalar(text("SELECT count(*) FROM gis.alert WHERE rule = 'scan'"))
    return int(found)


def documents(database: Database) -> list[int]:
    """Steps that have a document, each as often as it has one."""
    with database.reading() as connection:
        return list(connection.scalars(text("SELECT seq FROM gis.cap_message ORDER BY seq")))


def steps(database: Database) -> list[int]:
    statement = text(
        "SELECT seq FROM gis.notification WHERE act IN ('open', 'notify') ORDER BY seq"
    )
    with database.reading() as connection:
        return list(connection.scalars(statement))


@pytest.mark.parametrize("command", ["serve", "work"])
def test_a_database_that_is_not_set_up_is_reported_with_what_to_do(
    postgres: Server, monkeypatch: pytest.MonkeyPatch, command: str
):
    with postgres.database() as url:
        monkeypatch.setenv("GIS_DATABASE_URL", url)
        monkeypatch.setenv("GIS_PORT", str(free_port()))
        done = CliRunner().invoke(command_line(), [command])
    assert isinstance(done.exception, Unavailable)
    assert str(done.exception).startswith("the database is empty: `gis up` sets up all")


@pytest.mark.parametrize(
    ("revision", "words"),
    [
        ("0041", "this version needs {newest}: run `gis db migrate`"),
        ("0027", "this version needs {newest}: run `gis db migrate`"),
        ("9999", "is newer than this version (its newest is {newest}): start the version that"),
    ],
)
def test_a_database_of_another_version_is_reported_with_what_to_do(
    database: Database, revision: str, words: str
):
    with database.writing() as connection:
        connection.execute(text("SELECT set_config('role', 'gis_owner', true)"))
        connection.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": revision})
    with pytest.raises(Unavailable) as told, database.reading() as connection:
        check_revision(connection)
    assert f"the database is at revision {revision}" in str(told.value)
    assert words.format(newest=newest_revision()) in str(told.value)
