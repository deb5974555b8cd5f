"""An alarm that keeps failing is an alert itself, until it runs again."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from api.app import create_app
from gis.alerts.actions import Alert, list_alerts, resolve
from gis.alerts.self_monitoring import RULE, failing_alarms
from gis.alerts.states import Outcome, Status
from gis.database.engine import Database
from gis.database.roles import as_owner
from gis.errors import BadInput, Unavailable
from gis.notify.cap.publication import publish_due
from gis.notify.cap.validation import cap_faults
from gis.settings import Settings
from layers.jobs.failures import Failures
from tests.integration.inline_jobs import Runner
from tests.integration.ogc_app import app_client

LAYER = "citizen_reports"


@pytest.fixture
def without_boundaries(toy_province: Database) -> Database:
    with toy_province.writing() as connection, as_owner(connection):
        connection.execute(text("CREATE TABLE gis.kept AS SELECT * FROM gis.boundary_state"))
        connection.execute(text("DELETE FROM gis.boundary_state"))
    return toy_province


def put_back(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(text("INSERT INTO gis.boundary_state SELECT * FROM gis.kept"))


def fail(runner: Runner, catalogue, times: int) -> None:
    """Runs that are due fail so many times, two minutes apart by the runner's clock."""
    for n in range(times):
        assert runner.run_due(catalogue, datetime.now(UTC) + timedelta(minutes=2 * n)) == []


def told(database: Database) -> list[Alert]:
    with database.reading() as connection:
        found = list_alerts(connection, layers=[LAYER])
    return [one for one in found if one.rule == RULE]


def failing(database: Database) -> int:
    with database.reading() as connection:
        return failing_alarms(connection, [LAYER])


def test_an_alarm_that_fails_three_times_in_a_row_is_an_alert(without_boundaries, catalogue):
    runner = Runner(without_boundaries)
    fail(runner, catalogue, 2)
    assert told(without_boundaries) == []
    fail(runner, catalogue, 1 + 2)
    words = {(one.status, one.headline_vi, one.headline_en) for one in told(without_boundaries)}
    title_vi, title_en = "“Phản ánh của người dân”", "“Citizen reports”"
    assert words == {
        (
            Status.OPEN,
            f"Cảnh báo tự động của lớp {title_vi} không chạy được: {vi}",
            f"The alarm of {title_en} cannot run: {en}",
        )
        for vi, en in (("quét cụm", "scan"), ("chuỗi theo xã", "series"))
    }
    assert failing(without_boundaries) == 1


def test_the_next_good_run_ends_it_even_after_a_restart(without_boundaries, catalogue):
    fail(Runner(without_boundaries), catalogue, 3)
    put_back(without_boundaries)
    assert Runner(without_boundaries).run_due(catalogue, datetime.now(UTC)) != []
    assert {one.status for one in told(without_boundaries)} == {Status.EXPIRED}
    assert failing(without_boundaries) == 0


def test_what_fails_after_somebody_closed_the_alert_and_it_ran_is_reported_anew(
    without_boundaries, catalogue
):
    runner = Runner(without_boundaries)
    fail(runner, catalogue, 3)
    with without_boundaries.writing() as connection:
        for one in told(without_boundaries):
            resolve(connection, one.id, "officer", Outcome.TRUE)
    fail(runner, catalogue, 5)
    assert len(told(without_boundaries)) == 2
    put_back(without_boundaries)
    later = datetime.now(UTC) + timedelta(minutes=2)
    assert runner.run_due(catalogue, later) != []
    with without_boundaries.writing() as connection:
        connection.execute(text("DELETE FROM gis.boundary_state"))
        connection.execute(text("UPDATE gis.layer SET version = version + 1"))
    fail(runner, catalogue, 3)
    assert len(told(without_boundaries)) == 4


def test_it_is_reported_without_any_communes_too(without_boundaries, catalogue):
    with without_boundaries.writing() as connection:
        connection.execute(text("UPDATE gis.admin_unit SET geom = NULL"))
    fail(Runner(without_boundaries), catalogue, 3)
    assert failing(without_boundaries) == 1
    with without_boundaries.writing() as connection:  # everybody sees them
        connection.execute(
            text(
                "INSERT INTO gis.approval (alert_id, who, note, confirmed)"
                " SELECT id, 'tests', '', false FROM gis.alert"
            )
        )
    app = create_app(Settings(_env_file=None), without_boundaries, catalogue)
    with app_client(app) as http:
        alerts = http.get("/alerts").json()["alerts"]
        items = http.get("/ogc/collections/alerts/items").json()["features"]
        tile = http.get("/tiles/alerts/0/0/0.mvt")
    assert [one["bbox"] for one in alerts] == [None, None]
    assert [one["geometry"]["coordinates"] for one in items] == [[], []]
    assert tile.is_success
    assert publish_due(without_boundaries, "ioc.example.vn") == 2
    with without_boundaries.reading() as connection:
        documents = connection.scalars(text("SELECT document FROM gis.cap_message")).all()
    assert [cap_faults(document) for document in documents] == [[], []]


def test_what_failed_as_the_database_was_lost_is_tried_again_within_seconds(
    without_boundaries, catalogue
):
    layer, soon = catalogue.get(LAYER), datetime.now(UTC) + timedelta(seconds=5)
    failures = Failures(without_boundaries)
    failures.failed(layer, "stp_scan", Unavailable("the database cannot be reached"))
    failures.failed(layer, "series", BadInput("no boundaries are loaded"))
    assert [failures.waits(layer, work, soon) for work in ("stp_scan", "series")] == [False, True]


def test_null_distributions_that_cannot_be_drawn_are_reported_too(without_boundaries, catalogue):
    runner = Runner(without_boundaries)
    put_back(without_boundaries)
    runner.run_due(catalogue, datetime.now(UTC))
    with without_boundaries.writing() as connection:
        connection.execute(text("UPDATE gis.run_input SET content = 'no Parquet'"))
    for n in range(3):
        runner.draw_due(catalogue, datetime.now(UTC) + timedelta(minutes=2 * n))
    (alert,) = told(without_boundaries)
    assert alert.headline_en.endswith("cannot run: nulls of the scan")
