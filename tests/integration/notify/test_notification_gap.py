"""One notification of an alert to a subscription in ten minutes, unless its tier rises."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import pairwise

import orjson
import pytest
from aiosmtpd.controller import Controller
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from gis.database.engine import Database
from gis.notify.backoff import Backoff
from gis.notify.channels.mail import MailChannel, mail_server
from gis.notify.dispatch import Sender, send_due, sender_of
from gis.notify.notification import Language
from gis.notify.outbox import record_delivered, taken
from gis.notify.subscriptions import SubscriptionRequest, subscribe
from gis.settings import Settings
from tests.acceptance.service import free_port
from tests.integration.notify import made
from tests.integration.notify.made import make_alert, step
from tests.integration.notify.processes import HERE, Receiver
from tests.integration.notify.test_smtp import Desk

GAP = timedelta(minutes=10)
RANKS = {"watch": 1, "alert": 2, "urgent": 3}


class Told:
    """What arrived at a real receiver, and a clock that tests move."""

    def __init__(self, database: Database, sender: Sender, channel: str) -> None:
        self.database, self.sender, self.channel = database, sender, channel
        self.bodies: list[dict] = []
        self.desk = Desk()
        with database.writing() as connection:
            self.alert = make_alert(connection, simulated=False)
        self.send()

    def step(self, act: str, **changes: object) -> None:
        with self.database.writing() as connection:
            if changes:
                names = ", ".join(f"{name} = :{name}" for name in changes)
                sql = text(f"UPDATE gis.alert SET {names} WHERE id = :id")
                connection.execute(sql, {**changes, "id": self.alert})
            step(connection, self.alert, act)
        self.send()

    def send(self) -> None:
        send_due(self.database, self.sender)

    def wait(self, minutes: float) -> None:
        move_clock(self.database, timedelta(minutes=minutes))
        self.send()

    @property
    def acts(self) -> list[str]:
        if self.channel == "webhook":
            return [body["act"] for body in self.bodies]
        words = {"New alert": "open", "New development": "notify", "Correction": "corrected",
                 "Acknowledged": "acknowledged", "Over": "expired",
                 "Nobody has acknowledged": "escalate"}  # fmt: skip
        subjects = [str(mail["Subject"]) for mail in self.desk.messages]
        return [next(act for word, act in words.items() if f"] {word}:" in one) for one in subjects]


def move_clock(database: Database, by: timedelta) -> None:
    """As if all that was sent had been sent so much earlier."""
    with database.writing() as connection:
        connection.execute(
            text("UPDATE gis.delivery SET ended_at = ended_at - CAST(:by AS interval),"
                 " due_at = due_at - CAST(:by AS interval)"),
            {"by": by},
        )  # fmt: skip


@contextmanager
def by_webhook(database: Database, tmp_path) -> Iterator[Told]:
    port, book = free_port(), tmp_path / "book"
    book.touch()
    wish = SubscriptionRequest("desk", "webhook", f"http://127.0.0.1:{port}/")
    with database.writing() as connection:
        secret = subscribe(connection, wish, "tests", HERE)
    with Receiver(port, secret, book) as receiver:
        bodies: list[dict] = []
        receiver.enter = lambda key, body: bodies.append(orjson.loads(body))
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        told = Told(database, Sender(HERE, gap=GAP, retrying=Backoff()), "webhook")
        told.bodies = bodies
        yield told
        receiver.shutdown()


@contextmanager
def by_mail(database: Database, tmp_path) -> Iterator[Told]:
    desk = Desk()
    controller = Controller(desk, hostname="127.0.0.1", port=free_port())
    controller.start()
    with database.writing() as connection:
        wish = SubscriptionRequest("desk", "mail", "desk@example.vn", Language.EN)
        subscribe(connection, wish, "tests", HERE)
    server = mail_server(f"smtp://127.0.0.1:{controller.port}", "gis@example.vn")
    told = Told(database, Sender(HERE | {"mail": MailChannel(server)}, gap=GAP), "mail")
    told.desk = desk
    yield told
    controller.stop()


@pytest.fixture(params=[by_webhook, by_mail])
def told(request, toy_province, tmp_path) -> Iterator[Told]:
    with request.param(toy_province, tmp_path) as opened:
        yield opened


def test_the_first_is_sent_at_once_and_what_follows_goes_as_one(told):
    assert told.acts == ["open"]
    for count in range(13, 30):
        told.step("notify", observed=float(count))
    assert told.acts == ["open"]
    told.wait(9.9)
    assert told.acts == ["open"]
    told.wait(0.2)
    assert told.acts == ["open", "notify"]
    told.wait(60)
    assert told.acts == ["open", "notify"]


def test_a_tier_that_rises_does_not_wait_and_one_that_falls_does(told):
    told.step("notify", severity="urgent", observed=20.0)
    assert told.acts == ["open", "notify"]
    told.step("notify", observed=21.0)
    told.step("corrected", severity="watch", observed=3.0)
    assert told.acts == ["open", "notify"]
    told.wait(10.1)
    assert told.acts == ["open", "notify", "corrected"]


@pytest.mark.parametrize("act", ["acknowledged", "escalate", "corrected", "expired"])
def test_whatever_follows_within_the_gap_waits(told, act):
    changes = {"status": act} if act in ("acknowledged", "expired") else {"observed": 1.0}
    told.step(act, **changes)
    assert told.acts == ["open"]
    told.wait(10.1)
    assert told.acts == ["open", act]


def test_what_is_no_longer_news_when_its_time_comes_is_not_sent(told):
    told.step("notify", observed=20.0)
    told.step("suppressed", status="suppressed", resumes="open")
    told.wait(10.1)
    assert told.acts == ["open"]
    told.step("open", status="open", resumes=None)
    assert told.acts == ["open", "open"]


def test_what_came_back_to_the_last_notification_is_not_sent(told):
    with told.database.reading() as connection:
        before = connection.scalar(text("SELECT observed FROM gis.alert"))
    told.step("notify", observed=20.0)
    told.step("notify", observed=before)
    told.wait(10.1)
    assert told.acts == ["open"]


def test_other_alerts_do_not_wait(told):
    with told.database.writing() as connection:
        make_alert(connection, simulated=False)
    told.send()
    assert told.acts == ["open", "open"]


def test_a_receiver_that_comes_back_gets_one_message_and_not_all_that_it_missed(
    toy_province, tmp_path
):
    port, book = free_port(), tmp_path / "book"
    book.touch()
    wish = SubscriptionRequest("desk", "webhook", f"http://127.0.0.1:{port}/")
    sender = Sender(HERE, gap=GAP, retrying=Backoff(20, timedelta(hours=1)))
    with toy_province.writing() as connection:
        secret = subscribe(connection, wish, "tests", HERE)
    told = Told(toy_province, sender, "webhook")
    for count in (13.0, 14.0, 15.0):
        told.step("notify", observed=count)  # waits for the next attempt as the first does
    with toy_province.reading() as connection:
        tried = connection.scalar(text("SELECT sum(attempts) FROM gis.delivery"))
    assert tried == 1
    with Receiver(port, secret, book) as receiver:
        receiver.enter = lambda key, body: told.bodies.append(orjson.loads(body))
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        told.wait(120)
        receiver.shutdown()
    assert [(body["act"], body["alert"]["measures"]["observed"]) for body in told.bodies] == [
        ("open", 15.0)
    ]


def test_the_gap_is_a_setting():
    assert sender_of(Settings()).gap == GAP
    assert sender_of(Settings(notification_gap_minutes=0)).gap == timedelta(0)


_steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["notify", "notify", "acknowledged", "escalate", "corrected", "suppressed"]
        ),
        st.sampled_from(["watch", "alert", "urgent"]),
        st.integers(1, 4),
        st.sampled_from([0.0, 0.5, 3.0, 7.0, 11.0]),
        st.booleans(),
    ),
    max_size=10,
)


@settings(
    deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(_steps)
def test_whatever_happens_ten_minutes_lie_between_two_unless_the_tier_rises(toy_province, steps):
    with toy_province.writing() as connection:
        connection.execute(text("UPDATE gis.delivery SET status = 'cancelled'"))
        if not connection.scalar(text("SELECT count(*) FROM gis.subscription")):
            made.subscribe(connection, "desk")
        alert = make_alert(connection)
    minute, sent = 0.0, send_all(toy_province, 0.0)
    assert [act for _, _, act, _ in sent] == ["open"]
    newest = None
    for act, severity, observed, minutes, sends in steps:
        status = act if act in ("acknowledged", "suppressed") else "open"
        with toy_province.writing() as connection:
            connection.execute(
                text("UPDATE gis.alert SET severity = :severity, observed = :observed,"
                     " status = :status, resumes = CASE :status WHEN 'suppressed' THEN 'open' END"
                     " WHERE id = :id"),
                {"severity": severity, "observed": float(observed), "status": status, "id": alert},
            )  # fmt: skip
            step(connection, alert, act)
        newest = newest if act == "suppressed" else (severity, float(observed))
        if sends:
            sent += send_all(toy_province, minute)
        move_clock(toy_province, timedelta(minutes=minutes))
        minute += minutes
        sent += send_all(toy_province, minute)
    move_clock(toy_province, GAP + timedelta(seconds=1))
    sent += send_all(toy_province, minute + 10.1)
    for before, after in pairwise(sent):
        assert after[0] - before[0] >= 10 or RANKS[after[1]] > RANKS[before[1]]
    if newest and steps[-1][0] != "suppressed":  # nothing is lost
        assert (sent[-1][1], sent[-1][3]) == newest


def send_all(database: Database, minute: float) -> list[tuple[float, str, str, float | None]]:
    """Send what may be sent at this minute: when, the tier, the act and the number told."""
    sent = []
    while True:
        with taken(database, GAP) as (connection, delivery):
            if delivery is None:
                return sent
            record_delivered(connection, delivery)
            told = delivery.notification
            sent.append((minute, told.severity, told.act, told.measures.get("observed")))
