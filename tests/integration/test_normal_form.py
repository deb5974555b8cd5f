"""A name sent decomposed (NFD) is stored composed (NFC), and finds what is stored."""

import unicodedata
from pathlib import Path

import pytest

from gis.access import Role, create_key
from gis.database.engine import Database
from tests.intake_layers import MZ, load, publish, rows, write_csv
from tests.integration.ogc_app import client_of

NAME = "Thôn Đồi Thông, ngã ba Bến Đò"
ITEMS = "/ogc/collections/mz/items"
COLUMNS = ("id", "lon", "lat", "address", "commune", "when", "val", "n", "note")


def nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)


assert nfd(NAME) != NAME


def feature(note: str) -> dict:
    point = {"type": "Point", "coordinates": [104.05, 22.05]}
    return {"type": "Feature", "geometry": point, "properties": {"note": note}}


def test_every_door_of_the_items_takes_both_forms_as_one(toy_province: Database) -> None:
    publish(toy_province, MZ)
    with toy_province.writing() as connection:
        key = create_key(connection, "desk", Role.OPERATOR)
    with client_of(toy_province, [MZ]) as client:
        client.headers["X-API-Key"] = key
        url = client.post(ITEMS, json=feature(nfd(NAME))).headers["Location"]
        assert rows(toy_province, "note") == [(NAME,)]
        for method, body in (("PUT", feature(nfd(NAME))), ("PATCH", feature(nfd(NAME)))):
            assert client.request(method, url, json=body).status_code == 204
            assert rows(toy_province, "note") == [(NAME,)]
        for form in (NAME, nfd(NAME)):
            asked = [
                {"note": form},
                {"filter": f"note = '{form}'"},
                {"filter": f"note LIKE '{form[:6]}%'"},
                {"filter": f"note IN ('{form}')"},
                {
                    "filter-lang": "cql2-json",
                    "filter": f'{{"op": "=", "args": [{{"property": "note"}}, "{form}"]}}',
                },
            ]
            for parameters in asked:
                answer = client.get(ITEMS, params=parameters)
                assert answer.json()["numberMatched"] == 1, parameters


@pytest.mark.parametrize("first", [NAME, nfd(NAME)])
def test_a_key_is_the_same_in_both_forms(
    toy_province: Database, tmp_path: Path, first: str
) -> None:
    second = nfd(NAME) if first == NAME else NAME
    for key in (first, second):
        record = (key, 104.05, 22.05, "", "", "2026-03-01", 1, 1, "")
        load(toy_province, MZ, write_csv(tmp_path / "mz.csv", COLUMNS, record))
    assert rows(toy_province, "source_key") == [(NAME,)]
