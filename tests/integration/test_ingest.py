"""Records that programs send: one body is one load, loaded once, asked about as a file is."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import orjson
import pytest

from gis.database.engine import Database
from tests.databases import Server
from tests.intake_layers import rows
from tests.integration.sensors import sensor_client, sensor_database

HEADER = "id,lon,lat,when,val,n,note\n"
CSV = {"Content-Type": "text/csv"}
PATH = "/ingest/mz"


@pytest.fixture(scope="module")
def database(postgres: Server, toy_template: str) -> Iterator[Database]:
    with sensor_database(postgres, toy_template) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(database: Database) -> Iterator[httpx.Client]:
    with sensor_client(database) as opened:
        yield opened


@pytest.fixture(autouse=True)
def empty(database: Database) -> None:
    with database.writing() as connection:
        for table in ("layer.mz", "gis.quarantine", "gis.load", "gis.pushed"):
            connection.exec_driver_sql(f"DELETE FROM {table}")


def line(key: str, lon: str = "104.15", note: str = "") -> str:
    return f"{key},{lon},22.05,2026-03-01,1.5,1,{note}\n"


def test_a_body_is_loaded_and_its_failed_records_are_listed_by_line(client, database):
    body = HEADER + line("a") + line("b", lon="x") + line("c")
    answer = client.post(PATH, content=body.encode(), headers=CSV)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["read"], told["added"], told["quarantined"], told["source"]) == (
        3,
        2,
        1,
        "sensors",
    )
    (failed,) = told["failed"]
    assert (failed["line"], failed["key"], failed["reason"]) == (3, "b", "bad_number")
    assert rows(database, "source, source_key") == [("sensors", "a"), ("sensors", "c")]


FEATURE = {
    "type": "Feature",
    "geometry": {"type": "Point", "coordinates": [104.15, 22.05]},
    "properties": {"id": "a", "when": "2026-03-01", "note": "Ổ gà"},
}
FLAT = {"id": "a", "lon": 104.15, "lat": 22.05, "when": "2026-03-01", "note": "Ổ gà"}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/csv", (HEADER + line("a", note="Ổ gà")).encode()),
        (
            "text/tab-separated-values",
            (HEADER + line("a", note="Ổ gà")).replace(",", "\t").encode(),
        ),
        (
            "application/geo+json",
            orjson.dumps({"type": "FeatureCollection", "features": [FEATURE]}),
        ),
        ("application/x-ndjson", orjson.dumps(FEATURE) + b"\n"),
        ("application/x-ndjson", b"\n" + orjson.dumps(FLAT) + b"\n\n"),
    ],
)
def test_each_format_gives_the_same_row(client, database, kind, body):
    answer = client.post(PATH, content=body, headers={"Content-Type": kind})
    assert answer.json()["added"] == 1, answer.text
    found = rows(database, "source_key, ST_AsText(geom), note, commune")
    assert found == [("a", "POINT(104.15 22.05)", "Ổ gà", "00004")]


def test_a_form_brings_one_file_by_its_name(client, database):
    body = (HEADER + line("a", note='"hai\ndòng"')).encode().replace(b"\n", b"\r\n")
    file = {"file": ("../đo mưa.csv", body, "text/csv")}
    assert client.post(PATH, files=file).json()["added"] == 1
    with database.reading() as connection:
        name = connection.exec_driver_sql("SELECT file FROM gis.load").scalar_one()
    assert name == "đo mưa.csv"
    assert rows(database, "note") == [("hai\r\ndòng",)]


def test_a_key_that_comes_again_loads_nothing_and_answers_the_same(client, database):
    body, keyed = (HEADER + line("a")).encode(), {**CSV, "Idempotency-Key": "k1"}
    first = client.post(PATH, content=body, headers=keyed)
    with database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM layer.mz")
    assert client.post(PATH, content=body, headers=keyed).json() == first.json()
    assert rows(database, "id") == []
    other = client.post(PATH, content=body + line("b").encode(), headers=keyed)
    assert other.status_code == 409
    refused = client.post(PATH, content=b"id,lon\n", headers={**CSV, "Idempotency-Key": "k2"})
    assert refused.status_code == 400
    again = client.post(PATH, content=body, headers={**CSV, "Idempotency-Key": "k2"})
    assert again.json()["added"] == 1


@pytest.mark.parametrize(
    ("cells", "advice"),
    [
        ("104.15,22.05,05/03/2026,1.5", "date_format='%d/%m/%Y'"),
        ("104.15,22.05,2026-03-01,1.234", "number_format=decimal_point"),
        ("22.05,104.15,2026-03-01,1.5", "assume_crs=EPSG:4326:yx"),
    ],
)
def test_the_advice_of_a_question_is_a_parameter_that_answers_it(client, database, cells, advice):
    body = "id,lon,lat,when,val\n" + "".join(f"k{n},{cells}\n" for n in range(9))
    asked = client.post(PATH, content=body.encode(), headers=CSV)
    assert (asked.status_code, advice in asked.json()["detail"]) == (400, True), asked.text
    assert "--" not in asked.json()["detail"]
    name, _, value = advice.partition("=")
    answered = client.post(
        PATH, content=body.encode(), headers=CSV, params={name: value.strip("'")}
    )
    assert answered.json()["added"] == 9, answered.text


FAR = [
    ("1900-01-01", False), ("1925-06-01", False), ("1949-12-31", False), ("1950-01-01", True),
    ("2099-06-01", False), ("in 400 days", False), ("in 300 days", True),
]  # fmt: skip


@pytest.mark.parametrize(("day", "is_taken"), FAR)
def test_a_day_on_which_nothing_can_have_happened_is_refused_at_each_door(
    client, database, day, is_taken
):
    """Default days of programs, and slips of the year; a file waits in quarantine."""
    if day.startswith("in "):
        day = f"{datetime.now(UTC) + timedelta(days=int(day.split()[1])):%Y-%m-%d}"
    pushed = client.post(PATH, content=(HEADER + line("a").replace("2026-03-01", day)).encode(),
                         headers=CSV).json()  # fmt: skip
    assert [each["reason"] for each in pushed["failed"]] == ([] if is_taken else ["bad_date"])
    items = "/ogc/collections/mz/items"
    properties = {"valid_at": f"{day}T08:00:00+07:00", "note": "x"}
    sent = {"type": "Feature", "geometry": FEATURE["geometry"], "properties": properties}
    made = client.post(items, json=sent)
    assert made.status_code == (201 if is_taken else 400), made.text
    if not is_taken:
        assert made.json()["faults"][0]["where"] == "properties.valid_at"
        assert "earliest" in made.json()["detail"]
    fine = client.post(items, json=sent | {"properties": {"valid_at": "2026-03-01T01:00:00Z"}})
    there = fine.headers["Location"]
    changed = client.patch(
        there, json={"type": "Feature", "properties": {"valid_at": properties["valid_at"]}}
    )
    assert changed.status_code == (204 if is_taken else 400)
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE layer.mz SET valid_at = '1901-01-01T00:00:00Z'")
    old = {"valid_at": "1901-01-01T00:00:00Z", "note": "y"}
    kept = client.patch(there, json={"type": "Feature", "properties": old})
    assert kept.status_code == 204, "what stands there may stay"


TITLED = "Danh sách\nid,lon,lat,when,7\na,104.15,22.05,2026-03-01,1\nb,104.15,22.05,2026-03-02,2\n"


def test_where_a_table_is_in_its_file_is_asked_and_answered_here_too(client, database):
    asked = client.post(PATH, content=TITLED.encode(), headers=CSV)
    assert (asked.status_code, "header_row=2" in asked.json()["detail"]) == (400, True), asked.text
    where = {"header_row": 2, "footer_rows": 1}
    answered = client.post(PATH, content=TITLED.encode(), headers=CSV, params=where)
    assert answered.json()["read"] == 1, answered.text
    assert "footer_rows" in "".join(answered.json()["notes"])
    assert rows(database, "source_key") == [("a",)]
    wrong = client.post(PATH, content=TITLED.encode(), headers=CSV, params={"header_row": "x"})
    assert (wrong.status_code, wrong.json()["detail"][:10]) == (400, "header_row")


def test_what_would_be_overwritten_is_asked_about_and_a_dry_run_stores_nothing(client, database):
    bodies = [
        (HEADER + "".join(line(f"k{n}", note=note) for n in range(30))).encode() for note in "ab"
    ]
    tried = client.post(PATH, content=bodies[0], headers=CSV, params={"dry_run": True})
    assert (tried.json()["added"], rows(database, "id")) == (30, [])
    client.post(PATH, content=bodies[0], headers=CSV)
    asked = client.post(PATH, content=bodies[1], headers=CSV)
    assert (asked.status_code, "yes=true" in asked.json()["detail"]) == (400, True)
    done = client.post(PATH, content=bodies[1], headers=CSV, params={"yes": "true"})
    assert done.json()["updated"] == 30


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "application/vnd.api+json"}, 400),
        ({**CSV, "X-API-Key": ""}, 401),
        ({**CSV, "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
def test_what_no_program_sends_is_refused(client, database, headers, status):
    answer = client.post(PATH, content=(HEADER + line("a")).encode(), headers=headers)
    assert answer.status_code == status, answer.text
    assert rows(database, "id") == []


def test_a_refused_type_is_answered_with_those_that_are_taken(client):
    refused = client.post(PATH, content=b"x", headers={"Content-Type": "text/plain"})
    named = re.findall(r"(?:text|application)/[a-z+-]+", refused.json()["detail"])
    taken = set(named) - {"text/plain"}
    assert {"text/csv", "application/x-ndjson", "application/geo+json"} <= taken
    for kind in taken:
        assert client.post(PATH, content=b"x", headers={"Content-Type": kind}).status_code == 400


def test_a_form_without_a_key_in_its_header_is_refused(client, database):
    """A page of any origin can send a form, with the password that the browser remembers."""
    file = {"file": ("a.csv", (HEADER + line("a")).encode(), "text/csv")}
    key = client.headers["X-API-Key"]
    request = client.build_request("POST", PATH, files=file)
    del request.headers["X-API-Key"]
    answer = client.send(request, auth=(key, ""))
    assert answer.status_code == 415
    assert rows(database, "id") == []


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"a,b\n\0", b'{"type":', b"[1]\n", b"\n"])
@pytest.mark.parametrize("kind", ["text/csv", "application/geo+json", "application/x-ndjson"])
def test_what_is_no_file_is_refused_in_words(client, content, kind):
    answer = client.post(PATH, content=content, headers={"Content-Type": kind})
    assert answer.status_code in (400, 415), answer.text
