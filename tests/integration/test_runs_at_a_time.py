"""Which runs wait for which: no alarm for a map, and none gives up because another takes long."""

import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from gis.database.engine import Database
from layers.detect import METHODS, methods_of, run_hotspots, run_method
from layers.jobs.detection import RUNS, DetectionScheduler
from layers.jobs.failures import Failures
from tests.integration.inline_jobs import Runner
from tests.integration.test_hotspots import LAYER, NOW
from tests.waiting import wait_until

HOLD = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


@pytest.mark.parametrize(
    ("method", "held", "waits"),
    [
        ("stp_scan", "map", False),
        ("stp_scan", "alarm", True),
        ("gi_star", "alarm", False),
        ("gi_star", "map", True),
    ],
)
def test_a_run_waits_for_those_of_its_kind_alone(
    toy_province: Database, catalogue, method: str, held: str, waits: bool
):
    assert (METHODS[method].rule is not None) == (method == "stp_scan")
    layer = catalogue.get(LAYER)
    run = threading.Thread(target=run_method, args=(toy_province, layer, method, NOW))
    with toy_province.writing() as connection:
        connection.execute(HOLD, {"name": f"hotspots {LAYER} {held}"})
        run.start()
        if waits:
            wait_until(lambda: is_waiting(toy_province))
        else:
            run.join(60)
            assert not run.is_alive()
    run.join(60)
    with toy_province.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM gis.hotspot_run")) == 1


def is_waiting(database: Database) -> bool:
    statement = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with database.reading() as connection:
        return connection.scalar(text(statement)) is not None


def test_a_run_that_was_made_since_it_was_queued_is_not_made_again(
    toy_province: Database, catalogue
):
    now = datetime.now(UTC)
    runner = Runner(toy_province)
    assert DetectionScheduler(toy_province, Failures(toy_province)).queue_runs(catalogue, now) > 0
    run_hotspots(toy_province, catalogue.get(LAYER), now)
    methods = methods_of(catalogue.get(LAYER))
    assert runner.work_off(catalogue, RUNS) == [None] * (len(methods) - 1)  # the series follow
    with toy_province.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM gis.hotspot_run")) == len(methods)
