"""The roster on rows: who is notified while on duty, escalation, shift changes, loads and gaps."""

import re
import shlex
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from click.testing import Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text
from typer.testing import CliRunner

from api.app import create_app
from api.cli import command_line
from gis.access import Role
from gis.alerts.actions import acknowledge, list_alerts, resolve
from gis.alerts.states import Outcome
from gis.alerts.store import lock_alerts
from gis.clock import HERE
from gis.database.engine import Database
from gis.errors import BadFile, BadInput, Conflict, NotFound
from gis.notify.cap.approval import approve
from gis.notify.cap.publication import publish_due
from gis.notify.events import EventReader, events_after
from gis.notify.roster.file import RosterRow
from gis.notify.roster.gap_alert import RULE, judge_roster
from gis.notify.roster.shifts import Shift, Subject
from gis.notify.roster.store import (
    load_roster,
    reachable_shifts,
    roster_in_force,
    roster_loads,
    undo_roster_load,
)
from gis.notify.subscriptions import SubscriptionRequest, subscribe, unsubscribe
from gis.settings import Settings
from layers.definition.recipients import layers_with_alerts, missing_recipients
from layers.jobs.roster import RosterDuty
from tests.integration.notify.made import make_alert, step
from tests.integration.notify.processes import HERE as CHANNELS
from tests.integration.notify.test_outbox import end, waiting
from tests.integration.notify.test_recipients import publish, stepped
from tests.integration.notify.test_subscriptions_http import key
from tests.integration.ogc_app import Client, app_client

HOUR = timedelta(hours=1)
PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "roster.md"


@cache
def now() -> datetime:
    """The moment of the tests of a file, which may be long after it was collected."""
    return datetime.now(UTC)


@pytest.fixture(scope="module", autouse=True)
def begin() -> None:
    now.cache_clear()


def on_duty(connection: Connection, name: str, **wish: object) -> None:
    given_wish = {"simulated": True, "on_duty": True} | wish
    request = SubscriptionRequest(name, "mail", "a@b.vn", **given_wish)
    subscribe(connection, request, "tests", CHANNELS)


def shift(who: str, begin: float = -1, finish: float = 30, **scope: object) -> Shift:
    scope = {name: frozenset(value) for name, value in scope.items()}
    return Shift(who, now() + begin * HOUR, now() + finish * HOUR, **scope)


def load(database: Database, *shifts: Shift):
    with database.writing() as connection:
        return load_roster(
            connection, [RosterRow(n, one) for n, one in enumerate(shifts)], "tests", "truc.csv"
        )


@pytest.fixture
def people(toy_province) -> Database:
    """An and Bình, whose subscriptions follow the roster, which is empty."""
    with toy_province.writing() as connection:
        on_duty(connection, "an-mail", person="An")
        on_duty(connection, "Bình")
    return toy_province


def alert(database: Database, **changes: object) -> int:
    with database.writing() as connection:
        return make_alert(connection, **changes)


def test_who_is_on_duty_is_notified_and_nobody_else(people):
    load(people, shift("An"), shift("Bình", 1))
    alert(people)
    assert waiting(people) == [("an-mail", "open")]


def test_without_a_roster_nobody_who_follows_it_is_notified(people):
    with people.writing() as connection:
        on_duty(connection, "desk", on_duty=False)
    alert(people)
    assert waiting(people) == [("desk", "open")]


@pytest.mark.parametrize(
    ("scope", "notified"),
    [
        ({}, True),
        ({"communes": ["00004"]}, True),
        ({"communes": ["00001"]}, False),
        ({"layers": ["citizen_reports"]}, True),
        ({"layers": ["landslides"]}, False),
        ({"categories": ["traffic"]}, True),
        ({"categories": ["health"]}, False),
    ],
)
def test_a_shift_is_for_its_communes_layers_and_categories(people, scope, notified: bool):
    load(people, shift("An", **scope))
    with people.writing() as connection:
        number = make_alert(connection)
        connection.execute(
            text("UPDATE gis.alert SET stream = 'traffic' WHERE id = :id"), {"id": number}
        )
    assert waiting(people) == ([("an-mail", "open")] if notified else [])


def test_a_shift_may_be_by_one_channel_alone(people):
    with people.writing() as connection:
        wish = SubscriptionRequest(
            "an-hook", "webhook", "http://127.0.0.1:9/", simulated=True, on_duty=True, person="An"
        )
        subscribe(connection, wish, "tests", CHANNELS)
    by_webhook = Shift("An", now() - HOUR, now() + HOUR, channel="webhook")
    load(people, by_webhook)
    alert(people)
    assert waiting(people) == [("an-hook", "open")]


def pass_hours(database: Database, hours: float) -> None:
    """As if so many hours had passed, by moving the roster back."""
    with database.writing() as connection:
        connection.execute(
            text("UPDATE gis.duty SET since = since - :by, until = until - :by"),
            {"by": hours * HOUR},
        )


def test_an_escalation_goes_to_who_is_on_duty_by_then(people):
    load(people, shift("An", -1, 1), shift("Bình", 1, 2))
    number = alert(people)
    pass_hours(people, 1.5)
    stepped(people, number, "escalate")
    assert waiting(people) == [("an-mail", "open"), ("Bình", "escalate")]


def test_the_end_goes_to_nobody_whose_shift_is_over(people):
    load(people, shift("An", -1, 1), shift("Bình", -1, 2))
    number = alert(people)
    pass_hours(people, 1.5)
    with people.writing() as connection:
        end(connection, number)
    assert sorted(waiting(people)) == [("Bình", "open"), ("Bình", "resolved"), ("an-mail", "open")]


def test_whose_shift_begins_is_notified_once_of_what_nobody_has_taken(people, catalogue):
    duty = RosterDuty(people)
    load(people, shift("An", -1, 1), shift("Bình", 1, 40))
    alert(people)
    taken = alert(people)
    with people.writing() as connection:
        acknowledge(connection, taken, "An")
    duty.follow(catalogue, now())
    before = waiting(people)
    assert {name for name, _ in before} == {"an-mail"}
    pass_hours(people, 1.5)
    for minutes in (1, 2):
        duty.follow(catalogue, now() + timedelta(minutes=minutes) - HOUR)
    duty = RosterDuty(people)  # another leader
    duty.follow(catalogue, now())
    assert waiting(people)[len(before):] == [("Bình", "open")]  # fmt: skip


def test_a_layer_file_names_whoever_is_on_duty(people, catalogue):
    publish(people, catalogue, {"who": "on-duty", "from_tier": "urgent"},
            {"who": "on-duty", "when": "escalated"})  # fmt: skip
    load(people, shift("An"))
    number = alert(people)
    assert waiting(people) == []
    stepped(people, number, "escalate")
    assert waiting(people) == [("an-mail", "escalate")]
    with people.writing() as connection:
        assert missing_recipients(connection) == []
        for name in ("an-mail", "Bình"):
            unsubscribe(connection, name)
        (sentence, *_) = missing_recipients(connection)
    assert "on-duty" in sentence
    assert sentence.endswith("gis subscriptions add … --on-duty")


def test_the_name_of_all_on_duty_is_nobodys(people):
    with pytest.raises(BadInput, match="stands for who is on duty"), people.writing() as connection:
        on_duty(connection, "on-duty")
    with pytest.raises(BadInput, match="give both"), people.writing() as connection:
        on_duty(connection, "c", on_duty=False, person="C")


SCOPES = st.fixed_dictionaries(
    {
        "communes": st.lists(st.sampled_from(["00001", "00004", "00007"]), max_size=2),
        "layers": st.lists(st.sampled_from(["citizen_reports", "landslides"]), max_size=1),
        "categories": st.lists(st.sampled_from(["traffic", "health"]), max_size=1),
    }
)
PARTS = st.builds(
    lambda who, begin, length, scope: shift(who, begin, begin + length, **scope),
    st.sampled_from(["An", "Bình"]),
    st.integers(-3, 2),
    st.integers(1, 3),
    SCOPES,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(PARTS, min_size=1, max_size=5),
    st.sampled_from(["00001", "00004", "00007"]),
    st.sampled_from(["citizen_reports", "landslides"]),
    st.sampled_from(["traffic", "health", ""]),
)
def test_the_database_notifies_those_whom_the_hours_ahead_are_judged_by(
    people, shifts, commune: str, layer: str, category: str
):
    """Both say who is on duty: a gap of which nobody is warned would be the worst of faults."""
    shifts = list(dict.fromkeys(shifts))
    load(people, *shifts)
    with people.writing() as connection:
        connection.execute(text("DELETE FROM gis.delivery"))
        number = make_alert(connection, layer_id=layer, communes=[commune])
        values = {"id": number, "stream": category}
        connection.execute(text("UPDATE gis.alert SET stream = :stream WHERE id = :id"), values)
    subject = Subject(layer, category, commune)
    expected = {one.who for one in shifts if one.is_at(now()) and one.covers(subject)}
    notified = {name.removesuffix("-mail").capitalize() for name, _ in waiting(people)}
    assert notified == {name.capitalize() for name in expected}
    with people.writing() as connection:
        connection.execute(text("DELETE FROM gis.delivery"))
        connection.execute(text("UPDATE gis.alert SET status = 'resolved'"))
        connection.execute(text("DELETE FROM gis.duty"))


def in_force(database: Database) -> list[tuple[str, float, float]]:
    with database.reading() as connection:
        shifts = roster_in_force(connection, now() - 1000 * HOUR, now() + 1000 * HOUR)
    return [(one.who, (one.since - now()) / HOUR, (one.until - now()) / HOUR) for one in shifts]


def test_a_load_replaces_its_period_and_is_undone_whole(people):
    first = load(people, shift("An", 0, 10), shift("Bình", 10, 20))
    before = in_force(people)
    second = load(people, shift("Bình", 5, 12))
    assert (second.added, second.replaced) == (1, 2)
    assert in_force(people) == [("An", 0, 5), ("Bình", 5, 12), ("Bình", 12, 20)]
    with pytest.raises(Conflict, match=f"load {second.id} .* undo that one first"):
        undo(people, first.id)
    undo(people, second.id)
    assert in_force(people) == before
    with pytest.raises(Conflict, match="already"):
        undo(people, second.id)
    third = load(people, shift("Bình", 0, 1))
    undo(people, third.id)
    undo(people, first.id)
    assert in_force(people) == []
    with pytest.raises(NotFound, match="gis roster loads"):
        undo(people, 99)
    with people.reading() as connection:
        assert [each.undone_by for each in roster_loads(connection)] == ["tests"] * 3


def undo(database: Database, number: int) -> None:
    with database.writing() as connection:
        undo_roster_load(connection, number, "tests")


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.lists(PARTS, min_size=1, max_size=3, unique=True), min_size=1, max_size=4))
def test_loads_undone_from_the_newest_give_each_roster_back(people, rosters):
    states, numbers = [in_force(people)], []
    for shifts in rosters:
        numbers.append(load(people, *shifts).id)
        states.append(in_force(people))
    for number in reversed(numbers):
        assert in_force(people) == states.pop()
        undo(people, number)
    assert in_force(people) == states.pop()


def test_a_shift_outside_of_the_period_is_refused(people):
    rows = [RosterRow(2, shift("An", 0, 2))]
    with pytest.raises(BadInput, match="line 2"), people.writing() as connection:
        load_roster(connection, rows, "tests", "f", (now(), now() + HOUR))
    assert in_force(people) == []


# The alert that nobody is on duty.


@pytest.fixture
def layers(catalogue) -> list[str]:
    return [layer.id for layer in layers_with_alerts(catalogue)]


def gap_alerts(database: Database, layers: list[str], hours: float = 0) -> list[tuple[str, ...]]:
    """Status, tier and headline of the alerts that nobody is on duty, after a judgement."""
    with database.writing() as connection:
        judge_roster(connection, layers, now() + hours * HOUR)
        alerts = list_alerts(connection, layers=["alerts"])
    return [(a.status, a.severity, a.headline_vi) for a in alerts if a.rule == RULE]


def local(hours: float) -> str:
    return (now() + hours * HOUR).astimezone(HERE).strftime("%H:%M %d/%m/%Y")


def test_hours_without_anybody_are_one_alert_that_ends_when_they_are_filled(people, layers):
    with people.writing() as connection:
        on_duty(connection, "desk", on_duty=False)
    load(people, shift("An", -1, 20))
    assert gap_alerts(people, layers) == [("open", "alert", f"Không có người trực từ {local(20)}")]
    assert gap_alerts(people, layers, 1) == [
        ("open", "alert", f"Không có người trực từ {local(20)}")
    ]
    urgent = [("open", "urgent", "Không có người trực ngay lúc này")]
    assert gap_alerts(people, layers, 20) == urgent
    assert [name for name, act in waiting(people) if act in ("open", "notify")] == [
        "an-mail", "desk", "an-mail", "desk",
    ]  # fmt: skip
    load(people, shift("Bình", 20, 60))
    ((status, _, _),) = gap_alerts(people, layers, 21)
    assert status == "expired"
    assert ("desk", "expired") in waiting(people)


def test_a_gap_that_comes_though_somebody_has_taken_it_is_notified_again(people, layers):
    load(people, shift("An", -1, 20))
    gap_alerts(people, layers)
    with people.writing() as connection:
        (found,) = list_alerts(connection, layers=["alerts"])
        acknowledge(connection, found.id, "An")
        before = len(waiting(people))
    gap_alerts(people, layers, 20)
    assert waiting(people)[before:][-1][1] == "notify"


def test_a_gap_that_was_closed_by_a_person_comes_again_only_when_it_is_worse(people, layers):
    load(people, shift("An", -1, 20))
    gap_alerts(people, layers)
    with people.writing() as connection:
        (found,) = list_alerts(connection, layers=["alerts"])
        resolve(connection, found.id, "An", Outcome.TRUE)
    assert [status for status, _, _ in gap_alerts(people, layers, 1)] == ["resolved"]
    again = gap_alerts(people, layers, 20)
    assert [(status, tier) for status, tier, _ in again] == [
        ("open", "urgent"), ("resolved", "alert"),
    ]  # fmt: skip


def test_a_service_without_a_roster_has_no_gaps(toy_province, layers):
    assert gap_alerts(toy_province, layers) == []


def test_a_person_whose_subscription_ended_covers_nothing(people, layers):
    load(people, shift("An"))
    assert gap_alerts(people, layers) == []
    with people.writing() as connection:
        unsubscribe(connection, "an-mail")
        assert reachable_shifts(connection, now(), now() + HOUR) == []
    ((_, tier, _),) = gap_alerts(people, layers)
    assert tier == "urgent"


def test_a_gap_names_what_it_is_of(people, layers):
    load(people, shift("An", communes=["00001", "00004"]))
    gap_alerts(people, layers)
    with people.reading() as connection:
        (found,) = list_alerts(connection, layers=["alerts"])
    assert "1 xã, phường (Xã Đồi Thông): … – …" in found.detail_vi
    assert "citizen_reports" in found.detail_en


def test_a_round_of_the_roster_and_the_timers_of_alerts_do_not_lock_each_other_out(
    people, catalogue, layers
):
    """Timers lock the alerts of a layer, and at their end the order of events."""
    load(people, shift("An", 1, 2))
    gap_alerts(people, layers)
    duty, ended = RosterDuty(people), threading.Event()

    def follow() -> None:
        duty.follow(catalogue, now() + timedelta(minutes=5))
        ended.set()

    thread = threading.Thread(target=follow, daemon=True)
    with people.writing() as connection:
        (found,) = list_alerts(connection, layers=["alerts"])
        lock_alerts(connection, "alerts")
        step(connection, found.id, "update")
        thread.start()
        assert not ended.wait(0.5)
    assert ended.wait(20)


# Over HTTP and by command.


def test_that_nobody_is_on_duty_is_for_operators_on_every_way_out(http, people, layers):
    with people.writing() as connection:
        judge_roster(connection, layers, now())
        (found,) = list_alerts(connection, layers=["alerts"])
    assert publish_due(people, "ioc.example.vn") == 0
    headers = key(people, Role.OPERATOR)
    with pytest.raises(Conflict, match="for operators alone"), people.writing() as connection:
        approve(connection, found.id, "tests")
    doors = (
        "/alerts", f"/alerts/{found.id}", f"/alerts/{found.id}/records", "/alerts/precision",
        "/ogc/collections/alerts/items", f"/ogc/collections/alerts/items/{found.id}",
        "/layers", "/health", "/cap/atom.xml", "/cap/rss.xml",
    )  # fmt: skip
    department = key(people, Role.DEPARTMENT, "citizen_reports")
    for door in doors:
        for who in ({}, department):
            answer = http.get(door, headers=who)
            assert answer.status_code in (200, 404), door
            assert RULE not in answer.text, door
            assert found.headline_vi not in answer.text, door
    for is_operator in (False, True):
        reader = EventReader(["alerts"], ["alerts"], is_operator)
        with people.reading() as connection:
            told = events_after(connection, 0, reader)
        assert [one.rule for one in told] == [RULE] * is_operator
    assert found.headline_vi in http.get("/alerts", headers=headers).text
    assert http.get(f"/alerts/{found.id}", headers=headers).status_code == 200


@pytest.fixture
def http(people, catalogue) -> Iterator[Client]:
    app = create_app(Settings(_env_file=None), people, catalogue)
    with app_client(app) as client:
        yield client


def test_operators_alone_read_the_roster(http, people):
    load(people, shift("An", -1, 5))
    assert http.get("/roster").status_code == 401
    department = key(people, Role.DEPARTMENT, "landslides")
    assert http.get("/roster", headers=department).status_code == 403
    answer = http.get("/roster?days=1", headers=key(people, Role.OPERATOR)).json()
    (on_it,) = answer["shifts"]
    assert (on_it["who"], on_it["communes"], on_it["channel"]) == ("An", [], "")
    (gap,) = answer["gaps"]
    assert (gap["since"], gap["whole"]) == ((now() + 5 * HOUR).isoformat(), True)


@pytest.fixture
def gis(toy_province, tmp_path: Path, monkeypatch) -> Callable[[str], Result]:
    """A command as it stands, run in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIS_DATABASE_URL", toy_province.url)
    monkeypatch.setenv("GIS_HOME", str(tmp_path / "home"))
    return lambda command: CliRunner().invoke(command_line(), shlex.split(command)[1:])


def test_the_how_to_runs_as_it_stands(toy_province, gis):
    """Its subscriptions, but for SMS, which needs a gateway; its file; its commands in order."""
    page = PAGE.read_text(encoding="utf-8")
    (csv,) = re.findall(r"```csv\n(.*?)```", page, re.DOTALL)
    Path("truc.csv").write_text(csv.replace(",http\n", ",mail\n"), encoding="utf-8")
    commands = re.findall(r"^gis .*$", page, re.MULTILINE)
    assert len(commands) == 9
    for command in commands:
        if " http " in command:
            continue
        done = gis(command)
        assert done.exit_code == 0, (command, done.output, done.exception)
        if "--dry-run" in command:
            with toy_province.reading() as connection:
                assert roster_loads(connection) == []
    with toy_province.reading() as connection:
        (only,) = roster_loads(connection)
        assert roster_in_force(connection, only.since, only.until) == []
    assert (only.file, only.added, only.undone_at is None) == ("truc.csv", 3, False)


def test_a_file_with_a_fault_changes_nothing(people, gis):
    rows = "who,from,to\nAn,2026-12-01,2026-12-02\nChi,2026-12-01,2026-12-02\n"
    Path("truc.csv").write_text(rows, encoding="utf-8")
    done = gis("gis roster load truc.csv --json")
    assert isinstance(done.exception, BadFile)
    assert "line 3: Chi has no subscription" in str(done.exception)
    assert in_force(people) == []


def test_units_are_named_as_people_write_them(people, gis):
    rows = "who,from,to,communes\nAn,2099-12-01,2099-12-02,xã Bãi Cát; 1\n"
    Path("truc.csv").write_text(rows, encoding="utf-8")
    assert gis("gis roster load truc.csv").exit_code == 0
    with people.reading() as connection:
        (found,) = reachable_shifts(connection, now(), datetime(2100, 1, 1, tzinfo=UTC))
    assert found.communes == {"00001", "00004"}
