"""Which runs wait for which: no alarm for a map, and none gives up because another takes long."""

import threading

import pytest
from sqlalchemy import text

from gis.database.engine import Database
from layers.detect import METHODS, run_method
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
