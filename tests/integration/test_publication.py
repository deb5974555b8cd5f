"""One rule of publication, over every door, every role and every state of an alert."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, text

from api.app import create_app
from gis.access import Role, create_key
from gis.database.engine import Database
from gis.errors import Conflict
from gis.notify.backoff import Backoff
from gis.notify.cap.approval import approve, publish_at_once, withdraw
from gis.notify.cap.publication import publish_due
from gis.settings import Settings
from layers.items.formats import FORMATS
from tests.integration.notify.made import make_alert, step
from tests.integration.notify.test_events import events
from tests.integration.ogc_app import Client, app_client
from tests.integration.tile_reader import decode
from tiles.grid import Tile

LAYER = "citizen_reports"
CELL = "8841a6a6a7fffff"


def _take_back(connection, number: int) -> None:
    withdraw(connection, number, "officer", "nhầm")


def _approve(connection, number: int) -> None:
    approve(connection, number, "officer")


def _put(status: str) -> Callable[[Any, int], None]:
    def put(connection, number: int) -> None:
        connection.execute(
            text(
                "UPDATE gis.alert SET status = :status,"
                " resumes = CASE :status WHEN 'suppressed' THEN 'open' END WHERE id = :id"
            ),
            {"id": number, "status": status},
        )
        step(connection, number, status)

    return put


# State of an alert: what brings it about, and whether everybody sees the alert then.
STATES: dict[str, tuple[tuple[Callable[[Any, int], None], ...], bool]] = {
    "new": ((), False),
    "approved": ((_approve,), True),
    "withdrawn": ((_approve, _take_back), False),
    "approved again": ((_approve, _take_back, _approve), True),
    "ended after approval": ((_approve, _put("resolved")), True),
    "pending": ((_approve, _put("pending")), False),
    "suppressed": ((_approve, _put("suppressed")), False),
    "internal": ((), False),
}
Roles = dict[str, tuple[Role | None, tuple[str, ...]]]  # by name: role, layers of the key
ROLES: Roles = {
    "anonymous": (None, ()),
    "another department": (Role.DEPARTMENT, ("landslides",)),
    "its department": (Role.DEPARTMENT, (LAYER,)),
    "operator": (Role.OPERATOR, ()),
    "administrator": (Role.ADMIN, ()),
}
OPERATORS = ("operator", "administrator")
DESK = ("its department", *OPERATORS)


@pytest.fixture(scope="module")
def stood(postgres, toy_template) -> Iterator[Database]:
    with postgres.opened(toy_template) as opened:
        yield opened


@pytest.fixture(scope="module")
def http(stood, catalogue) -> Iterator[Client]:
    app = create_app(Settings(_env_file=None), stood, catalogue)
    with app_client(app) as client:
        yield client


@pytest.fixture(scope="module")
def keys(stood) -> dict[str, dict[str, str]]:
    with stood.writing() as connection:
        return keys_of(connection, ROLES)


def keys_of(connection: Connection, roles: Roles) -> dict[str, dict[str, str]]:
    """The header that each role sends; none for the anonymous."""
    return {
        name: {} if role is None else {"X-API-Key": create_key(connection, name, role, layers)}
        for name, (role, layers) in roles.items()
    }


@pytest.fixture(scope="module")
def numbers(stood) -> dict[str, int]:
    """An alert in each state, with its CAP documents."""
    made = {}
    for state, (acts, _) in STATES.items():
        with stood.writing() as connection:
            made[state] = make_alert(connection, headline_vi=f"«{state}»", cells=[int(CELL, 16)])
            if state == "internal":
                rule = text("UPDATE gis.alert SET rule = 'duty_gap' WHERE id = :id")
                connection.execute(rule, {"id": made[state]})
        for act in acts:
            with stood.writing() as connection:
                act(connection, made[state])
    publish_due(stood, "ioc.example.vn", Backoff())
    return made


def listed(http: httpx.Client, headers, numbers) -> set[int]:
    return {one["id"] for one in http.get("/alerts", headers=headers).json()["alerts"]}


def one_by_one(path: str):
    def ask(http: httpx.Client, headers, numbers) -> set[int]:
        return {
            number
            for number in numbers.values()
            if http.get(path.format(number), headers=headers).status_code == 200
        }

    return ask


def of_hex(http: httpx.Client, headers, numbers) -> set[int]:
    told = http.get(f"/hexes/{CELL}", headers=headers)
    assert told.status_code == 200, told.text
    return {one["id"] for one in told.json()["alerts"]}


def streamed(http: httpx.Client, headers, numbers) -> set[int]:
    """Alerts of which any step is sent; the last one of a state ends the reading."""
    seen: set[int] = set()
    with http.stream("GET", "/events", params={"after": "0"}, headers=headers) as answer:
        for event in events(answer.iter_lines()):
            body = json.loads(event["data"])
            if body["alert"]["id"] == numbers["sentinel"]:
                return seen
            if body["act"] != "withdrawn":  # which takes back what was read
                seen.add(body["alert"]["id"])
    raise AssertionError("the stream ended early")


def items(http: httpx.Client, headers, numbers, layer: str = "alerts") -> set[int]:
    page = http.get(f"/ogc/collections/{layer}/items?f=json&limit=1000", headers=headers).json()
    found = {one["id"] for one in page["features"]}
    assert page["numberMatched"] == len(found)
    return found


def _by_headline(answer: httpx.Response, numbers) -> set[int]:
    assert answer.status_code == 200, answer.text
    return {number for state, number in numbers.items() if f"«{state}»".encode() in answer.content}


def exported(http: httpx.Client, headers, numbers) -> set[int]:
    address = "/ogc/collections/alerts/items"
    texts = {name for name in FORMATS if name in ("csv", "geojson", "kml", "gml", "ndjson")}
    found = [
        _by_headline(http.get(address, params={"f": name}, headers=headers), numbers)
        for name in sorted(texts)
    ]
    assert found and all(one == found[0] for one in found)
    return found[0]


def in_tiles(http: httpx.Client, headers, numbers) -> set[int]:
    answer = http.get("/tiles/alerts/0/0/0.mvt", headers=headers)
    return {int(one.id or 0) for one in decode(answer.content, Tile(0, 0, 0), "alerts")}


# Doors that show an alert to whoever may see it, in whatever state.
DESKS: dict[str, Callable[..., set[int]]] = {
    "/alerts": listed,
    "/alerts/{id}": one_by_one("/alerts/{}"),
    "/alerts/{id}/records": one_by_one("/alerts/{}/records"),
    "/events": streamed,
}
# Doors that show the same to everybody: what is published.
PUBLIC: dict[str, Callable[..., set[int]]] = {
    "items": items,
    "item": one_by_one("/ogc/collections/alerts/items/{}"),
    "exports": exported,
    "tiles": in_tiles,
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("door", [*DESKS, *PUBLIC, "hex"])
def test_every_door_shows_what_is_published_and_the_desk_the_rest(
    http, stood, keys, numbers, door, role
):
    published = {numbers[state] for state, (_, is_published) in STATES.items() if is_published}
    wanted = set(numbers.values()) if role in DESK and door not in PUBLIC else published
    if role not in OPERATORS:
        wanted = wanted - {numbers["internal"]}
    asked = dict(numbers)
    if door == "/events":
        asked["sentinel"] = _sentinel(stood)
    if door == "hex":
        quiet = ("ended after approval", "pending", "suppressed", "internal")
        live = {number for state, number in numbers.items() if state not in quiet}
        assert of_hex(http, keys[role], numbers) & set(numbers.values()) == wanted & live
        return
    ask = (DESKS | PUBLIC)[door]
    assert ask(http, keys[role], asked) & set(numbers.values()) == wanted


def _sentinel(database: Database) -> int:
    """The number of a new alert that everybody sees."""
    with database.writing() as connection:
        number = make_alert(connection)
        approve(connection, number, "officer")
    return number


@pytest.mark.parametrize("role", ROLES)
def test_the_layer_of_the_desk_is_for_the_desk(http, keys, numbers, role):
    answer = http.get("/ogc/collections/alerts_desk/items?f=json", headers=keys[role])
    if role not in OPERATORS:  # a department's key may name it
        assert answer.status_code == 404
        return
    shown = items(http, keys[role], numbers, "alerts_desk")
    assert set(numbers.values()) - shown == {numbers["internal"]}


@pytest.mark.parametrize("role", ROLES)
def test_cap_documents_follow_the_same_rule(http, stood, keys, numbers, role):
    """What went out stays at its address, as CAP asks, followed by a Cancel."""
    feed = http.get("/cap/atom.xml", headers=keys[role]).text
    told = {state for state in STATES if f"«{state}»" in feed}
    once_public = {"approved", "withdrawn", "approved again", "ended after approval", "suppressed",
                   "pending"}  # fmt: skip
    assert told == (once_public | {"new"} if role in DESK else once_public)
    with stood.reading() as connection:
        kinds = connection.scalars(text(
            "SELECT type FROM gis.cap_message WHERE alert_id = :id AND public ORDER BY seq"),
            {"id": numbers["withdrawn"]}).all()  # fmt: skip
        documents = connection.execute(text("SELECT identifier, public FROM gis.cap_message")).all()
    assert kinds == ["Alert", "Cancel"]
    for identifier, public in documents:
        answer = http.get(f"/cap/{identifier}.xml", headers=keys[role])
        assert answer.status_code == (200 if public or role in DESK else 404)


def test_who_follows_the_stream_receives_that_an_alert_is_taken_back(http, stood, keys):
    with stood.writing() as connection:
        number = make_alert(connection)
        approve(connection, number, "officer")
    with http.stream("GET", "/events") as answer:
        lines = answer.iter_lines()
        assert next(lines) == ": listening"
        with stood.writing() as connection:
            withdraw(connection, number, "officer")
        heard = json.loads(next(events(lines))["data"])
    assert (heard["act"], heard["alert"]["id"]) == ("withdrawn", number)


def test_operators_approve_and_take_back_over_http(http, stood, keys):
    with stood.writing() as connection:
        number = make_alert(connection)
    path = f"/alerts/{number}"
    for act in ("approve", "withdraw"):
        for role in ("anonymous", "another department", "its department"):
            refused = http.post(f"{path}/{act}", json={}, headers=keys[role])
            assert refused.status_code in (401, 403)
        done = http.post(f"{path}/{act}", json={"note": "x"}, headers=keys["operator"])
        assert done.status_code == 200
        assert http.get(path).status_code == (200 if act == "approve" else 404)
        again = http.post(f"{path}/{act}", json={}, headers=keys["operator"])
        assert again.status_code == 409
    acts = [one["act"] for one in http.get(path, headers=keys["operator"]).json()["history"]]
    assert acts == ["open", "approved", "withdrawn"]


def test_nothing_rises_for_everybody_when_something_happens_at_the_desk(stood):
    def version() -> int:
        with stood.reading() as connection:
            return int(connection.scalar(text("SELECT version FROM gis.layer WHERE id='alerts'")))

    before = version()
    with stood.writing() as connection:
        number = make_alert(connection)
        connection.execute(text("UPDATE gis.alert SET observed = 9 WHERE id = :id"),
                           {"id": number})  # fmt: skip
    assert version() == before
    for act in (approve, withdraw):
        with stood.writing() as connection:
            act(connection, number, "officer")
        assert version() > before
        before = version()


@pytest.mark.parametrize("simulated", [True, False])
@pytest.mark.parametrize("severity", ["alert", "urgent"])
@pytest.mark.parametrize("publish", ["approved", "urgent", "all"])
def test_the_setting_makes_alerts_public_as_they_open(toy_province, publish, severity, simulated):
    """Those too that are open; none that was taken back, and on approximate boundaries such alone
    as say themselves that they are simulated, where all are published.
    """
    about = {"severity": severity, "simulated": simulated}
    with toy_province.writing() as connection:
        before = make_alert(connection, **about)
    with toy_province.writing() as connection:
        taken_back = make_alert(connection, **about)
        approve(connection, taken_back, "officer")
        withdraw(connection, taken_back, "officer")
    with toy_province.writing() as connection:
        publish_at_once(connection, publish)
    with toy_province.writing() as connection:
        after = make_alert(connection, **about)
        unofficial = make_alert(connection, official=False, **about)
        closed = make_alert(connection, layer_id="field_incidents", **about)
        step(connection, taken_back, "update")
    opened = publish == "all" or (publish == "urgent" and severity == "urgent")
    with toy_province.reading() as connection:
        shown = set(connection.scalars(text("SELECT id FROM gis.published_alert")))
        told = connection.scalars(text("SELECT (alert ->> 'approved')::boolean"
                                       " FROM gis.notification WHERE alert_id = :id ORDER BY seq"),
                                  {"id": after}).all()  # fmt: skip
    on_approximate = {unofficial} if simulated and publish == "all" else set()
    assert shown == ({before, after} if opened else set()) | on_approximate
    assert told == [opened]
    assert not {closed, taken_back} & shown


def test_an_urgent_alert_that_calms_down_stays_public(toy_province):
    with toy_province.writing() as connection:
        publish_at_once(connection, "urgent")
        number = make_alert(connection, severity="urgent")
    with toy_province.writing() as connection:
        connection.execute(text("UPDATE gis.alert SET severity = 'watch' WHERE id = :id"),
                           {"id": number})  # fmt: skip
        step(connection, number, "corrected")
    with toy_province.reading() as connection:
        assert list(connection.scalars(text("SELECT id FROM gis.published_alert"))) == [number]


def test_what_is_not_public_cannot_be_taken_back(toy_province):
    with toy_province.writing() as connection:
        number = make_alert(connection)
        with pytest.raises(Conflict, match="not public"):
            withdraw(connection, number, "officer")
