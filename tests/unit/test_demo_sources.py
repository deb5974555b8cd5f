"""The life of the simulated systems of departments, by a clock that the test moves."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from api.demo_sources.arcgis import LAYER
from api.demo_sources.feeds import CLIENT, CLIENT_SECRET
from api.demo_sources.sensorthings import ROOT
from api.demo_sources.server import DemoAnswer, DemoRequest
from api.demo_sources.simulation import eventful_pages

BEGUN = datetime(2026, 3, 2, 3, 7, tzinfo=UTC)


class Life:
    """The eventful pages, asked at moments after their beginning."""

    def __init__(self) -> None:
        self.now = BEGUN
        self.pages = eventful_pages(lambda: self.now)

    def ask(self, path: str, minutes: float = 0, **more) -> DemoAnswer:
        self.now = BEGUN + timedelta(minutes=minutes)
        page = next(page for known, page in self.pages.items() if path.startswith(known))
        values = {"method": "GET", "query": {}, "form": {}, "headers": {}, "body": b"", **more}
        return page(DemoRequest(path=path, base="http://127.0.0.1:1", **values))

    def json(self, path: str, minutes: float = 0, **more):
        answer = self.ask(path, minutes, **more)
        assert answer.status == 200
        return json.loads(answer.body)


@pytest.fixture
def life() -> Life:
    return Life()


def test_the_border_gates_answer_once_and_then_say_that_they_are_out_of_order(life):
    assert life.ask("/border-gates").status == 200
    after = life.ask("/border-gates", 1)
    assert after.status == 503
    assert after.body.startswith(b"<!doctype html>")


def test_the_rain_stations_have_a_column_more_from_the_third_reading_on(life):
    members = [set(life.json("/rain", minutes)[0]) for minutes in (0, 5, 10)]
    assert members[0] == members[1]
    assert members[2] - members[0] == {"battery"}


def test_the_river_levels_are_older_than_they_are_promised_to_be(life):
    detail = life.json("/water/detail", method="POST", form={"stationId": "1"})
    newest = datetime.strptime(detail["labels"].split(",")[-1] + " +0700", "%H:%M %d/%m/%Y %z")
    assert BEGUN - newest >= timedelta(hours=2)


def test_incidents_come_are_corrected_and_go(life):
    def incidents(minutes: float) -> dict[str, str]:
        items = life.json("/traffic", minutes, query={"limit": "100"})["items"]
        return {each["id"]: each["mo_ta"] for each in items}

    first, then = incidents(0), incidents(10)
    assert len(first) == len(then) == 40
    assert len(then.keys() - first) == 2
    assert len(first.keys() - then) == 2
    assert sum(then[each] != first[each] for each in first.keys() & then) == 2


def test_permits_are_issued_and_some_replace_others(life):
    token = life.json(
        "/lgsp/token", method="POST",
        form={"grant_type": "client_credentials", "client_id": CLIENT,
              "client_secret": CLIENT_SECRET},
    )["access_token"]  # fmt: skip

    def permits(minutes: float, since: str = ""):
        return life.json(
            "/lgsp/permits", minutes, headers={"authorization": f"Bearer {token}"},
            query={"size": "1000", "updatedAfter": since},
        )["data"]["content"]  # fmt: skip

    assert len(permits(0)) == 60
    new = permits(120, "2026-03-02T10:07:00")
    assert len(new) == 12
    assert [each["soGiayPhep"] for each in permits(120)][60:] == [e["soGiayPhep"] for e in new]
    assert sum(each["thayThe"] is not None for each in new) in (1, 2)


def test_facilities_close_for_a_while_and_change(life):
    def facilities(minutes: float):
        found = life.json(f"{LAYER}/query", minutes, query={"orderByFields": "OBJECTID"})
        ids = life.json(f"{LAYER}/query", minutes, query={"returnIdsOnly": "true"})["objectIds"]
        beds = {
            e["attributes"]["OBJECTID"]: e["attributes"]["SO_GIUONG"] for e in found["features"]
        }
        return set(ids), beds

    (before, _), (after, _) = facilities(0), facilities(10)
    assert len(before) == len(after) == 119
    assert len(before - after) == 1


def test_measurements_go_on_by_the_hour_under_the_same_numbers(life):
    def numbers(minutes: float) -> list[int]:
        page = life.json(f"{ROOT}/Observations", minutes, query={"$top": "1000"})
        return [each["@iot.id"] for each in page["value"]]

    assert numbers(60) == [*numbers(0)[3:], *range(numbers(0)[-1] + 1, numbers(0)[-1] + 4)]
    newest = life.json(f"{ROOT}/Observations", query={"$top": "1000"})["value"][-1]
    assert BEGUN - timedelta(hours=1) < datetime.fromisoformat(newest["resultTime"]) <= BEGUN


LOADED = """
import sys
import api.demo_sources.__main__
heavy = {"numpy", "orjson", "psycopg", "pydantic", "sqlalchemy", "structlog"}
print(sorted(heavy & set(sys.modules)))
"""


def test_their_process_is_light():
    words = [sys.executable, "-c", LOADED]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "[]\n"
