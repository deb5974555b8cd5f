"""Where the records of an unknown answer stand is found by looking at it once."""

import json

import pytest
import yaml

from api.demo_sources.server import DemoAnswer, json_answer
from gis.errors import SourceUnavailable
from layers.sources.draft import draft_source
from tests.integration.connectors.faulty import FaultyServer, faulty, surroundings

RECORDS = [{"ma": f"M{n}", "muc": n + 0.5, "lon": 104.1, "lat": 22.05} for n in range(3)]
NAMES = [{"ma": each["ma"], "ten": "Mốc"} for each in RECORDS[:2]]


@pytest.fixture
def server():
    with faulty({}) as running:
        yield running


def drafted(server: FaultyServer, document: object) -> dict:
    server.pages["/list"] = lambda request: json_answer(document)
    return yaml.safe_load(draft_source(f"{server.base}/list", surroundings()).text)


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (RECORDS, None),
        (RECORDS[:1], None),
        ([RECORDS[0] | {"do": NAMES}], None),
        ({"data": RECORDS}, "data"),
        ({"code": 200, "data": {"content": RECORDS, "totalElements": 3}}, "data.content"),
        ({"d": {"ketQua": {"danhSach": {"tram": RECORDS}}}}, "d.ketQua.danhSach.tram"),
        ({"data": {"items": RECORDS}}, "data.items"),
        ({"TraLoi": {"tram": RECORDS}}, "*.tram"),
        ({"ok": True, "tram": RECORDS[:1]}, "tram"),
        ({"loai": NAMES, "tram": RECORDS}, "tram"),
        ({"data": {each["ma"]: each for each in RECORDS}, "n": 3}, "data"),
        ({"meta": {"a": 1, "b": 2}, "ds": RECORDS}, "ds"),
    ],
    ids=lambda given: json.dumps(given)[:30],
)
def test_the_longest_list_of_records_is_taken_wherever_it_stands(server, document, path):
    layer = drafted(server, document)
    assert layer["source"]["read"].get("records") == path
    assert layer["source"]["key"] == "ma"
    assert len(server.asked) <= 8


@pytest.mark.parametrize("document", [{}, [], {"data": []}, [1, 2], {"a": [1, 2, 3]}, "x"])
def test_an_answer_without_records_says_how_to_name_their_place(server, document):
    with pytest.raises(SourceUnavailable, match="records=PATH"):
        drafted(server, document)


def test_what_is_no_json_is_no_record(server):
    server.pages["/list"] = lambda request: DemoAnswer(b"<html></html>")
    with pytest.raises(SourceUnavailable):
        draft_source(f"{server.base}/list", surroundings())
