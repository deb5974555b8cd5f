"""Rounds of many sources, promises, and the job that runs them."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from gis.connectors import CONNECTORS
from gis.connectors.connector import Batch, Connector, Cursor
from gis.connectors.folder import FolderOptions
from gis.database.engine import Database
from gis.jobs.session import WorkerSession
from gis.jobs.worker import ThisProcess, Worker
from layers.jobs.kinds import job_kinds
from layers.jobs.service import watching
from layers.jobs.sources import SOURCES, SourceScheduler
from layers.sources import state as sources
from layers.sources.round import run_due
from tests.conftest import LAYERS
from tests.integration import inline_jobs
from tests.source_layers import (
    Script,
    count,
    feed_layer,
    levels,
    publish,
    run,
    state,
    station,
    surroundings,
)
from tests.waiting import wait_until


def make_due(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(text("UPDATE gis.source SET next_due = now()"))


def test_a_slow_source_keeps_no_other_waiting(
    database: Database, inbox: Path, monkeypatch: pytest.MonkeyPatch
):
    layers = [feed_layer(f"mz{n}") for n in range(4)]
    catalogue = publish(database, *layers)
    others_done = threading.Event()
    done: list[str] = []

    class Slow(Connector[FolderOptions]):
        name, label, Options = "folder", "Slow", FolderOptions

        def read(self, cursor: Cursor) -> Iterator[Batch]:
            if self.options.path == "mz0":
                assert others_done.wait(20)
            yield Batch([station(1)], {"at": 1})

        def acknowledge(self, cursor: Cursor) -> None:
            done.append(self.options.path)
            if len(done) == 3:
                others_done.set()

    monkeypatch.setitem(CONNECTORS, "folder", Slow)
    reports = run_due(database, lambda: catalogue, surroundings(inbox), readers=2)
    assert {each.layer_id for each in reports} == {layer.id for layer in layers}
    assert {each.state for each in reports} == {"complete"}
    assert done[-1] == "mz0"


def test_one_batch_is_stored_at_a_time(
    database: Database, inbox: Path, monkeypatch: pytest.MonkeyPatch, script: Script
):
    from layers.sources import run as runs

    layers = [feed_layer(f"mz{n}") for n in range(3)]
    catalogue = publish(database, *layers)
    script.add(station(1))
    store, inside, most = runs._store, [0], [0]

    def counted(*given):
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(0.05)
        try:
            return store(*given)
        finally:
            inside[0] -= 1

    monkeypatch.setattr(runs, "_store", counted)
    run_due(database, lambda: catalogue, surroundings(inbox))
    assert most == [1]
    assert all(levels(database, layer.id) for layer in layers)


def test_a_round_is_queued_when_a_source_is_due_and_runs_all_of_them(
    database: Database, script: Script
):
    layers = [feed_layer(f"mz{n}") for n in range(3)]
    catalogue = publish(database, *layers)
    script.add(station(1))
    scheduler = SourceScheduler(database)
    assert scheduler.queue_round(catalogue)
    assert not scheduler.queue_round(catalogue)
    kinds = job_kinds(database, inline_jobs.TestedLayers(database, LAYERS, catalogue))
    session = WorkerSession(database, leads=False)
    worker = Worker(database, session, kinds, threading.Event())
    assert worker.work_off((SOURCES,), ThisProcess(database)) == 1
    session.close()
    assert count(database, "gis.source WHERE last_success IS NOT NULL") == 3
    assert not scheduler.queue_round(catalogue)
    make_due(database)
    with database.reading() as connection:
        assert connection.scalar(text("SELECT source_due FROM gis.pulse"))
    assert scheduler.queue_round(catalogue)


def alerts_of(database: Database, layer_id: str = "mz") -> list[tuple[str, str]]:
    with database.reading() as connection:
        rows = connection.execute(
            text("SELECT status, detail_vi FROM gis.alert WHERE layer_id = :layer"
                 " AND rule = 'stale_source' ORDER BY id"), {"layer": layer_id}
        )  # fmt: skip
        return [(row.status, row.detail_vi) for row in rows]


def test_a_missed_promise_is_an_alert_until_the_source_is_fresh_again(
    database: Database, script: Script, inbox: Path
):
    layer = feed_layer(promise={"fresh_within": "1h"})
    catalogue = publish(database, layer)
    scheduler, now = SourceScheduler(database), datetime.now(UTC)
    script.add(station(1))
    run(database, layer, inbox)
    until = state(database)["fresh_until"]
    assert timedelta(minutes=59) < until - now < timedelta(minutes=61)
    scheduler.judge_promises(catalogue)
    assert alerts_of(database) == []
    with database.writing() as connection:
        connection.execute(text("UPDATE gis.source SET fresh_until = now()"))
    for _ in range(2):
        scheduler.judge_promises(catalogue)
        ((status, detail),) = alerts_of(database)
        assert status == "open"
        assert "lần đọc cuối" in detail
    with database.reading() as connection:
        assert sources.find_source(connection, layer.id)["state"] == "late"
    run(database, layer, inbox)
    scheduler.judge_promises(catalogue)
    assert [status for status, _ in alerts_of(database)] == ["expired"]
    assert state(database)["missed_since"] is None


def test_a_worker_reads_what_is_due_and_notifies_of_a_missed_promise_in_time(
    database: Database, inbox: Path, tmp_path: Path, script: Script
):
    layer = feed_layer(promise={"fresh_within": "1h"}, schedule="0 0 1 1 *")
    catalogue = publish(database, layer)
    script.add(station(1))
    with watching(database, tmp_path, catalogue, 400, inline_jobs.inline(database)):
        wait_until(lambda: bool(levels(database)), within_s=60)
        with database.writing() as connection:
            connection.execute(text("UPDATE gis.source SET fresh_until = now()"))
        wait_until(lambda: bool(alerts_of(database)), within_s=60)
    with database.reading() as connection:
        took = connection.execute(
            text("SELECT a.opened_at - s.fresh_until AS took FROM gis.alert a, gis.source s"
                 " WHERE a.rule = 'stale_source'")
        ).scalar_one()  # fmt: skip
    assert took < timedelta(seconds=5)


def test_a_promise_by_record_is_kept_by_new_records_alone(
    database: Database, script: Script, inbox: Path
):
    layer = feed_layer(time={"column": "at"}, promise={"fresh_within": "1h", "by": "record"})
    catalogue = publish(database, layer)
    now = datetime.now(UTC)
    script.add(station(1, at=(now - timedelta(hours=3)).isoformat()))
    run(database, layer, inbox)
    scheduler = SourceScheduler(database)
    scheduler.judge_promises(catalogue)
    assert [status for status, _ in alerts_of(database)] == ["open"]
    script.add(station(1, at=now.isoformat()))
    run(database, layer, inbox)
    scheduler.judge_promises(catalogue)
    assert [status for status, _ in alerts_of(database)] == ["expired"]


def test_who_pauses_a_source_is_not_notified_that_it_is_late(
    database: Database, script: Script, inbox: Path
):
    layer = feed_layer(promise={"fresh_within": "1h"})
    catalogue = publish(database, layer)
    with database.writing() as connection:
        sources.pause(connection, layer.id, "tests")
    SourceScheduler(database).judge_promises(catalogue, datetime.now(UTC) + timedelta(days=1))
    assert alerts_of(database) == []


def test_the_layer_of_sources_shows_public_ones_and_rises_with_them(
    database: Database, script: Script, inbox: Path
):
    public, closed = feed_layer("mz"), feed_layer("mz_closed", readers="private")
    publish(database, public, closed)
    with database.reading() as connection:
        rows = connection.execute(text("SELECT of_layer, state FROM layer.sources")).all()
    assert [tuple(row) for row in rows] == [("mz", "new")]
