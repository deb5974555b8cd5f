"""The hand-over between shifts: who has what, what was told, what changed; and taking over."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from api.app import create_app
from api.cli import command_line
from gis.access import Role, create_key
from gis.alerts.actions import acknowledge, comment, get_alert, history, resolve, take_over
from gis.alerts.silences import silence
from gis.alerts.states import Outcome
from gis.database.engine import Database
from gis.errors import Conflict
from gis.notify.cap.approval import approve
from gis.notify.handover import handover
from gis.settings import Settings
from tests.integration.notify.made import make_alert, subscribe
from tests.integration.notify.test_outbox import waiting
from tests.integration.notify.test_roster import load, now, on_duty, shift
from tests.integration.ogc_app import Client, app_client

LAYERS = ["citizen_reports", "alerts"]


@pytest.fixture
def http(toy_province, catalogue) -> Iterator[Client]:
    app = create_app(Settings(_env_file=None), toy_province, catalogue)
    with app_client(app) as client:
        yield client


def operator(database: Database, name: str) -> dict[str, str]:
    with database.writing() as connection:
        return {"X-API-Key": create_key(connection, name, Role.OPERATOR, ())}


@pytest.fixture
def night(toy_province) -> dict[str, int]:
    """One that nobody has taken, one that An has, one that An ended, and one that is silenced."""
    with toy_province.writing() as connection:
        subscribe(connection, "desk")
        on_duty(connection, "An")
    load(toy_province, shift("An", -8, 4))
    with toy_province.writing() as connection:
        names = ("open", "taken", "ended", "silent")
        made = {name: make_alert(connection, headline_vi=f"<b>{name}</b>") for name in names}
        acknowledge(connection, made["taken"], "An", "đã gọi xã")
        comment(connection, made["taken"], "An", "đội đang đến")
        resolve(connection, made["ended"], "An", Outcome.FALSE, "diễn tập")
        connection.execute(
            text("UPDATE gis.alert SET status = 'suppressed', resumes = 'open' WHERE id = :id"),
            {"id": made["silent"]},
        )
        until = datetime.now(UTC) + timedelta(hours=5)
        silence(connection, who="An", why="bảo trì", until=until, layer_id="citizen_reports")
    with toy_province.writing() as connection:
        connection.execute(
            text("UPDATE gis.delivery SET status = 'delivered', ended_at = now() WHERE id <= 2")
        )
    return made


def test_a_hand_over_has_what_is_open_who_has_it_and_what_changed(toy_province, night):
    with toy_province.reading() as connection:
        found = handover(connection, LAYERS, datetime.now(UTC))
    assert found.since == now() - timedelta(hours=8)  # as the roster says
    assert [one.who for one in found.on_duty] == ["An"]
    assert {one.id for one in found.open} == {night["open"], night["taken"]}
    assert [one.id for one in found.silent] == [night["silent"]]
    (taken,) = (one for one in found.open if one.id == night["taken"])
    assert taken.acknowledged_by == "An"
    assert taken.acknowledged_at is not None
    assert {one.why for one in found.silences} == {"bảo trì"}
    steps = {(event.alert_id, event.act, event.who) for event in found.events}
    assert (night["taken"], "acknowledged", "An") in steps
    assert (night["ended"], "false", "An") in steps
    assert sum(one.delivered for one in found.deliveries.values()) == 2
    assert all(one.waiting for one in found.deliveries.values() if not one.delivered)


def test_without_a_roster_it_is_of_twelve_hours(toy_province):
    with toy_province.reading() as connection:
        found = handover(connection, LAYERS, now())
        assert found.since == found.at - timedelta(hours=12)
        assert timedelta(0) <= now() - found.at < timedelta(minutes=1)
        assert handover(connection, LAYERS, now(), now()).since == now()


def test_of_layers_that_somebody_may_not_read_nothing_is_handed_over(toy_province, night):
    with toy_province.reading() as connection:
        found = handover(connection, ["landslides"], datetime.now(UTC))
    assert (found.open, found.silent, found.events, found.silences) == ((), (), (), ())


def test_the_page_is_for_operators_in_two_languages_and_escapes(http, toy_province, night):
    assert http.get("/handover").status_code == 401
    headers = operator(toy_province, "Bình")
    answer = http.get("/handover?f=html", headers=headers)
    assert "no-store" in answer.headers["cache-control"]
    page = answer.text
    assert "<b>open</b>" not in page
    assert "&lt;b&gt;open" in page
    for words in ("Bàn giao ca trực", "chưa ai tiếp nhận", "đội đang đến", "bảo trì", "Người nhận"):
        assert words in page, words
    assert re.search(r"An, từ \d\d:\d\d \d\d/\d\d/\d{4}", page)
    english = http.get("/handover?f=html&lang=en", headers=headers).text
    assert "Hand-over of the shift" in english
    assert "Nobody is on duty" in english  # in the hours after An's shift
    document = http.get("/handover?f=json", headers=headers).json()
    assert {one["acknowledged_by"] for one in document["open"]} == {"An", None}
    (gap,) = document["gaps"]
    assert gap["whole"]


def test_a_time_that_cannot_be_is_refused(http, toy_province):
    headers = operator(toy_province, "Bình")
    for since in ("2019-01-01T00:00Z", "2099-01-01T00:00Z", "yesterday"):
        assert http.get(f"/handover?since={since}", headers=headers).status_code == 400
    assert http.get("/handover?whatever=1", headers=headers).status_code == 400


def test_the_command_says_the_same(toy_province, night, monkeypatch, tmp_path):
    monkeypatch.setenv("GIS_DATABASE_URL", toy_province.url)
    monkeypatch.setenv("GIS_HOME", str(tmp_path))
    done = CliRunner().invoke(command_line(), ["alerts", "handover"], catch_exceptions=False)
    assert done.exit_code == 0
    for words in ("Đang mở / open", "<b>taken</b>", "đội đang đến", "bảo trì"):
        assert words in done.output, words


def test_who_has_an_alert_is_in_its_json_and_hidden_from_the_public(http, toy_province, night):
    path = f"/alerts/{night['taken']}"
    with toy_province.writing() as connection:
        approve(connection, night["taken"], "An")
    for found in (
        http.get(path, headers=operator(toy_province, "Bình")).json(),
        http.get("/alerts?status=acknowledged", headers=operator(toy_province, "C")).json()[
            "alerts"
        ][0],
    ):
        assert (found["acknowledged_by"], found["status"]) == ("An", "acknowledged")
        assert datetime.fromisoformat(found["acknowledged_at"]) <= datetime.now(UTC)
    for answer in (http.get(path), http.get("/alerts"), http.get(path + "/records")):
        assert '"An"' not in answer.text
    public = http.get(path).json()
    assert public["acknowledged_by"] is None
    assert public["acknowledged_at"] is not None


def test_an_alert_is_taken_over_once_and_nobody_is_notified(http, toy_province, night):
    before = len(waiting(toy_province))
    path = f"/alerts/{night['taken']}/take-over"
    assert http.post(path, json={}).status_code == 401
    headers = operator(toy_province, "Bình")
    answer = http.post(path, json={"note": "giao ca"}, headers=headers)
    assert (answer.status_code, answer.json()["acknowledged_by"]) == (200, "Bình")
    again = http.post(path, json={}, headers=headers)
    assert (again.status_code, "yours already" in again.json()["detail"]) == (409, True)
    other = http.post(f"/alerts/{night['open']}/take-over", json={}, headers=headers)
    assert (other.status_code, "nobody has it" in other.json()["detail"]) == (409, True)
    assert len(waiting(toy_province)) == before
    with toy_province.reading() as connection:
        steps = history(connection, night["taken"])
    assert [(one.who, one.note) for one in steps if one.act == "acknowledged"] == [
        ("An", "đã gọi xã"), ("Bình", "taken over from An: giao ca"),
    ]  # fmt: skip


def test_of_an_ended_alert_it_is_still_known_who_had_it(toy_province, night):
    with toy_province.writing() as connection:
        resolve(connection, night["taken"], "Bình", Outcome.TRUE)
        assert get_alert(connection, night["taken"]).acknowledged_by == "An"
        with pytest.raises(Conflict, match="nobody has it"):
            take_over(connection, night["taken"], "C")
