"""Alarm levels of stations: raised when reached, ended below, taken back where corrected."""

from datetime import UTC, datetime, timedelta

import pytest

from gis.alerts.actions import history, list_alerts
from gis.alerts.policy import Tier
from gis.alerts.states import Status
from layers.definition.catalogue import Catalogue
from layers.detect.thresholds import evaluate_rules, find_beyond
from tests.series_layers import gauges, load_measurements, measured, rows

NOW = datetime(2026, 3, 1, 5, tzinfo=UTC)  # noon in the country
TITLE = {"vi": "Mực nước", "en": "Water level"}
RULE = {
    "kind": "level", "id": "bd", "title": TITLE, "field": "level", "of": "name",
    "tiers": ["watch", "alert", "urgent"], "clear_minutes": 0,
}  # fmt: skip


def ruled(*rules):
    return gauges(alerts={"rules": list(rules or (RULE,))})


@pytest.fixture
def at(series_province, tmp_path):
    """Load levels of station A, as minutes after noon; evaluate at a minute, the last of them."""
    layer = ruled()

    def step(*levels, minute=None):
        records = [
            measured("A", f"{NOW + timedelta(hours=7, minutes=after):%Y-%m-%d %H:%M}", level)
            for after, level in levels
        ]
        load_measurements(series_province, layer, tmp_path, *records)
        moment = NOW + timedelta(minutes=levels[-1][0] if minute is None else minute)
        evaluate_rules(series_province, Catalogue((layer,)), moment)

    step.database = series_province
    return step


def alerts(database):
    with database.reading() as connection:
        return list_alerts(connection, layers=["mz"])


def acts(database):
    (alert,) = alerts(database)
    with database.reading() as connection:
        return [(each.act, each.note) for each in history(connection, alert.id)]


def test_a_level_that_is_reached_is_an_alert_with_station_value_and_time(at):
    at((-30, 1.0), (0, 3.25))
    (alert,) = alerts(at.database)
    assert alert.headline_vi == "Mực nước: Trạm A 3,25 m, BĐ2 (3 m)"
    assert alert.headline_en == "Water level: Trạm A 3.25 m, Alarm 2 (3 m)"
    assert (alert.severity, alert.status, alert.observed) == (Tier.ALERT, Status.OPEN, 3.25)
    assert alert.communes == (("00001", "Phường Sao Mai"),)
    measures = "SELECT measures, since, key FROM gis.alert"
    assert rows(at.database, measures) == [
        ({"rule": "level", "level": 2, "threshold": 3.0, "station": "A"}, NOW, "A")
    ]


def test_a_higher_level_is_notified_again_and_a_value_within_it_is_not(at):
    for minute, level in ((0, 2.1), (10, 2.5), (20, 3.0), (30, 3.5), (40, 4.2)):
        at((minute, level))
    assert [act for act, _ in acts(at.database)] == ["open", "update", "notify", "update", "notify"]
    assert [alert.severity for alert in alerts(at.database)] == [Tier.URGENT]


def test_it_ends_when_the_water_has_fallen_below_by_the_hysteresis(at):
    at((0, 2.1))
    at((10, 1.85))
    assert [act for act, _ in acts(at.database)] == ["open", "update"]
    at((20, 1.7))
    assert acts(at.database)[-1] == ("expired", "quiet")
    assert [alert.status for alert in alerts(at.database)] == [Status.EXPIRED]


def test_a_correction_that_takes_it_back_is_told_as_one(at):
    at((-30, 1.0), (0, 4.5))
    at((0, 1.5), minute=5)
    (alert,) = alerts(at.database)
    assert alert.status is Status.EXPIRED
    assert acts(at.database)[-1][1].startswith("corrected")


def test_a_correction_to_a_lower_level_is_told_as_one(at):
    at((-30, 1.0), (0, 4.5))
    at((0, 2.5), minute=5)
    (alert,) = alerts(at.database)
    assert (alert.status, alert.severity) == (Status.OPEN, Tier.WATCH)
    assert [act for act, _ in acts(at.database)] == ["open", "corrected"]


def test_implausible_and_stale_values_raise_nothing(at):
    at((0, 99))
    at((10, 4.5), minute=300)
    assert alerts(at.database) == []


def test_a_flood_that_takes_the_gauge_leaves_its_alert_for_a_day(at):
    at((0, 4.5))
    evaluate_rules(at.database, Catalogue((ruled(),)), NOW + timedelta(hours=20))
    assert [alert.status for alert in alerts(at.database)] == [Status.OPEN]


def test_rules_of_sensors_and_rain_read_the_measurements(series_province, tmp_path):
    sensor = {
        "kind": "sensor", "id": "high", "title": TITLE, "field": "level", "of": "name",
        "above": 1.5, "minutes": 60,
    }  # fmt: skip
    rain = {
        "kind": "rain", "id": "wet", "title": TITLE, "field": "level", "of": "name", "above": 5,
        "hours": 3,
    }  # fmt: skip
    layer = ruled(sensor, rain)
    noon = NOW + timedelta(hours=7)
    records = [
        measured("A", f"{noon - timedelta(hours=back):%Y-%m-%d %H:%M}", level)
        for back, level in ((4, 7.0), (2, 1.0), (1, 2.0), (0, 2.5))
    ]
    load_measurements(series_province, layer, tmp_path, *records)
    with series_province.reading() as connection:
        found = [find_beyond(connection, layer, rule, NOW) for rule in layer.alerts.rules]
    (high,), (wet,) = (each.signals for each in found)
    assert (high.observed, high.since) == (2.5, NOW - timedelta(hours=1))
    assert wet.observed == 5.5
    assert len(high.records) == 1
