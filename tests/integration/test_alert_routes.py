"""Alerts over HTTP: who sees what, the evidence, silences, and how often they were true."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.app import create_app
from gis.access import Role, create_key
from gis.alerts.actions import comment, history
from gis.alerts.timers import advance_alerts
from gis.alerts.updates import apply_findings
from gis.errors import BadInput
from gis.settings import Settings
from layers.definition.catalogue import Catalogue
from layers.definition.model import Audience, Layer
from layers.ingest.load import LoadOptions, load_file
from layers.storage.sync import sync
from tests.integration.notify.made import open_to_all
from tests.integration.ogc_app import app_client
from tests.unit.alerts.made import DAY, POLICY, found, signal

HEADER = "report_id,happened_at,category,description,lon,lat,reporter_name,reporter_phone\n"
LINE = "a,2026-03-01T08:00:00+07:00,traffic,ổ gà,104.15,22.05,Nguyễn Văn A,0912345678\n"


@pytest.fixture
def http(toy_province, catalogue) -> Iterator[httpx.Client]:
    open_to_all(toy_province)
    app = create_app(Settings(_env_file=None), toy_province, catalogue)
    with app_client(app) as client:
        yield client


@pytest.fixture
def operator(toy_province) -> dict[str, str]:
    with toy_province.writing() as connection:
        return {"X-API-Key": create_key(connection, "officer", Role.OPERATOR)}


@pytest.fixture(scope="module")
def desk(standing_province, catalogue) -> Iterator[tuple[httpx.Client, int]]:
    """An officer's client, and the number of an alert, for requests that change nothing."""
    open_to_all(standing_province)
    with standing_province.writing() as connection:
        key = create_key(connection, "officer", Role.OPERATOR)
    with app_client(create_app(Settings(_env_file=None), standing_province, catalogue)) as client:
        client.headers["X-API-Key"] = key
        yield client, raised(standing_province)


def raised(database, **changes) -> int:
    """The number of an alert of this moment."""
    now = datetime.now(UTC)
    n = (now - DAY) / timedelta(days=1)
    with database.writing() as connection:
        done = apply_findings(connection, found(n, signal(n, **changes)), now)
        advance_alerts(connection, {"citizen_reports": POLICY}, now)
    return (*done.opened, 0)[0]


def test_an_alert_has_its_numbers_and_its_evidence(http, toy_province):
    number = raised(toy_province)
    told = http.get(f"/alerts/{number}").json()
    assert (told["observed"], told["expected"], told["p"]) == (12, 1, 0.001)
    assert told["recurrence_days"] == 1000
    assert told["records"] == list(range(1, 13))
    assert told["outcome"] is None


def test_the_evidence_has_nothing_personal(http, toy_province, catalogue, operator, tmp_path: Path):
    path = tmp_path / "reports.csv"
    path.write_text(HEADER + LINE, encoding="utf-8")
    layer = catalogue.get("citizen_reports")
    load_file(toy_province, layer, path, LoadOptions(who="tests", source="tests"))
    number = raised(toy_province)
    for headers in ({}, operator):
        answer = http.get(f"/alerts/{number}/records", headers=headers)
        (feature,) = answer.json()["features"]
        assert feature["properties"]["category"] == "traffic"
        assert "Nguyễn" not in answer.text
        assert "0912" not in answer.text


def test_a_comment_is_an_operators_and_read_by_operators(http, toy_province, operator):
    path = f"/alerts/{raised(toy_province)}"
    assert http.post(f"{path}/comment", json={"note": "x"}).status_code == 401
    assert http.post(f"{path}/comment", json={"note": ""}, headers=operator).status_code == 400
    assert http.post(f"{path}/comment", json={"note": "x"}, headers=operator).status_code == 200
    seen = http.get(path, headers=operator).json()["history"][-1]
    assert (seen["act"], seen["note"], seen["who"]) == ("comment", "x", "officer")
    assert http.get(path).json()["history"][-1].keys() == {"at", "act"}


def test_alerts_are_listed_by_layer_and_tier(http, toy_province, operator):
    number = raised(toy_province)

    def listed(**asked: str) -> list[int]:
        return [each["id"] for each in http.get("/alerts", params=asked).json()["alerts"]]

    assert listed(layer="citizen_reports", severity="alert") == [number]
    assert listed(layer="landslides") == listed(severity="urgent") == []
    unknown = http.get("/alerts", params={"layer": "citizen_report"})
    assert unknown.status_code == 404
    assert "did you mean `citizen_reports`?" in unknown.json()["detail"]
    hidden = http.get("/alerts", params={"layer": "field_incidents"})
    assert hidden.status_code == 404
    assert http.get("/alerts?layer=field_incidents", headers=operator).status_code == 200
    assert http.get("/alerts", params={"severity": "high"}).status_code == 400


@pytest.mark.parametrize(
    ("act", "body"),
    [
        ("acknowledge", {}),
        ("comment", {"note": "x"}),
        ("resolve", {"outcome": "true"}),
        ("approve", {}),
    ],
)
def test_nobody_acts_on_what_they_may_not_read(toy_province, catalogue, operator, act, body):
    closed = Catalogue(tuple(map(_private, catalogue.layers)))
    with toy_province.writing() as connection:
        sync(connection, closed)
    app = create_app(Settings(_env_file=None), toy_province, closed)
    number = raised(toy_province)
    path = f"/alerts/{number}/{act}"
    with app_client(app) as http:
        assert http.post(path, json=body, headers=operator).status_code == 404
        assert http.post(path, json=body).status_code == 401
        assert silence(http, operator, layer_id="citizen_reports").status_code == 404
    with toy_province.reading() as connection:
        assert [event.act for event in history(connection, number)] == ["open"]


def _private(layer: Layer) -> Layer:
    read = Audience.PRIVATE if layer.id == "citizen_reports" else layer.access.read
    return layer.model_copy(update={"access": layer.access.model_copy(update={"read": read})})


def silence(http, operator, **of) -> httpx.Response:
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    body = {"until": until, "why": "an exercise", "communes": ["00004"]} | of
    return http.post("/alerts/silences", json=body, headers=operator)


def test_a_silenced_alert_is_seen_with_a_key_alone(http, toy_province, operator):
    begun = silence(http, operator)
    assert begun.status_code == 201
    assert silence(http, operator).json()["id"] == begun.json()["id"]
    raised(toy_province)
    assert http.get("/alerts").json() == {"alerts": []}
    (alert,) = http.get("/alerts", headers=operator).json()["alerts"]
    assert alert["status"] == "suppressed"
    assert alert["suppressed_why"] == {
        "kind": "silence",
        "silence_id": begun.json()["id"],
        "who": "officer",
        "why": "an exercise",
    }
    assert http.get(f"/alerts/{alert['id']}").status_code == 404
    (listed,) = http.get("/alerts/silences", headers=operator).json()["silences"]
    assert (listed["who"], listed["why"]) == ("officer", "an exercise")
    ended = f"/alerts/silences/{begun.json()['id']}"
    assert http.delete(ended, headers=operator).status_code == 204
    assert http.delete(ended, headers=operator).status_code == 404


@pytest.mark.parametrize(
    ("of", "status"),
    [
        ({"why": " "}, 400),
        ({"communes": []}, 400),
        ({"until": "2026-01-01T00:00:00"}, 400),
        ({"until": "9999-12-28T00:00:00Z"}, 400),
        ({"layer_id": "nothing"}, 404),
        ({"communes": ["99999"]}, 404),
        ({"rule": "scann"}, 404),
    ],
)
def test_a_silence_that_says_too_little_is_refused(desk, of, status):
    http, _ = desk
    assert silence(http, {}, **of).status_code == status
    assert http.get("/alerts/silences").json() == {"silences": []}
    assert httpx.get(f"{http.base_url}/alerts/silences", verify=False).status_code == 401


NUL = "Nguyễn\0Văn A"
TEXTS = {
    "/alerts/{}/acknowledge": {"note": NUL},
    "/alerts/{}/comment": {"note": NUL},
    "/alerts/{}/resolve": {"note": NUL, "outcome": "false"},
    "/alerts/{}/approve": {"note": NUL},
    "/alerts/silences": {"why": NUL, "rule": "scan", "until": "2030-01-01T00:00:00Z"},
    "/subscriptions": {"name": NUL, "channel": "mail", "target": "a@example.vn"},
    "/quarantine/1": {"changes": {"name": NUL}},
}


@pytest.mark.parametrize("path", TEXTS)
@pytest.mark.parametrize("wrong", ["\0", "\ud800"])
def test_a_text_that_cannot_be_kept_is_refused(desk, path, wrong):
    http, number = desk
    before = http.get(f"/alerts/{number}").json()
    method = "PATCH" if path.startswith("/quarantine") else "POST"
    body = json.dumps(TEXTS[path]).replace(r"\u0000", json.dumps(wrong)[1:-1])
    headers = {"Content-Type": "application/json"}
    answer = http.request(method, path.format(number), content=body, headers=headers)
    assert answer.status_code == 400, answer.text
    assert answer.json()["faults"][0]["where"][0] == "body"
    assert http.get(f"/alerts/{number}").json() == before


@pytest.mark.parametrize("path", ["/alerts", "/alerts/{}", "/cap/atom.xml", "/cap/rss.xml"])
def test_whoever_asks_for_the_head_alone_gets_it(desk, path):
    http, number = desk
    path = path.format(number)
    head, whole = http.head(path), http.get(path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "content-length", "etag"):
        assert head.headers.get(name) == whole.headers.get(name)


@pytest.mark.parametrize(("letters", "status"), [(2000, 200), (2001, 400)])
def test_a_note_is_as_long_over_http_as_at_the_command_line(
    http, toy_province, operator, letters, status
):
    number = raised(toy_province)
    body = {"note": "x" * letters}
    answer = http.post(f"/alerts/{number}/comment", json=body, headers=operator)
    assert answer.status_code == status
    with toy_province.writing() as connection:
        if status == 200:
            comment(connection, number, "officer", body["note"])
            return
        with pytest.raises(BadInput, match="at most 2000 characters"):
            comment(connection, number, "officer", body["note"])


@pytest.mark.parametrize(
    "path",
    ["/alerts?layer=%00", "/quarantine?source=a%00b", "/places?address=a%00b", "/cap/a%00b.xml",
     "/ogc/collections/citizen_reports/items?category=a%00b",
     "/ogc/collections/citizen_reports/items?q=a%00b"],
)  # fmt: skip
def test_a_nul_in_an_address_is_no_fault_of_the_service(desk, path):
    http, _ = desk
    assert http.get(path).status_code < 500


@pytest.mark.parametrize("load", [2**63, 10**30])
def test_a_load_that_there_cannot_be_is_refused(desk, load):
    http, _ = desk
    assert http.get(f"/quarantine?load={load}").status_code == 400


def test_the_log_holds_nothing_that_clients_send(toy_province):
    with toy_province.writing() as connection, pytest.raises(DBAPIError) as error:
        connection.execute(text("SELECT CAST(:said AS text)"), {"said": NUL})
    assert "Nguyễn" not in str(error.value)


def test_how_often_alerts_were_true_is_listed_by_rule(http, toy_province, operator):
    answers = {"true": 104.02, "false": 104.15, "unknown": 104.25}
    for outcome, lon in answers.items():
        number = raised(toy_province, lon=lon, records=(int(lon * 100),))
        body = {"outcome": outcome, "note": "looked"}
        http.post(f"/alerts/{number}/resolve", json=body, headers=operator)
    (told,) = http.get("/alerts/precision").json()["precision"]
    assert (told["alerts"], told["true"], told["false"], told["unknown"]) == (3, 1, 1, 1)
    assert told["share_true"] == 0.5
    # Jeffreys: quantiles of Beta(3/2, 3/2), symmetric about one half.
    assert told["interval"] == pytest.approx([0.0608, 0.9392], abs=5e-4)
