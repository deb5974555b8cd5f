"""Digests: what is not urgent is gathered and sent as one, at a real receiver."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from sqlalchemy import text

from gis.database.engine import Database
from gis.notify.backoff import Backoff
from gis.notify.channels.mail import mail_message
from gis.notify.dispatch import Sender, send_due
from gis.notify.notification import Language
from gis.notify.outbox import taken
from gis.notify.subscriptions import SubscriptionRequest, retry_failed, subscribe, subscriptions
from gis.notify.text import digest_values
from tests.acceptance.service import free_port
from tests.integration.notify.made import make_alert, step
from tests.integration.notify.processes import HERE, Receiver
from tests.unit.notify.examples import told

GAP = timedelta(minutes=10)
TWICE = Backoff(2, timedelta(0), timedelta(0))


class Desk:
    """A receiver that is sent digests each hour, and what it took."""

    def __init__(self, database: Database, receiver: Receiver) -> None:
        self.database, self.receiver = database, receiver
        self.taken: list[tuple[str, dict]] = []
        receiver.enter = lambda key, body: self.taken.append((key, orjson.loads(body)))

    def alert(self, **changes: object) -> int:
        with self.database.writing() as connection:
            return make_alert(connection, **changes)

    def step(self, alert: int, act: str, severity: str = "alert") -> None:
        with self.database.writing() as connection:
            values = {"id": alert, "severity": severity}
            change = "UPDATE gis.alert SET severity = :severity WHERE id = :id"
            connection.execute(text(change), values)
            step(connection, alert, act)

    def send(self, retrying: Backoff = TWICE) -> int:
        return send_due(self.database, Sender(HERE, retrying=retrying, gap=GAP))

    def strike(self) -> None:
        """The hour is over."""
        with self.database.writing() as connection:
            connection.execute(
                text("UPDATE gis.delivery SET due_at = now() WHERE status = 'waiting'")
            )

    @property
    def counts(self) -> tuple[int, int, int]:
        with self.database.reading() as connection:
            (only,) = subscriptions(connection)
        return only.delivered, only.waiting, only.dead


@pytest.fixture
def desk(toy_province, tmp_path: Path) -> Iterator[Desk]:
    port = free_port()
    wish = SubscriptionRequest(
        "desk", "webhook", f"http://127.0.0.1:{port}/", simulated=True, digest_minutes=60
    )
    with toy_province.writing() as connection:
        secret = subscribe(connection, wish, "tests", HERE)
    with Receiver(port, secret, tmp_path / "book") as made:
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield Desk(toy_province, made)
        made.shutdown()
        thread.join(5)


def test_what_is_not_urgent_is_gathered_to_the_hour_and_goes_as_one(desk):
    numbers = [desk.alert() for _ in range(3)]
    with desk.database.reading() as connection:
        due = connection.scalars(text("SELECT DISTINCT due_at FROM gis.delivery")).all()
    assert [(one.minute, one.second) for one in due] == [(0, 0)]
    desk.step(numbers[0], "acknowledged")
    assert (desk.send(), desk.taken) == (0, [])
    desk.strike()
    assert desk.send() == 1
    ((key, body),) = desk.taken
    assert set(body) == {"key", "digest"}
    assert body["key"] == key
    assert {(one["alert"]["id"], one["act"]) for one in body["digest"]} == {
        (numbers[0], "acknowledged"), (numbers[1], "open"), (numbers[2], "open"),
    }  # fmt: skip
    assert desk.counts == (3, 0, 0)  # the first step of the first alert is superseded
    assert desk.send() == 0


def test_what_is_urgent_goes_at_once_by_itself(desk):
    desk.alert()
    urgent = desk.alert(severity="urgent")
    assert desk.send() == 1
    ((_, body),) = desk.taken
    assert body["alert"]["id"] == urgent
    assert desk.counts == (1, 1, 0)


def test_what_becomes_urgent_does_not_wait_for_the_digest(desk):
    number, _ = desk.alert(), desk.alert()
    desk.step(number, "notify", "urgent")
    assert desk.send() == 1
    ((_, body),) = desk.taken
    assert (body["alert"]["id"], body["alert"]["severity"]) == (number, "urgent")
    assert desk.counts == (1, 1, 0)


def test_a_digest_of_one_is_as_any_notification(desk):
    number = desk.alert()
    desk.strike()
    desk.send()
    ((_, body),) = desk.taken
    assert (body["act"], body["alert"]["id"]) == ("open", number)


def test_a_digest_that_fails_fails_whole_and_is_sent_anew(desk):
    for _ in range(3):
        desk.alert()
    desk.strike()
    desk.receiver.status = 500
    assert desk.send() == 2
    assert desk.counts == (0, 0, 3)
    desk.receiver.status = 200
    with desk.database.writing() as connection:
        assert retry_failed(connection, "desk") == 3
    assert desk.send() == 1
    assert len(desk.taken[0][1]["digest"]) == 3
    assert desk.counts == (3, 0, 0)


def test_a_repeat_has_the_same_key_unless_it_holds_more(desk):
    keys = []
    desk.alert()
    desk.alert()
    desk.strike()
    for more in (False, False, True):
        if more:
            desk.alert()
            desk.strike()
        with taken(desk.database, GAP) as (_, delivery):
            keys.append(delivery.key)
    assert keys[0] == keys[1] != keys[2]


def test_while_one_sender_has_a_digest_another_has_nothing_of_it(desk):
    for _ in range(3):
        desk.alert()
    desk.strike()
    with taken(desk.database, GAP) as (_, first), taken(desk.database, GAP) as (_, second):
        assert len(first.digest) == 3
        assert second is None


def test_a_mail_has_the_gravest_first(desk):
    for severity in ("watch", "alert"):
        desk.alert(severity=severity, headline_vi=f"tin {severity}")
    with desk.database.writing() as connection:
        connection.execute(text("UPDATE gis.subscription SET least_severity = 'watch'"))
    desk.alert(severity="watch", headline_vi="tin nhẹ")
    desk.strike()
    with taken(desk.database, GAP) as (_, delivery):
        mail = mail_message(delivery, "gis@example.vn", "https://gis.vn")
    one = "[MÔ PHỎNG] [Cảnh báo] Cảnh báo mới: tin alert"
    assert mail["Subject"] == f"2 tin về cảnh báo: {one}"
    words = mail.get_content()
    assert words.index("tin alert") < words.index("tin nhẹ")
    assert words.count("https://gis.vn/?alert=") == 2
    assert mail["Message-ID"].startswith(f"<{delivery.key}@")


@pytest.mark.parametrize("language", Language)
def test_a_text_has_the_number_and_the_gravest_first_within_its_length(language):
    many = [told(severity="watch"), *(told(severity="alert") for _ in range(40))]
    values = digest_values(many, language, 160)
    assert values["text"].startswith("41 ")
    assert len(values["text"]) <= 160
    assert values["text_ascii"].isascii()
