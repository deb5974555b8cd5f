"""Measurements over HTTP: pages, hours and days, whole ones and those with gaps."""

import csv
import io
from datetime import UTC, datetime

import pytest
from covjson_pydantic.coverage import CoverageCollection
from sqlalchemy import text

from api.app import create_app
from gis.access import Role, create_key
from gis.settings import Settings
from layers.definition.catalogue import Catalogue
from tests.integration.ogc_app import app_client
from tests.series_layers import gauges, load_measurements, measured, version

RAIN = {"every": "1h", "aggregate": "sum", "plausible": {"at_least": 0, "at_most": 300}}
LAYER = gauges(RAIN, series={"day_starts": "19:00"}, id="mz")
PATH = "/ogc/collections/mz/measurements"


def hours(day: str, first: int, last: int, value: float = 1.0) -> list[tuple]:
    """Rain of station A, stamped at these hours of a day of March."""
    return [measured("A", f"2026-03-{day} {hour:02}:00", value) for hour in range(first, last + 1)]


@pytest.fixture(scope="module")
def http(postgres, toy_template, tmp_path_factory):
    """Station A: whole days 2 and 3 March; on 4 March an hour is missing. B: two values."""
    folder = tmp_path_factory.mktemp("series")
    with postgres.opened(toy_template) as database:
        records = [
            measured("A", "2026-03-01 19:00", 50.0),  # the last of 1 March
            *hours("01", 20, 23), *hours("02", 0, 18),
            measured("A", "2026-03-02 19:00", 7.0),  # the last of 2 March
            measured("A", "2026-03-02 19:30", 0.5),  # of 3 March
            *hours("02", 20, 23, 2.0), *hours("03", 0, 19, 2.0),
            *hours("03", 20, 23, 3.0), *hours("04", 0, 17, 3.0),
            measured("A", "2026-03-04 18:00", 999.0),  # implausible: missing
            measured("A", "2026-03-04 19:00", 3.0),
            measured("B", "2026-03-02 08:00", 4.0), measured("B", "2026-03-02 09:00", 5.0),
        ]  # fmt: skip
        load_measurements(database, LAYER, folder, *records)
        app = create_app(Settings(_env_file=None), database, Catalogue((LAYER,)))
        with app_client(app) as client:
            client.database = database
            yield client


def values(http, **given):
    answer = http.get(PATH, params=given)
    assert answer.status_code == 200, answer.text
    return answer.json()["measurements"]


def test_the_rain_of_a_day_is_that_from_19_to_19_with_the_boundary_minute(http):
    (day,) = values(http, station="A", datetime="2026-03-02", interval="day")
    assert (day["start"], day["end"]) == ("2026-03-01T12:00:00Z", "2026-03-02T12:00:00Z")
    assert (day["day"], day["aggregate"]) == ("2026-03-02", "sum")
    assert day["value"] == 23 * 1.0 + 7.0  # neither the 50 mm of 19:00 before nor those after
    assert (day["count"], day["expected"], day["completeness"]) == (24, 24, 1.0)


def test_a_day_that_lacks_an_hour_has_no_value_but_what_was_measured(http):
    (day,) = values(http, station="A", datetime="2026-03-04", interval="day")
    assert (day["value"], day["measured"]) == (None, 23 * 3.0)
    assert (day["count"], day["expected"], day["completeness"]) == (23, 24, 0.9583)


def test_a_measurement_too_many_in_an_hour_makes_no_other_hour_whole(http):
    (day,) = values(http, station="A", datetime="2026-03-03", interval="day")
    assert (day["value"], day["count"]) == (24 * 2.0 + 0.5, 25)
    (day,) = values(http, station="B", datetime="2026-03-02", interval="day")
    assert (day["value"], day["measured"], day["completeness"]) == (None, 9.0, 0.0833)


def test_a_day_without_a_measurement_is_there_and_says_so(http):
    found = values(http, station="A", datetime="2026-03-01/2026-03-05", interval="day")
    assert [(each["day"], each["completeness"]) for each in found] == [
        ("2026-03-01", 0.0417), ("2026-03-02", 1.0), ("2026-03-03", 1.0), ("2026-03-04", 0.9583),
        ("2026-03-05", 0.0),
    ]  # fmt: skip
    assert (found[-1]["value"], found[-1]["measured"], found[-1]["count"]) == (None, None, 0)


def test_hours_hold_what_is_stamped_with_their_end(http):
    given = {"station": "A", "interval": "hour"}
    hour = "2026-03-02T19:00:00+07:00/2026-03-02T20:00:00+07:00"
    (found,) = values(http, **given, datetime=hour)
    assert (found["start"], found["value"]) == ("2026-03-02T12:00:00Z", 2.5)
    assert len(values(http, **given, datetime="2026-03-02")) == 24
    assert values(http, **given, datetime="2026-03-02T08:10/2026-03-02T08:50") == []


@pytest.mark.parametrize(("aggregate", "value"), [("max", 7.0), ("min", 1.0), ("mean", 1.25)])
def test_other_values_of_a_day_are_asked_for(http, aggregate, value):
    day = values(http, station="A", datetime="2026-03-02", interval="day", aggregate=aggregate)
    assert [each["value"] for each in day] == [value]


def test_measurements_come_by_station_and_time_page_by_page(http):
    whole = values(http)
    assert len(whole) == 76
    page, pages = http.get(PATH, params={"limit": 20}), []
    while True:
        document = page.json()
        pages += document["measurements"]
        (link,) = document["links"] or [None]
        if link is None:
            break
        assert page.headers["link"] == f'<{link["href"]}>; rel="next"'
        page = http.get(link["href"])
    assert pages == whole
    assert whole[0] == {
        "station": "A", "item": whole[0]["item"], "quantity": "level",
        "time": "2026-03-01T12:00:00Z", "value": 50.0, "quality": "good",
    }  # fmt: skip
    assert [each["value"] for each in values(http, item=str(whole[-1]["item"]))] == [4.0, 5.0]


def test_a_time_and_a_station_restrict_them(http):
    found = values(http, station="A", datetime="2026-03-04T18:00:00+07:00/..")
    assert [(each["value"], each["quality"]) for each in found] == [
        (999.0, "implausible"), (3.0, "good")
    ]  # fmt: skip


def test_the_answer_says_units_and_the_hour_at_which_days_begin(http):
    document = http.get(PATH, params={"limit": 1}).json()
    assert document["dayStarts"] == "19:00"
    assert document["quantities"]["level"]["unit"] == "m"
    assert document["simulated"] is False


def test_csv_has_the_same_rows(http):
    given = {"station": "A", "datetime": "2026-03-02/2026-03-04", "interval": "day"}
    answer = http.get(PATH, params={**given, "f": "csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    table = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [(row["day"], row["value"]) for row in table] == [
        ("2026-03-02", "30.0"), ("2026-03-03", "48.5"), ("2026-03-04", "")
    ]  # fmt: skip


@pytest.mark.parametrize("more", [{}, {"interval": "day", "datetime": "2026-03-02/2026-03-04"}])
def test_coverage_json_is_valid_and_has_the_same_values(http, more):
    answer = http.get(PATH, params={"station": "A", "f": "covjson", **more})
    assert answer.headers["content-type"] == "application/prs.coverage+json"
    CoverageCollection.model_validate_json(answer.content)
    (coverage,) = answer.json()["coverages"]
    there = values(http, station="A", **more)
    assert coverage["ranges"]["level"]["values"] == [each["value"] for each in there]


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        ({"station": "Z"}, 404, "no station Z"),
        ({"item": "999999"}, 404, "no station 999999"),
        ({"item": "x"}, 400, "ids of items"),
        ({"station": "A", "item": "1"}, 400, "station or item"),
        ({"quantity": "rain"}, 400, "there are level"),
        ({"interval": "week"}, 400, "hour, day"),
        ({"interval": "day"}, 400, "need datetime"),
        ({"interval": "day", "datetime": "2026-03-01/.."}, 400, "is open"),
        ({"interval": "hour", "datetime": "1990-01-01/2026-03-01"}, 400, "too long"),
        ({"interval": "hour", "datetime": "2025-05-01/2026-03-01"}, 400, "at most 10,000"),
        ({"interval": "day", "datetime": "9999-12-30"}, 400, "too late"),
        ({"interval": "hour", "datetime": "9999-12-31T23:59:59.999999Z"}, 400, "too late"),
        ({"interval": "day", "datetime": "2026-03-01", "limit": "1"}, 400, "leave out limit"),
        ({"aggregate": "sum"}, 400, "needs interval"),
        ({"cursor": "abc"}, 400, "link `next`"),
        ({"limit": "0"}, 400, "limit"),
        ({"f": "html"}, 400, "json, csv, covjson"),
        ({"stations": "A"}, 400, "there are"),
        ({"datetime": "yesterday"}, 400, "datetime"),
    ],
)
def test_what_is_asked_wrongly_is_told(http, given, status, words):
    answer = http.get(PATH, params=given)
    assert answer.status_code == status
    assert words in answer.text


def test_an_unchanged_layer_is_not_sent_again_and_a_measurement_changes_it(http, tmp_path):
    first = http.get(PATH)
    tag = {"If-None-Match": first.headers["etag"]}
    assert http.get(PATH, headers=tag).status_code == 304
    before = version(http.database)
    late = measured("B", "2026-03-01 08:00", 1.0)
    load_measurements(http.database, LAYER, tmp_path, late)
    assert version(http.database) > before
    assert http.get(PATH, headers=tag).status_code == 200


def test_decimals_are_summed_as_they_are_written(http, tmp_path):
    tenths = [measured("A", f"2026-02-10 {hour:02}:00", 0.1) for hour in range(24)]
    load_measurements(http.database, LAYER, tmp_path, *tenths)
    day = {"station": "A", "datetime": "2026-02-10", "interval": "day"}
    assert [each["measured"] for each in values(http, **day)] == [2.0]  # of 20 hours
    assert [each["measured"] for each in values(http, **day, aggregate="mean")] == [0.1]


def test_measurements_are_read_with_the_rights_of_items(series_province, tmp_path):
    closed = gauges(RAIN, access={"read": "department"})
    load_measurements(series_province, closed, tmp_path, measured("A", "2026-03-02 08:00", 1.0))
    with series_province.writing() as connection:
        key = create_key(connection, "Trạm", Role.DEPARTMENT, ["mz"])
    app = create_app(Settings(_env_file=None), series_province, Catalogue((closed,)))
    with app_client(app) as client:
        assert client.get(PATH).status_code == 404
        assert client.get(PATH, headers={"X-API-Key": key}).status_code == 200


def test_of_a_layer_given_out_by_area_stations_are_named(series_province, tmp_path):
    guarded = gauges(RAIN, largest_export_km2=10)
    load_measurements(series_province, guarded, tmp_path, measured("A", "2026-03-02 08:00", 1.0))
    app = create_app(Settings(_env_file=None), series_province, Catalogue((guarded,)))
    with app_client(app) as client:
        refused = client.get(PATH)
        assert (refused.status_code, "add station=" in refused.text) == (403, True)
        assert client.get(PATH, params={"station": "A"}).status_code == 200


def test_months_that_are_not_asked_for_are_not_read(http, tmp_path):
    months = [measured("A", f"2025-{month:02}-10 08:00", 1) for month in range(1, 13)]
    load_measurements(http.database, LAYER, tmp_path, *months)
    with http.database.reading() as connection:
        plan = connection.execute(
            text("EXPLAIN SELECT value FROM layer.mz_measurements WHERE station = ANY(:stations)"
                 " AND quantity = 'level' AND measured_at >= :start AND measured_at < :end"),
            {"stations": [1, 2], "start": datetime(2025, 5, 1, tzinfo=UTC),
             "end": datetime(2025, 5, 31, tzinfo=UTC)},
        ).scalars()  # fmt: skip
        read = {word for line in plan for word in line.split() if "measurements_20" in word}
    assert {name[:23] for name in read} == {"mz_measurements_2025_05"}
