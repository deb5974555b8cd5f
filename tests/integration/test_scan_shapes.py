"""A crossing and a stretch of a road are found from rows to alerts, and go on as one alert."""

from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import text

from gis.database.engine import Database
from layers.detect import repeat_run
from layers.detect.backtest import backtest
from tests.integration.test_hotspots import LAYER, NOW, alerts, noise, report, run

ROAD = "LINESTRING(104.0 22.02, 104.3 22.02)"
KM = 1 / 103.2  # degrees of longitude, here


@pytest.fixture
def quiet(toy_province: Database) -> Database:
    """Two reports a day, anywhere, for ninety days."""
    report(toy_province, noise(), days=90)
    report(toy_province, noise()[::-1] + np.array([0.001, 0.002]), days=90)
    return toy_province


@pytest.fixture
def along(quiet: Database) -> Database:
    """A road whose line begins at kilometre 90, and seven reports of an hour beside Km 97–100."""
    with quiet.writing() as connection:
        connection.execute(
            text(
                "INSERT INTO layer.roads (geom, source, source_key, name, aliases, start_km,"
                " updated_at) VALUES (ST_Multi(ST_GeomFromText(:line, 4326)), 'tests', '1',"
                " 'Đường Điện Biên Phủ', 'QL4D', 90, now())"
            ),
            {"line": ROAD},
        )
        connection.execute(text("UPDATE gis.layer SET version = version + 1 WHERE id = 'roads'"))
    km = np.array([7.2, 7.6, 8.1, 8.6, 9.0, 9.4, 9.8])
    points = np.column_stack([104.0 + km * KM, 22.02 + 0.0002 * np.sin(km)])
    report(quiet, points, at=NOW - timedelta(hours=2))
    return quiet


def on_one_road(database: Database) -> None:
    (alert,) = alerts(database)
    assert alert.headline_vi.startswith("Giao thông, QL4D Km 97–100: 7 báo cáo trong 1 ngày")
    assert alert.headline_en.startswith("Traffic, QL4D Km 97–100: 7 reports in 1 day")
    assert "QL4D Km 97–100, Xã Bãi Cát" in alert.detail_vi


def test_a_stretch_of_a_road_is_an_alert_that_names_its_kilometres(along, catalogue):
    report_of_run = run(along, catalogue)
    on_one_road(along)
    with along.reading() as connection:
        measures = connection.scalar(text("SELECT measures FROM gis.alert"))
    again = repeat_run(along, report_of_run.run_id)
    assert measures["window"] == "stretch" and measures["road"] == "QL4D"
    assert 97.1 < measures["from_km"] < 97.4 and 99.6 < measures["to_km"] < 100
    assert again.differences == (), "the input that was stored knows where its records lie"


def test_a_backtest_sees_the_stretch_that_the_service_saw(along, catalogue):
    run(along, catalogue)
    (live,) = alerts(along)
    with along.writing() as connection:
        past = backtest(connection, catalogue.get(LAYER), NOW - timedelta(days=2), NOW, rule="scan")
    (seen,) = past.alerts
    assert seen.alert.signal.headline_vi == live.headline_vi
    assert seen.alert.signal.records == live.records


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE gis.layer SET definition = jsonb_set(definition, '{access,read}', '\"private\"')"
        " WHERE id = 'roads'",
        "DELETE FROM layer.roads",
    ],
)
def test_no_road_that_is_closed_or_not_loaded_is_named(along, catalogue, change: str):
    with along.writing() as connection:
        connection.execute(text(change))
    run(along, catalogue)
    assert not any("QL4D" in one.headline_vi + one.detail_vi for one in alerts(along))


def test_a_crossing_stays_one_alert_when_what_is_found_grows_from_a_spot_to_a_circle(
    quiet, catalogue
):
    for day in range(9):
        at = NOW - timedelta(days=day, hours=2)
        report(quiet, np.array([[104.15 + 1e-4 * (day % 3), 22.05]]), at=at)
    run(quiet, catalogue)
    (spot,) = alerts(quiet)
    assert "tại một điểm" in spot.headline_vi
    near = np.random.default_rng(2).uniform((104.138, 22.038), (104.162, 22.062), (30, 2))
    report(quiet, near, at=NOW - timedelta(hours=1))
    run(quiet, catalogue)
    (grown,) = alerts(quiet)
    assert grown.id == spot.id and "tại một điểm" not in grown.headline_vi
    assert grown.observed > spot.observed
