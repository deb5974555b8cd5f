"""Alerts as rows: the same lifecycle as in memory, acts of people, silences, and time."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from threading import Barrier

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from gis.alerts.actions import acknowledge, comment, get_alert, history, list_alerts, resolve
from gis.alerts.policy import Tier
from gis.alerts.replay import ReplayedAlerts
from gis.alerts.silences import silence, silences_at, unsilence
from gis.alerts.states import MOVES, Outcome, Status
from gis.alerts.store import locked_alert
from gis.alerts.timers import advance_alerts
from gis.alerts.updates import apply_findings
from gis.errors import BadInput, Conflict, NotFound
from tests.unit.alerts.made import DAY, POLICY, day, found, signal

LAYER = "citizen_reports"
POLICIES = {LAYER: POLICY}


@pytest.fixture
def connection(toy_province):
    """One transaction, rolled back at the end."""
    with toy_province.engine.connect() as opened:
        yield opened


def looked(connection, *looks):
    return [apply_findings(connection, look, look.until) for look in looks]


def states(connection) -> list[Status]:
    found_now = list_alerts(connection, layers=[LAYER])
    return [alert.status for alert in sorted(found_now, key=lambda alert: alert.id)]


def acts(connection, alert_id: int) -> list[str]:
    return [event.act for event in history(connection, alert_id)]


def told(connection) -> list[str]:
    """The acts that people hear of."""
    rows = connection.execute(text("SELECT act FROM gis.alert_event WHERE notify ORDER BY id"))
    return list(rows.scalars())


@contextmanager
def undone(connection):
    """What is done inside is undone, also after a failure."""
    inside = connection.begin_nested()
    try:
        yield
    finally:
        inside.rollback()


def test_a_signal_is_kept_whole(connection):
    (done,) = looked(connection, found(0, signal(0, measures={"days": 3.0}, key="a")))
    kept = locked_alert(connection, done.opened[0])
    assert kept.signal == signal(0, measures={"days": 3.0}, key="a")
    west, south, east, north = get_alert(connection, done.opened[0]).bbox
    assert west < 104.15 < east
    assert south < 22.05 < north


def test_an_alert_without_hexes_has_the_shape_of_its_units_or_of_the_province(connection):
    bare = {"cells": (), "centre": None, "radius_m": None}
    unit = found(0, signal(0, **bare, key="u"), rule="series")
    whole = found(0, signal(0, **bare, communes=(), key="p"), rule="calibration_degraded")
    (of_unit,), (of_province,) = (done.opened for done in looked(connection, unit, whole))
    assert get_alert(connection, of_unit).bbox == pytest.approx((104.1, 22.0, 104.2, 22.1))
    assert get_alert(connection, of_province).bbox == pytest.approx((104.0, 22.0, 104.3, 22.1))


def test_changes_have_the_number_of_their_alert(connection):
    opened, updated, quiet, _, closed = looked(
        connection, found(0, signal(0)), found(1, signal(1, observed=13)), *map(found, (2, 3, 4))
    )
    (number,) = opened.opened
    assert (updated.updated, quiet.closed, closed.closed) == ((number,), (), (number,))
    assert acts(connection, number) == ["open", "update", "expired"]
    assert told(connection) == ["open", "expired"]


_days = st.lists(st.integers(0, 20), min_size=1, max_size=6).map(sorted)
_lons = st.sets(st.sampled_from([104.10, 104.12, 104.15, 104.25]), max_size=3)


@settings(
    deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(_days, st.data())
def test_rows_live_as_values_do(connection, days, data):
    ledger = ReplayedAlerts()
    with undone(connection):
        for n in days:
            tier = data.draw(st.sampled_from(Tier))
            signals = [signal(n, lon=lon, tier=tier) for lon in sorted(data.draw(_lons))]
            ledger.apply(found(n, *signals))
            looked(connection, found(n, *signals))
        numbers = sorted(alert.id for alert in list_alerts(connection, layers=[LAYER]))
        assert states(connection) == [past.alert.status for past in ledger.alerts.values()]
        for number, past in zip(numbers, ledger.alerts.values(), strict=True):
            assert acts(connection, number) == [line.act for line in past.history]


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.sampled_from(["look", "quiet", "ack", "true", "false", "comment", "hush",
                                 "speak", "wait"]), max_size=10))  # fmt: skip
def test_any_sequence_of_acts_leaves_a_legal_state_with_its_history(connection, sequence):
    with undone(connection):
        looked(connection, found(0, signal(0)))
        (number,) = (alert.id for alert in list_alerts(connection, layers=[LAYER]))
        for n, act in enumerate(sequence, 1):
            with suppress(Conflict, NotFound), connection.begin_nested():
                _act(connection, act, n, number)
        steps = [Status(act) for act in acts(connection, number) if act in set(Status)]
        assert steps[-1] is get_alert(connection, number).status
        assert all(after in MOVES[first] for first, after in pairwise(steps))
        assert all(event.who for event in history(connection, number))


def _act(connection, act: str, n: int, number: int) -> None:
    match act:
        case "look":
            looked(connection, found(n, signal(n)))
        case "quiet":
            looked(connection, found(n))
        case "ack":
            acknowledge(connection, number, "officer")
        case "true" | "false":
            resolve(connection, number, "officer", Outcome(act), "seen")
        case "comment":
            comment(connection, number, "officer", "on the way")
        case "hush":
            hush(connection)
            advance_alerts(connection, POLICIES, datetime.now(UTC))
        case "speak":
            for each in silences_at(connection, datetime.now(UTC)):
                unsilence(connection, each.id, "officer")
            advance_alerts(connection, POLICIES, datetime.now(UTC))
        case "wait":
            advance_alerts(connection, POLICIES, day(n))


def hush(connection, **of) -> int:
    until = datetime.now(UTC) + timedelta(days=1)
    of = of or {"layer_id": LAYER}
    return silence(connection, who="officer", why="an exercise", until=until, **of).id


def test_a_person_ends_an_alert_and_says_what_became_of_it(connection):
    (done,) = looked(connection, found(0, signal(0)))
    (number,) = done.opened
    acknowledge(connection, number, "officer", "calling")
    resolve(connection, number, "officer", Outcome.TRUE, "a burst pipe")
    alert = get_alert(connection, number)
    assert (alert.status, alert.outcome) == (Status.RESOLVED, Outcome.TRUE)
    assert acts(connection, number) == ["open", "acknowledged", "resolved"]
    again = r"is resolved already, by officer since \d\d:\d\d \d\d/\d\d/\d{4}$"
    with pytest.raises(Conflict, match=again):
        resolve(connection, number, "colleague", Outcome.FALSE, "after all")
    with pytest.raises(Conflict, match=again):
        acknowledge(connection, number, "colleague")


def test_an_alert_that_a_person_closed_does_not_come_back_with_the_next_evaluation(connection):
    (done,) = looked(connection, found(0, signal(0)))
    resolve(connection, done.opened[0], "officer", Outcome.FALSE, "an exercise")
    (again,) = looked(connection, found(1, signal(1)))
    assert again.opened == ()
    assert states(connection) == [Status.FALSE]


def test_alerts_are_listed_as_they_are_urgent_unacknowledged_and_new(connection):
    kinds = [Tier.WATCH, Tier.ALERT, Tier.URGENT, Tier.ALERT, Tier.ALERT, Tier.URGENT]
    numbers = []
    for n, tier in enumerate(kinds):
        (done,) = looked(connection, found(n, signal(n, tier=tier, key=f"{n}"), rule=f"rule_{n}"))
        numbers += done.opened
    watch, oldest, urgent, taken, newest, over = numbers
    acknowledge(connection, taken, "officer")
    acknowledge(connection, urgent, "officer")
    resolve(connection, over, "officer", Outcome.TRUE)
    listed = [alert.id for alert in list_alerts(connection, layers=[LAYER])]
    assert listed == [urgent, newest, oldest, taken, watch, over]


def test_urgent_ones_are_ranked_by_excess_then_people_then_communes(connection):
    """Each as rare as the other: what is open is ranked, and what is less than urgent is not."""
    numbers = []
    for n, (tier, observed, expected) in enumerate(
        [
            (Tier.URGENT, 9, 1.0),  # the one of most people
            (Tier.URGENT, 40, 10.0),
            (Tier.URGENT, 9, 1.0),  # of two communes
            (Tier.URGENT, 9, 1.0),
            (Tier.ALERT, 99, 1.0),
            (Tier.ALERT, 5, 1.0),
        ]
    ):
        communes = ("00001", "00004") if n == 2 else ("00001",)
        lon = 104.15 if n == 0 else 104.05
        numbers_of = {"observed": observed, "expected": expected, "communes": communes}
        made = signal(n, lon, tier=tier, key=f"{n}", **numbers_of)
        (done,) = looked(connection, found(n, made, rule=f"rule_{n}"))
        numbers += done.opened
    connection.execute(
        text(
            "INSERT INTO gis.population (cell, people)"
            " SELECT cells[1], 500 FROM gis.alert WHERE id = :id"
        ),
        {"id": numbers[0]},
    )
    peopled, most, wide, last, alert, newer = numbers
    alerts = list_alerts(connection, layers=[LAYER])
    assert [one.id for one in alerts] == [most, peopled, wide, last, newer, alert]
    assert [one.people for one in alerts][:3] == [None, 500, None]


def test_a_comment_needs_words(connection):
    (done,) = looked(connection, found(0, signal(0)))
    comment(connection, done.opened[0], "officer", "rain since morning")
    assert acts(connection, done.opened[0]) == ["open", "comment"]
    with pytest.raises(BadInput, match="needs words"):
        comment(connection, done.opened[0], "officer", "  ")


@pytest.mark.parametrize(("tier", "minutes"), [(Tier.URGENT, 15), (Tier.ALERT, 240)])
def test_what_nobody_acknowledges_escalates_once(connection, tier, minutes):
    looked(connection, found(0, signal(0, tier=tier)))
    just_before = day(0) + timedelta(minutes=minutes, seconds=-1)
    advance_alerts(connection, POLICIES, just_before)
    assert told(connection) == ["open"]
    for later in (1, 2):
        advance_alerts(connection, POLICIES, just_before + timedelta(seconds=later))
    assert told(connection) == ["open", "escalate"]


def test_what_is_watched_or_taken_on_does_not_escalate(connection):
    watched = signal(0, lon=104.25, tier=Tier.WATCH)
    (done,) = looked(connection, found(0, signal(0), watched))
    acknowledge(connection, done.opened[0], "officer")
    advance_alerts(connection, POLICIES, day(0.9))
    assert "escalate" not in told(connection)


@pytest.mark.parametrize(
    ("of", "status"),
    [
        ({"layer_id": LAYER}, Status.SUPPRESSED),
        ({"rule": "scan", "communes": ["00004", "00007"]}, Status.SUPPRESSED),
        ({"communes": ["00001"]}, Status.OPEN),
        ({"layer_id": "field_incidents"}, Status.OPEN),
    ],
)
def test_nobody_is_notified_of_what_is_silenced(connection, of, status):
    hush(connection, **of)
    now = datetime.now(UTC)
    apply_findings(connection, found(0, signal(0)), now)
    assert states(connection) == [status]
    assert told(connection) == (["open"] if status is Status.OPEN else [])


def test_a_silence_taken_back_is_followed_by_the_alert(connection):
    number = hush(connection)
    assert looked_now(connection).opened == ()
    unsilence(connection, number, "officer")
    advance_alerts(connection, POLICIES, datetime.now(UTC) + timedelta(seconds=1))
    assert states(connection) == [Status.OPEN]
    assert told(connection) == ["open"]
    with pytest.raises(NotFound, match="no silence"):
        unsilence(connection, number, "officer")


@pytest.mark.parametrize(
    ("of", "hours", "numbers"),
    [
        ({}, 0, [1]),
        ({}, -1, [1]),
        ({"why": "a drill"}, -1, [1]),
        ({}, 1, [1]),
        ({"why": "a drill"}, 1, [2]),
        ({"who": "colleague"}, 1, [2]),
        ({"rule": "scan"}, 0, [1, 2]),
        ({"communes": ["00004"]}, 0, [1, 2]),
    ],
)
def test_who_asks_twice_for_a_silence_has_one(connection, of, hours, numbers):
    until = datetime.now(UTC) + timedelta(hours=8)
    first = {"who": "officer", "why": "an exercise", "until": until, "layer_id": LAYER}
    silence(connection, **first)
    silence(connection, **(first | {"until": until + timedelta(hours=hours)} | of))
    now = datetime.now(UTC) + timedelta(seconds=1)
    in_force = silences_at(connection, now)
    assert [one.id for one in in_force] == numbers
    assert in_force[-1].until == max(until, until + timedelta(hours=hours))
    for number in numbers:
        unsilence(connection, number, "officer")
    assert silences_at(connection, now) == ()


def looked_now(connection):
    """A look of this moment that finds a cluster."""
    now = datetime.now(UTC)
    n = (now - DAY) / timedelta(days=1)
    return apply_findings(connection, found(n, signal(n)), now)


def test_a_silence_begun_later_and_run_out_returns_an_alert_to_what_it_was(connection):
    done = looked_now(connection)
    acknowledge(connection, done.opened[0], "officer")
    hush(connection)
    now = datetime.now(UTC)
    advance_alerts(connection, POLICIES, now + timedelta(seconds=1))
    assert states(connection) == [Status.SUPPRESSED]
    advance_alerts(connection, POLICIES, now + timedelta(days=1, seconds=9))
    assert states(connection) == [Status.ACKNOWLEDGED]
    assert acts(connection, done.opened[0]) == [
        "open", "acknowledged", "suppressed", "acknowledged",
    ]  # fmt: skip
    with pytest.raises(Conflict, match="is acknowledged already, by officer since"):
        acknowledge(connection, done.opened[0], "colleague")


@pytest.mark.parametrize(
    ("of", "told"),
    [
        ({"why": " "}, "needs a reason"),
        ({"layer_id": None}, "a silence of everything"),
        ({"until": datetime(2026, 1, 1)}, "no time zone"),
        ({"until": datetime(2026, 1, 1, tzinfo=UTC)}, "has passed"),
        ({"until": datetime(9999, 12, 28, tzinfo=UTC)}, "lasts at most 8784 hours"),
    ],
)
def test_a_silence_says_what_why_and_until_when(connection, of, told):
    whole = {"who": "officer", "why": "an exercise", "layer_id": LAYER}
    whole |= {"until": datetime.now(UTC) + timedelta(hours=1)}
    with pytest.raises(BadInput, match=told):
        silence(connection, **(whole | of))


def test_an_alert_that_nothing_evaluates_any_more_ends(connection):
    looked(connection, found(0, signal(0)))
    advance_alerts(connection, {}, day(14.9))
    assert Status.EXPIRED not in states(connection)
    advance_alerts(connection, {}, day(15))
    assert states(connection) == [Status.EXPIRED]


def test_alerts_of_the_desk_are_in_no_layer(connection):
    hush(connection)
    looked_now(connection)
    assert connection.scalar(text("SELECT count(*) FROM layer.alerts")) == 0


def test_two_processes_that_find_the_same_at_once_open_one_alert(toy_province):
    start = Barrier(4)

    def look(_: int) -> int:
        start.wait()
        with toy_province.writing() as connection:
            return len(apply_findings(connection, found(0, signal(0)), day(0)).opened)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(look, range(4))) == [0, 0, 0, 1]


def test_an_evaluation_without_news_leaves_the_time_of_the_last_change(connection):
    looked(connection, found(0, signal(0)), found(1, signal(0)))
    assert get_alert(connection, 1).updated_at == day(0)
    looked(connection, found(2, signal(2, observed=13)))
    assert get_alert(connection, 1).updated_at == day(2)
