"""Threshold rules over rows: what each kind holds of, and the life of the alerts that it raises."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from gis.alerts.actions import Alert, history, list_alerts, resolve
from gis.alerts.states import LIVE, Outcome, Status
from gis.database.roles import as_owner
from gis.placing.cells import h3_cells
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from layers.detect.thresholds import evaluate_rules, find_beyond
from layers.storage.sync import sync

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
STATIONS = {"Ngòi Nhù": (104.05, 22.05, "00001"), "Bảo Hà": (104.15, 22.05, "00004")}


def words(text_vi: str) -> dict[str, str]:
    return {"vi": text_vi, "en": f"{text_vi} (en)"}


def rule(kind: str, **more) -> dict:
    return {"kind": kind, "id": f"by_{kind}", "title": words(f"Luật {kind}")} | more


LEVEL = rule("sensor", field="level", of="station", above=3.5, minutes=30)
RAIN = rule("rain", field="rain", of="station", above=100, hours=6)
COUNT = rule("count", at_least=3, hours=24, per="commune")
QUIET = rule("quiet", hours=2, of="station")
TARGET = rule("indicator", field="level", of="station", at_least=1)


def gauges(*rules: dict) -> Layer:
    field = {"label": words("Trường")}
    return Layer.model_validate(
        {
            "id": "gauges",
            "title": words("Trạm đo"),
            "description": words("Trạm đo"),
            "department": words("Sở"),
            "licence": "CC0-1.0",
            "geometry": "point",
            "source": {"connector": "file", "key": "n", "time": {"column": "at"}},
            "fields": {
                "station": field | {"type": "text"},
                "level": field | {"type": "number", "unit": "m"},
                "rain": field | {"type": "number", "unit": "mm"},
            },
            "alerts": {"rules": rules},
        }
    )


@pytest.fixture
def measured(toy_province):
    """Put readings in: (minutes before NOW, station, value of the field)."""
    with toy_province.writing() as connection:
        sync(connection, Catalogue((gauges(LEVEL),)))

    def put(*readings, field="level", simulated=False):
        with toy_province.writing() as connection:
            for minutes, station, value in readings:
                _put(connection, minutes, station, field, value, simulated)
        return toy_province

    return put


def _put(connection, minutes, station, field, value, simulated):
    lon, lat, commune = STATIONS[station]
    cell = int(h3_cells([lon], [lat])[0])
    connection.execute(
        text(
            "INSERT INTO layer.gauges (geom, h3, commune, valid_at, source, source_key,"
            f" provenance, station, {field}) VALUES (ST_Point(:lon, :lat, 4326), :cell, :commune,"
            " :at, 'tests', gen_random_uuid()::text, CAST(:from AS jsonb), :station, :value)"
        ),
        {
            "lon": lon,
            "lat": lat,
            "cell": cell,
            "commune": commune,
            "at": NOW - timedelta(minutes=minutes),
            "from": '{"simulated": true}' if simulated else "{}",
            "station": station,
            "value": value,
        },
    )


def beyond(database, given: dict, now: datetime = NOW):
    layer = gauges(given)
    with database.reading() as connection:
        return find_beyond(connection, layer, layer.alerts.rules[0], now)


def keys(found) -> list[str]:
    return [signal.key for signal in found.signals]


def follow(database, given: dict, now: datetime = NOW) -> list[str]:
    return evaluate_rules(database, Catalogue((gauges(given),)), now)


def live(database) -> list[Alert]:
    with database.reading() as connection:
        return list_alerts(connection, layers=["gauges"], statuses=tuple(LIVE))


def test_a_sensor_is_beyond_since_the_first_reading_that_nothing_interrupts(measured):
    database = measured(
        (90, "Bảo Hà", 4.0), (60, "Bảo Hà", 3.5), (40, "Bảo Hà", 3.6), (0, "Bảo Hà", 3.9),
        (40, "Ngòi Nhù", 9.0), (0, "Ngòi Nhù", 3.5),
    )  # fmt: skip
    (signal,) = beyond(database, LEVEL).signals
    assert (signal.key, signal.observed, len(signal.records)) == ("Bảo Hà", 3.9, 2)
    assert (signal.since, signal.until) == (NOW - timedelta(minutes=40), NOW)
    assert signal.communes == ("00004",)
    assert signal.headline_vi == "Luật sensor: Bảo Hà 3,9 m, trên ngưỡng 3,5 m"
    assert signal.headline_en == "Luật sensor (en): Bảo Hà 3.9 m, above 3.5 m"


def test_a_reading_too_old_says_nothing(measured):
    database = measured((181, "Bảo Hà", 4.0))
    assert keys(beyond(database, LEVEL)) == []
    assert keys(beyond(database, LEVEL | {"stale_minutes": 182})) == ["Bảo Hà"]


def test_a_sensor_may_fall_short_of_a_value(measured):
    database = measured((0, "Bảo Hà", 0.1), (0, "Ngòi Nhù", 0.2))
    low = {"kind": "sensor", "field": "level", "of": "station", "below": 0.2}
    assert keys(beyond(database, rule(**low))) == ["Bảo Hà"]


def test_rain_is_the_greatest_sum_of_the_gauges_of_a_hex(measured):
    rain = [(300, "Bảo Hà", 60.0), (10, "Bảo Hà", 41.0), (10, "Ngòi Nhù", 100.0)]
    database = measured((360, "Bảo Hà", 29_655.12), *rain, field="rain")
    (signal,) = beyond(database, RAIN).signals
    assert (signal.observed, signal.communes) == (101.0, ("00004",))
    assert signal.headline_vi == "Luật rain: Xã Bãi Cát 101 mm mưa trong 6 giờ, ngưỡng 100 mm"
    (signal,) = beyond(database, RAIN | {"hours": 720}).signals
    much = "Luật rain: Xã Bãi Cát 29.756,12 mm mưa trong 720 giờ, ngưỡng 100 mm"
    assert signal.headline_vi == much


def test_two_gauges_of_one_hex_measure_one_rain(measured, monkeypatch):
    monkeypatch.setitem(STATIONS, "Cạnh Bảo Hà", (104.1501, 22.05, "00004"))
    database = measured((10, "Bảo Hà", 60.0), (10, "Cạnh Bảo Hà", 60.0), field="rain")
    assert keys(beyond(database, RAIN)) == []


@pytest.mark.parametrize("per", ["hex", "commune", "province"])
def test_records_are_counted_in_a_place_and_a_time(measured, per):
    at_bao_ha = [(n, "Bảo Hà", 1.0) for n in (0, 60, 1439, 1440)]
    database = measured(*at_bao_ha, (0, "Ngòi Nhù", 1.0), (1, "Ngòi Nhù", 1.0))
    found = beyond(database, COUNT | {"per": per})
    assert [signal.observed for signal in found.signals] == [5.0 if per == "province" else 3.0]


def test_only_records_with_the_wanted_values_are_counted(measured):
    database = measured(*[(n, "Bảo Hà", 1.0) for n in range(3)])
    assert keys(beyond(database, COUNT | {"where": {"station": "Ngòi Nhù"}})) == []
    assert keys(beyond(database, COUNT | {"where": {"station": "Bảo Hà"}})) == ["00004"]


def test_a_sensor_gone_quiet_is_missed_by_name(measured):
    database = measured((119, "Bảo Hà", 1.0), (120, "Ngòi Nhù", 1.0))
    (signal,) = beyond(database, QUIET).signals
    assert (signal.key, signal.observed) == ("Ngòi Nhù", 2.0)
    assert signal.headline_vi.endswith("không có dữ liệu mới trong 2 giờ, cho phép 2 giờ")


def test_a_layer_gone_quiet_is_about_no_place(measured):
    database = measured((200, "Bảo Hà", 1.0), (130, "Ngòi Nhù", 1.0))
    (signal,) = beyond(database, rule("quiet", hours=2)).signals
    assert (signal.cells, signal.communes) == ((), ())
    assert beyond(database, rule("quiet", hours=3)).signals == ()


def test_an_indicator_is_judged_by_its_newest_value(measured):
    database = measured((60, "Bảo Hà", 0.5), (0, "Bảo Hà", 1.0), (0, "Ngòi Nhù", 0.9))
    (signal,) = beyond(database, TARGET).signals
    assert signal.headline_vi == "Luật indicator: Ngòi Nhù 0,9 m, mục tiêu ít nhất 1 m"
    most = rule("indicator", field="level", of="station", at_most=0.95)
    assert keys(beyond(database, most)) == ["Bảo Hà"]


def test_simulated_readings_are_said_to_be(measured):
    assert beyond(measured((0, "Bảo Hà", 9.0), simulated=True), LEVEL).simulated
    assert beyond(measured(), LEVEL).official


def test_approximate_units_raise_no_official_alert(measured):
    database = measured((0, "Bảo Hà", 9.0))
    with database.writing() as connection:
        connection.execute(text("UPDATE gis.boundary_state SET quality = 'approximate'"))
    follow(database, LEVEL | {"minutes": 0})
    assert [alert.official for alert in live(database)] == [False]


def test_an_alert_is_pending_until_it_held_then_open_then_closed_when_clear(measured):
    database = measured((60, "Bảo Hà", 4.0))
    follow(database, LEVEL, NOW - timedelta(minutes=60))
    assert [alert.status for alert in live(database)] == [Status.PENDING]
    measured((30, "Bảo Hà", 4.1))
    follow(database, LEVEL, NOW - timedelta(minutes=30))
    (alert,) = live(database)
    assert alert.status is Status.OPEN
    measured((20, "Bảo Hà", 3.0))
    follow(database, LEVEL, NOW - timedelta(minutes=20))
    assert live(database)
    follow(database, LEVEL, NOW - timedelta(minutes=15))
    assert live(database) == []
    with database.reading() as connection:
        acts = [event.act for event in history(connection, alert.id)]
    assert acts == ["pending", "open", "expired"]


@pytest.mark.parametrize(
    ("given", "field", "readings", "beyond_by"),
    [
        (LEVEL, "level", [4.0], 0.5),
        (rule("sensor", field="level", of="station", below=0.75), "level", [0.5], 0.25),
        (RAIN, "rain", [60.0, 45.0], 5.0),
        (COUNT, "level", [1.0, 1.0, 1.0, 1.0], 2.0),  # two more than the most that raises nothing
        (TARGET, "level", [0.25], 0.75),
        (rule("indicator", field="level", of="station", at_most=1), "level", [3.5], 2.5),
        (QUIET, "level", [], None),  # a silence that lasts is no news
    ],
)
def test_a_signal_says_how_far_beyond_its_threshold_it_is(
    measured, given, field, readings, beyond_by
):
    silent = [(200, "Bảo Hà", 1.0)] if not readings else []
    now = [(n, "Bảo Hà", value) for n, value in enumerate(readings)]
    (signal,) = beyond(measured(*silent, *now, field=field), given).signals
    assert signal.beyond == beyond_by


def close(database, alert: Alert) -> None:
    with database.writing() as connection:
        resolve(connection, alert.id, "tests", Outcome.TRUE)


def minutes(n: int) -> datetime:
    return NOW + timedelta(minutes=n)


def test_high_water_that_a_person_closed_is_notified_again_when_it_rises_on(measured):
    high = LEVEL | {"minutes": 0}
    database = measured((0, "Bảo Hà", 4.0))
    follow(database, high)
    close(database, *live(database))
    measured((-10, "Bảo Hà", 4.4))
    follow(database, high, minutes(10))
    assert live(database) == []
    measured((-20, "Bảo Hà", 4.5))
    follow(database, high, minutes(20))
    assert [alert.status for alert in live(database)] == [Status.OPEN]


def test_many_records_that_a_person_closed_are_notified_again_when_they_become_many_again(measured):
    """The window still holds records of the first time, and its end stays when it ended."""
    few = COUNT | {"hours": 1}
    database = measured((58, "Bảo Hà", 1.0), (57, "Bảo Hà", 1.0), (0, "Bảo Hà", 1.0))
    follow(database, few)
    (first,) = live(database)
    close(database, first)
    for n in (1, 3, 20):  # of three records two leave the hour
        follow(database, few, minutes(n))
    assert live(database) == []
    measured((-21, "Bảo Hà", 1.0), (-22, "Bảo Hà", 1.0))
    follow(database, few, minutes(22))
    assert [alert.status for alert in live(database)] == [Status.OPEN]
    with database.reading() as connection:
        ended = connection.execute(
            text("SELECT at FROM gis.alert_event WHERE alert_id = :id AND act = 'resolved'"),
            {"id": first.id},
        ).scalar_one()
        kept = connection.execute(
            text("SELECT resolved_at FROM gis.alert WHERE id = :id"), {"id": first.id}
        ).scalar_one()
    assert kept == ended


def test_a_sensor_that_falls_silent_in_high_water_keeps_its_alert_for_a_day(measured):
    high = LEVEL | {"minutes": 0}
    database = measured((0, "Bảo Hà", 4.0))
    for hours in (0, 12, 26.9):
        follow(database, high, NOW + timedelta(hours=hours))
        assert [alert.status for alert in live(database)] == [Status.OPEN]
    follow(database, high, NOW + timedelta(hours=28))
    assert live(database) == []


def test_a_rule_is_evaluated_when_rows_change_and_each_minute(measured):
    database = measured()
    assert follow(database, LEVEL) == ["gauges by_sensor"]
    assert follow(database, LEVEL, NOW + timedelta(seconds=59)) == []
    assert follow(database, LEVEL, NOW + timedelta(seconds=60)) == ["gauges by_sensor"]
    measured((0, "Bảo Hà", 1.0))
    assert follow(database, LEVEL, NOW + timedelta(seconds=61)) == ["gauges by_sensor"]


def test_a_rule_that_fails_leaves_the_others_at_work(measured):
    database = measured((0, "Bảo Hà", 4.0))
    broken = LEVEL | {"id": "broken", "field": "rain"}
    with database.writing() as connection, as_owner(connection):
        connection.execute(text("ALTER TABLE layer.gauges DROP COLUMN rain"))
    layer = gauges(broken, LEVEL)
    assert evaluate_rules(database, Catalogue((layer,)), NOW) == ["gauges by_sensor"]
