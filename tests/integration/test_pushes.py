"""Bodies that a job loads after they were answered with 202: once, whatever dies meanwhile."""

import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from gis.access import Role, create_key
from gis.database.engine import Database
from gis.jobs.child import serve_jobs
from gis.jobs.process import JobProcess
from gis.jobs.session import WorkerSession
from gis.jobs.worker import Worker
from layers.jobs.kinds import job_kinds
from layers.jobs.pushes import PUSH
from layers.jobs.retention import forget_sent
from tests.conftest import LAYERS
from tests.databases import Server
from tests.intake_layers import rows
from tests.integration import inline_jobs
from tests.integration.jobs.killing import Trigger, arm
from tests.integration.sensors import CATALOGUE, sensor_client, sensor_database

HEADER = "id,lon,lat,when,val,n,note\n"
CSV = {"Content-Type": "text/csv"}
LATER = {**CSV, "Prefer": "return=minimal, respond-async"}
PATH = "/ingest/mz"


@pytest.fixture(scope="module")
def database(postgres: Server, toy_template: str) -> Iterator[Database]:
    with sensor_database(postgres, toy_template) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(database: Database) -> Iterator[httpx.Client]:
    with sensor_client(database, ingest_at_once_mb=0.001) as opened:
        yield opened


@pytest.fixture(autouse=True)
def empty(database: Database) -> None:
    with database.writing() as connection:
        for table in ("layer.mz", "gis.quarantine", "gis.load", "gis.pushed", "gis.job"):
            connection.exec_driver_sql(f"DELETE FROM {table}")


def body(*keys: str, bad: tuple[str, ...] = (), when: str = "2026-03-01") -> bytes:
    lines = [f"{key},{'x' if key in bad else 104.15},22.05,{when},1.5,1,\n" for key in keys]
    return (HEADER + "".join(lines)).encode()


def work(database: Database) -> None:
    inline_jobs.Runner(database).work_off(CATALOGUE, (PUSH,))


def count(database: Database, statement: str) -> int:
    with database.writing() as connection:
        return int(connection.scalar(text(f"SELECT count(*) FROM {statement}")))


def test_a_body_is_answered_with_202_and_loaded_by_a_job(client, database):
    accepted = client.post(PATH, content=body("a", "b", "c", bad=("b",)), headers=LATER)
    assert accepted.status_code == 202, accepted.text
    assert accepted.headers["Preference-Applied"] == "respond-async"
    status = accepted.headers["Location"]
    assert (accepted.json()["state"], accepted.json()["answer"]) == ("queued", None)
    assert rows(database, "id") == []
    assert count(database, "private.pushed_body") == 1
    work(database)
    done = client.get(status).json()
    assert (done["state"], done["progress"]) == ("succeeded", 1)
    at_once = client.post(PATH, content=body("a", "b", "c", bad=("b",)), headers=CSV).json()
    assert done["answer"].keys() == at_once.keys()
    assert done["answer"]["failed"] == at_once["failed"]
    assert (done["answer"]["added"], done["answer"]["source"]) == (2, "sensors")
    assert done["answer"]["states"] == {"placed": 2, "quarantined": 1}
    assert rows(database, "source_key") == [("a",), ("c",)]
    assert count(database, "private.pushed_body") == 0


def test_a_body_above_a_size_is_loaded_by_a_job_without_being_asked(client, database):
    keys = [f"k{n}" for n in range(100)]
    assert client.post(PATH, content=body(*keys[:9]), headers=CSV).status_code == 200
    accepted = client.post(PATH, content=body(*keys), headers=CSV)
    assert accepted.status_code == 202
    work(database)
    answer = client.get(accepted.headers["Location"]).json()["answer"]
    assert (answer["read"], answer["added"], answer["unchanged"]) == (100, 91, 9)


def test_records_that_failed_are_listed_by_pages(client, database):
    keys = [f"k{n}" for n in range(7)]
    accepted = client.post(PATH, content=body(*keys, "good", bad=tuple(keys)), headers=LATER)
    work(database)
    seen, pages, address = [], 0, f"{accepted.headers['Location']}?limit=3"
    while address:
        page = client.get(address).json()
        assert page["failed"] == 7
        seen += [record["line"] for record in page["answer"]["failed"]]
        address = next((one["href"] for one in page["links"] if one["rel"] == "next"), None)
        pages += 1
    assert (seen, pages) == ([2, 3, 4, 5, 6, 7, 8], 3)


def test_a_record_that_keeps_its_earlier_row_is_counted_as_stale(client, database):
    client.post(PATH, content=body("a", "b"), headers=CSV)
    answer = client.post(PATH, content=body("a", "b", "c", bad=("b", "c")), headers=CSV).json()
    assert answer["states"] == {"placed": 1, "quarantined": 1, "stale": 1}


@pytest.mark.parametrize("first", [CSV, LATER])
@pytest.mark.parametrize("second", [CSV, LATER])
def test_a_key_counts_at_both_ways_of_answering(client, database, first, second):
    keyed = {"Idempotency-Key": "k1"}
    one = client.post(PATH, content=body("a"), headers={**first, **keyed})
    two = client.post(PATH, content=body("a"), headers={**second, **keyed})
    assert two.status_code == one.status_code
    if one.status_code == 202:
        assert two.headers["Location"] == one.headers["Location"]
        assert count(database, "gis.job") == 1
        work(database)
    three = client.post(PATH, content=body("a"), headers={**second, **keyed})
    assert (three.status_code, three.json()["added"]) == (200, 1)
    assert count(database, "gis.load") == 1
    other = client.post(PATH, content=body("b"), headers={**second, **keyed})
    assert other.status_code == 409


def test_a_question_is_known_by_the_status_and_the_body_is_sent_again(client, database):
    asked = body("a", "b", when="05/03/2026")
    keyed = {**LATER, "Idempotency-Key": "k1"}
    status = client.post(PATH, content=asked, headers=keyed).headers["Location"]
    with database.reading() as connection:
        number = connection.scalar(text("SELECT job FROM gis.pushed"))
    work(database)
    with database.reading() as connection:
        state = connection.scalar(text("SELECT state FROM gis.job WHERE id = :id"), {"id": number})
    assert state == "failed"
    told = client.get(status).json()
    assert told["state"] == "failed" and "date_format='%d/%m/%Y'" in told["why"]
    assert "--" not in told["why"]
    assert count(database, "private.pushed_body") == 0
    params = {"date_format": "%d/%m/%Y"}
    again = client.post(PATH, content=asked, headers=keyed, params=params)
    assert again.status_code == 202
    work(database)
    assert client.get(again.headers["Location"]).json()["answer"]["added"] == 2


def test_a_dry_run_of_a_job_stores_nothing_but_its_answer(client, database):
    accepted = client.post(PATH, content=body("a"), headers=LATER, params={"dry_run": "true"})
    work(database)
    assert client.get(accepted.headers["Location"]).json()["answer"]["added"] == 1
    assert rows(database, "id") == []
    assert count(database, "gis.load") == 0


def test_only_the_sender_and_operators_see_how_far_a_body_is(client, database):
    status = client.post(PATH, content=body("a"), headers=LATER).headers["Location"]
    with database.writing() as connection:
        keys = {
            "colleague": create_key(connection, "colleague", Role.DEPARTMENT, ("mz",)),
            "elsewhere": create_key(connection, "elsewhere", Role.DEPARTMENT, ("other",)),
            "operator": create_key(connection, "operator", Role.OPERATOR),
            "admin": create_key(connection, "admin", Role.ADMIN),
        }
    seen = {
        name: client.get(status, headers={"X-API-Key": key}).status_code
        for name, key in keys.items()
    }
    assert seen == {"colleague": 404, "elsewhere": 403, "operator": 200, "admin": 200}
    assert client.get(status, headers={"X-API-Key": ""}).status_code == 401
    assert client.get(f"{PATH}/999999").status_code == 404


def test_bodies_and_answers_are_forgotten_after_a_week(client, database):
    status = client.post(PATH, content=body("a"), headers=LATER).headers["Location"]
    with database.writing() as connection:
        forget_sent(connection, 365)
    assert client.get(status).status_code == 200
    with database.writing() as connection:
        connection.execute(text("UPDATE gis.pushed SET at = at - :age"), {"age": timedelta(days=8)})
        forget_sent(connection, 365)
    assert client.get(status).status_code == 404
    assert count(database, "private.pushed_body") == 0


@pytest.mark.parametrize("statements", [2, 9])
def test_a_kill_of_the_process_that_loads_loses_nothing_and_doubles_nothing(
    client, database, tmp_path: Path, statements
):
    """The process dies after so many statements, and is started anew."""
    accepted = client.post(PATH, content=body("a", "b", bad=("b",)), headers=LATER)
    arm(tmp_path, "job", statements)
    session, stopped = WorkerSession(database, leads=False), threading.Event()
    command = [sys.executable, "-m", __name__, str(tmp_path)]
    runner = JobProcess(command, database.url, stopped, None)
    kinds = job_kinds(database, inline_jobs.TestedLayers(database, LAYERS, CATALOGUE))
    worker = Worker(database, session, kinds, stopped)
    try:
        worker.work_off((PUSH,), runner)
        assert not (tmp_path / "armed").exists(), "nobody was killed"
        assert rows(database, "id") == []
        assert client.get(accepted.headers["Location"]).json()["state"] == "queued"
        with database.writing() as connection:
            connection.execute(text("UPDATE gis.job SET not_before = now()"))
        worker.work_off((PUSH,), runner)
    finally:
        runner.close()
        session.close()
    done = client.get(accepted.headers["Location"]).json()
    assert done["answer"]["states"] == {"placed": 1, "quarantined": 1}, done
    assert rows(database, "source_key") == [("a",)]
    assert count(database, "gis.load") == 1


if __name__ == "__main__":  # the process of a job, which dies when it is to
    Trigger(Path(sys.argv[1]), "job")
    serve_jobs(
        Connection(int(sys.argv[2])),
        int(sys.argv[3]),
        lambda database: job_kinds(database, inline_jobs.TestedLayers(database, LAYERS, CATALOGUE)),
    )
