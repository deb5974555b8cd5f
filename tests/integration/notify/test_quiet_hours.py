"""Quiet hours: what is not urgent waits for their end, what is urgent goes at once."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from gis.clock import HERE
from gis.database.engine import Database
from gis.errors import BadInput
from gis.notify.outbox import record_delivered, taken
from gis.notify.quiet_hours import QuietHours
from gis.notify.subscriptions import SubscriptionRequest, subscribe, subscriptions
from tests.integration.notify.made import make_alert, step
from tests.integration.notify.processes import HERE as CHANNELS

GAP = timedelta(minutes=10)


@pytest.mark.parametrize(
    ("words", "begin", "end"),
    [
        ("22:00-06:00", time(22), time(6)),
        ("7:30 – 12:05", time(7, 30), time(12, 5)),
        ("18:00-24:00", time(18), time(0)),
    ],
)
def test_hours_are_read_and_written(words: str, begin: time, end: time):
    hours = QuietHours.parse(words)
    assert hours == QuietHours(begin, end)
    assert QuietHours.parse(str(hours)) == hours


@pytest.mark.parametrize(
    "words", ["", "22-6", "22:00", "25:00-06:00", "22:60-06:00", "22:00-24:30", "06:00-06:00"]
)
def test_what_are_no_hours_is_refused(words: str):
    with pytest.raises(BadInput):
        QuietHours.parse(words)


MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(MOMENTS, st.times(), st.times())
def test_they_end_at_the_next_such_time_of_vietnam(toy_province, moment, begin, end):
    if begin == end:
        return
    expected, here = None, moment.astimezone(HERE)
    for days in (-1, 0):  # the night that began yesterday, and today's
        start = datetime.combine(here.date() + timedelta(days=days), begin, HERE)
        until = datetime.combine(start.date(), end, HERE)
        until += timedelta(days=end < begin)
        if start <= here < until:
            expected = until
    with toy_province.reading() as connection:
        found = connection.scalar(
            text(
                "SELECT gis.quiet_until(jsonb_populate_record(NULL::gis.subscription,"
                " jsonb_build_object('quiet_from', CAST(:begin AS time),"
                " 'quiet_to', CAST(:end AS time))), :moment)"
            ),
            {"begin": begin, "end": end, "moment": moment},
        )
    assert found == expected


def hours_about_now(before: float, after: float) -> QuietHours:
    now = datetime.now(HERE)
    moments = (now + timedelta(hours=each) for each in (-before, after))
    return QuietHours(*(moment.time().replace(microsecond=0) for moment in moments))


@pytest.fixture
def quiet(toy_province) -> Database:
    """A subscription whose quiet hours began an hour ago and last two more."""
    add(toy_province, hours_about_now(1, 2))
    return toy_province


def add(database: Database, hours: QuietHours | None) -> None:
    wish = SubscriptionRequest("desk", "mail", "a@b.vn", simulated=True, quiet_hours=hours)
    with database.writing() as connection:
        subscribe(connection, wish, "tests", CHANNELS)


def alert(database: Database, **changes: object) -> int:
    with database.writing() as connection:
        return make_alert(connection, **changes)


def worsen(database: Database, number: int) -> None:
    with database.writing() as connection:
        connection.execute(text("UPDATE gis.alert SET severity = 'urgent'"))
        step(connection, number, "notify")


def sent(database: Database, gap: timedelta = GAP) -> list[str]:
    """The acts of what goes now."""
    acts = []
    while True:
        with taken(database, gap) as (connection, delivery):
            if delivery is None:
                return acts
            acts.append(delivery.notification.act)
            record_delivered(connection, delivery)


def pass_quiet_hours(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(text("UPDATE gis.delivery SET due_at = now() WHERE status = 'waiting'"))


def test_what_is_not_urgent_waits_for_the_end_of_quiet_hours(quiet):
    number = alert(quiet)
    assert sent(quiet) == []
    with quiet.writing() as connection:
        due = connection.scalar(text("SELECT due_at FROM gis.delivery"))
        step(connection, number, "acknowledged")
    assert timedelta(hours=1.9) < due - datetime.now(UTC) < timedelta(hours=2.1)
    assert sent(quiet) == []
    pass_quiet_hours(quiet)
    assert sent(quiet) == ["acknowledged"]  # the newest step alone


def test_what_is_urgent_pierces_them(quiet):
    alert(quiet, severity="urgent")
    assert sent(quiet) == ["open"]


@pytest.mark.parametrize(("gap", "acts"), [(GAP, ["open"]), (timedelta(0), ["open", "open"])])
def test_what_becomes_urgent_takes_what_waited_with_it(quiet, gap, acts: list[str]):
    number = alert(quiet)
    other = alert(quiet)
    worsen(quiet, number)
    assert sent(quiet, gap)[: len(acts)] == (acts if gap else ["open", "notify"])
    assert sent(quiet, gap) == []
    with quiet.reading() as connection:
        waits = text("SELECT alert_id FROM gis.delivery WHERE status = 'waiting'")
        assert connection.scalars(waits).all() == [other]


def test_outside_of_them_all_goes_at_once(toy_province):
    add(toy_province, hours_about_now(3, -1))
    alert(toy_province)
    assert sent(toy_province) == ["open"]
    with toy_province.reading() as connection:
        (only,) = subscriptions(connection)
    assert only.request.quiet_hours is not None


def test_escalations_of_what_is_not_urgent_wait_too(quiet):
    number = alert(quiet)
    with quiet.writing() as connection:
        step(connection, number, "escalate")
    assert sent(quiet) == []
    pass_quiet_hours(quiet)
    assert sent(quiet) == ["escalate"]
