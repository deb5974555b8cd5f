"""Server-sent events: nothing skipped, nothing told to who may not read it, nothing left behind."""

import json
import threading
from collections.abc import Iterator

import httpx
import pytest

from api.app import create_app
from gis.access import Role, create_key
from gis.settings import Settings
from tests.integration.notify.made import make_alert, open_to_all, step
from tests.integration.ogc_app import Client, app_client
from tests.waiting import wait_until


@pytest.fixture
def http(toy_province, catalogue) -> Iterator[Client]:
    open_to_all(toy_province)
    app = create_app(Settings(_env_file=None), toy_province, catalogue)
    with app_client(app) as client:
        client.app = app
        yield client


def key(database, role: Role) -> dict[str, str]:
    with database.writing() as connection:
        return {"X-API-Key": create_key(connection, "tests", role)}


def events(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    """Events as a browser reads them: those with data."""
    event: dict[str, str] = {}
    for line in lines:
        if not line:
            if "data" in event:
                yield event
            event = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = value


def listening(answer: httpx.Response) -> Iterator[dict[str, str]]:
    """The events of a stream that has begun: it tells of all that happens from now on."""
    lines = answer.iter_lines()
    assert next(lines) == ": listening"
    return events(lines)


def heard(client: httpx.Client, wanted: int, **parameters) -> list[dict[str, str]]:
    """The first so many events of a stream."""
    with client.stream("GET", "/events", **parameters) as answer:
        assert answer.status_code == 200
        stream = events(answer.iter_lines())
        return [next(stream) for _ in range(wanted)]


def alerts_of(found: list[dict[str, str]]) -> list[int]:
    return [json.loads(event["data"])["alert"]["id"] for event in found]


def make(database, **changes) -> int:
    with database.writing() as connection:
        return make_alert(connection, **changes)


def test_an_alert_reaches_whoever_follows_the_stream(http, toy_province):
    with http.stream("GET", "/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        stream = listening(answer)
        made = make(toy_province)
        event = next(stream)
    assert event["event"] == "alert"
    body = json.loads(event["data"])
    assert (body["act"], body["alert"]["id"], body["seq"]) == ("open", made, int(event["id"]))


def test_who_was_away_is_sent_what_was_missed(http, toy_province):
    first, second, third = (make(toy_province) for _ in range(3))
    (event,) = heard(http, 1, headers={"Last-Event-ID": "0"})
    assert alerts_of([event]) == [first]
    assert alerts_of(heard(http, 2, headers={"Last-Event-ID": event["id"]})) == [second, third]
    assert alerts_of(heard(http, 2, params={"after": event["id"]})) == [second, third]


def test_what_commits_later_under_an_earlier_number_is_not_skipped(http, toy_province):
    """The slow transaction writes its event first and commits last."""
    slow, quick = make(toy_province), make(toy_province)
    with http.stream("GET", "/events") as answer:
        stream = listening(answer)
        with toy_province.writing() as writing:
            step(writing, slow, "update")
            with toy_province.writing() as connection:
                step(connection, quick, "update")
            assert alerts_of([next(stream)]) == [quick]
        assert alerts_of([next(stream)]) == [slow]


def test_many_events_come_in_order_and_once(http, toy_province):
    alert = make(toy_province)
    with toy_province.writing() as connection:
        for _ in range(250):
            step(connection, alert, "update")
    found = heard(http, 251, headers={"Last-Event-ID": "0"})
    numbers = [int(event["id"]) for event in found]
    assert numbers == sorted(set(numbers))


def test_a_stream_may_be_of_some_layers(http, toy_province):
    make(toy_province, layer_id="landslides")
    of_reports = make(toy_province)
    found = heard(http, 1, params={"layer": "citizen_reports", "after": "0"})
    assert alerts_of(found) == [of_reports]


def test_alerts_of_layers_that_one_may_not_read_are_not_sent(http, toy_province):
    hidden = make(toy_province, layer_id="field_incidents")
    shown = make(toy_province)
    assert alerts_of(heard(http, 1, params={"after": "0"})) == [shown]
    operator = key(toy_province, Role.OPERATOR)
    found = heard(http, 2, params={"after": "0"}, headers=operator)
    assert alerts_of(found) == [hidden, shown]
    assert http.get("/events", params={"layer": "field_incidents"}).status_code == 404


def test_what_is_pending_is_for_the_desk(http, toy_province):
    pending = make(toy_province, status="pending")
    shown = make(toy_province)
    assert alerts_of(heard(http, 1, params={"after": "0"})) == [shown]
    operator = key(toy_province, Role.OPERATOR)
    assert alerts_of(heard(http, 1, params={"after": "0"}, headers=operator)) == [pending]


def test_a_number_that_is_none_is_400(http):
    for seen in ("-1", "a", "1.5", "9" * 19, "²"):
        assert http.get("/events", params={"after": seen}).status_code == 400


def test_a_number_from_another_database_begins_now(http, toy_province):
    with http.stream("GET", "/events", params={"after": "999999"}) as answer:
        stream = listening(answer)
        made = make(toy_province)
        assert alerts_of([next(stream)]) == [made]


def test_a_quiet_stream_says_that_it_is_there(http, monkeypatch):
    monkeypatch.setattr("api.routes.events.HEARTBEAT_S", 0.1)
    with http.stream("GET", "/events") as answer:
        lines = answer.iter_lines()
        assert any(line == ": still here" for line in lines)


def test_who_comes_again_after_the_database_was_lost_misses_nothing(
    http, toy_province, postgres, monkeypatch, capfd
):
    monkeypatch.setattr("api.routes.events.HEARTBEAT_S", 0.1)
    with http.stream("GET", "/events", params={"after": "0"}) as answer:
        stream = events(answer.iter_lines())
        first = make(toy_province)
        seen = next(stream)
        with postgres.refusing(toy_province.url.replace("+psycopg", "")):
            assert list(stream) == []  # it ends
            with http.stream("GET", "/events") as refused:
                assert list(refused.iter_lines()) == []
    assert alerts_of([seen]) == [first]
    toy_province.close()  # its connections were cut
    second = make(toy_province)
    assert alerts_of(heard(http, 1, headers={"Last-Event-ID": seen["id"]})) == [second]
    logged = "".join(capfd.readouterr())
    assert logged.count("event stream ends") == 2
    assert "Traceback" not in logged


def test_who_leaves_leaves_nothing_behind(http):
    newest = http.app.state.event_broker
    with http.stream("GET", "/events") as answer:
        lines = answer.iter_lines()
        next(lines)
        assert newest.clients == 1
    wait_until(lambda: newest.clients == 0 and newest._polling is None)


def test_too_many_listeners_are_asked_to_come_later(http, monkeypatch):
    monkeypatch.setattr(http.app.state.event_broker.places, "most", 0)
    answer = http.get("/events")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")


def test_one_address_has_so_many_streams_and_no_more(http, monkeypatch):
    monkeypatch.setattr(http.app.state.event_broker.places, "most_of_one", 1)
    with http.stream("GET", "/events") as answer:
        lines = answer.iter_lines()  # held: a client that drops it hangs up
        next(lines)
        another = http.get("/events")
    assert (another.status_code, another.headers["retry-after"]) == (429, "10")
    assert "go to your address already" in another.json()["detail"]
    wait_until(lambda: http.app.state.event_broker.places.taken == 0)
    with http.stream("GET", "/events") as answer:
        assert answer.status_code == 200


def test_listeners_without_a_key_leave_room_for_the_desk(http, toy_province, monkeypatch):
    monkeypatch.setattr(http.app.state.event_broker.places, "most", 101)
    operator = key(toy_province, Role.OPERATOR)
    with http.stream("GET", "/events") as public:
        lines = public.iter_lines()
        next(lines)
        assert http.get("/events").status_code == 503
        with http.stream("GET", "/events", headers=operator) as desk:
            assert desk.status_code == 200


def test_a_service_that_stops_lets_its_listeners_go(http):
    with http.stream("GET", "/events") as answer:
        lines = answer.iter_lines()
        next(lines)
        threading.Timer(0.1, http.app.state.event_broker.release_clients).start()
        list(lines)  # it ends
