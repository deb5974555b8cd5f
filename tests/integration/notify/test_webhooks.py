"""Webhooks to a real receiver: signed, retried, given up, and never led elsewhere."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from sqlalchemy import text

from gis.alerts.actions import resolve
from gis.alerts.states import Outcome
from gis.egress import EgressPolicy
from gis.errors import BadInput, Conflict, NotFound
from gis.notify.backoff import Backoff
from gis.notify.channels.webhook import WebhookChannel
from gis.notify.dispatch import Sender, send_due
from gis.notify.outbox import taken
from gis.notify.subscriptions import (
    SubscriptionRequest,
    retry_failed,
    subscribe,
    subscriptions,
    unsubscribe,
)
from tests.acceptance.service import free_port
from tests.integration.notify.made import make_alert, step
from tests.integration.notify.processes import HERE, Receiver

NOW = Backoff(3, timedelta(0), timedelta(0))


@pytest.fixture
def receiver(toy_province, tmp_path: Path) -> Iterator[Receiver]:
    """A receiver that runs, subscribed to everything as `desk`."""
    port = free_port()
    wish = SubscriptionRequest("desk", "webhook", f"http://127.0.0.1:{port}/", simulated=True)
    with toy_province.writing() as connection:
        secret = subscribe(connection, wish, "tests", HERE)
    book = tmp_path / "book"
    book.touch()
    with Receiver(port, secret, book) as made:
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join(5)


@pytest.fixture
def alert(toy_province, receiver) -> int:
    with toy_province.writing() as connection:
        return make_alert(connection)


def desk(database):
    with database.reading() as connection:
        (found,) = subscriptions(connection)
    return found


def entered(receiver: Receiver) -> int:
    return len(receiver.book.read_text().splitlines())


def test_an_alert_arrives_once_and_signed(toy_province, receiver, alert):
    assert send_due(toy_province, Sender(HERE)) == 1
    assert send_due(toy_province, Sender(HERE)) == 0
    assert (desk(toy_province).delivered, entered(receiver)) == (1, 1)


def test_a_secret_stored_before_the_convention_still_signs(toy_province, receiver, alert):
    """As a receiver with a library sees it, which takes the secret's text in base64."""
    with toy_province.writing() as connection:
        connection.execute(text("UPDATE private.webhook_secret SET secret = 'former'"))
    receiver.secret = "whsec_Zm9ybWVy"
    send_due(toy_province, Sender(HERE))
    assert (desk(toy_province).delivered, entered(receiver)) == (1, 1)


def test_a_payload_has_the_alert_and_nothing_personal(toy_province, receiver, alert):
    receiver.enter = lambda key, body: bodies.append(orjson.loads(body))
    bodies: list[dict] = []
    send_due(toy_province, Sender(HERE))
    (body,) = bodies
    assert body["act"] == "open"
    assert body["alert"]["id"] == alert
    assert body["alert"]["communes"] == [{"code": "00004", "name": "Xã Bãi Cát"}]
    assert body["alert"]["hexes"] == ["8841a6a6a7fffff"]
    assert not {"who", "note", "records", "secret"} & {*body, *body["alert"]}


def test_a_receiver_that_fails_is_asked_again_and_then_given_up(toy_province, receiver, alert):
    receiver.status = 500
    assert send_due(toy_province, Sender(HERE, retrying=NOW)) == 3
    found = desk(toy_province)
    assert (found.waiting, found.dead, found.error) == (0, 1, "the receiver answered 500")
    receiver.status = 200
    with toy_province.writing() as connection:
        assert retry_failed(connection, "desk") == 1
    send_due(toy_province, Sender(HERE))
    assert (desk(toy_province).dead, entered(receiver)) == (0, 1)


def test_between_attempts_one_waits(toy_province, receiver, alert):
    receiver.status = 503
    patient = Sender(HERE, retrying=Backoff(3, timedelta(hours=1), timedelta(hours=1)))
    assert send_due(toy_province, patient) == 1
    assert send_due(toy_province, patient) == 0
    assert desk(toy_province).waiting == 1


def test_a_redirect_is_not_followed(toy_province, receiver, alert):
    receiver.status = 302
    send_due(toy_province, Sender(HERE, retrying=NOW))
    assert desk(toy_province).error == "the receiver answered 302"


def test_a_receiver_that_is_gone_for_good_is_not_asked_again(toy_province, receiver, alert):
    receiver.status = 410
    assert send_due(toy_province, Sender(HERE)) == 1
    assert desk(toy_province).dead == 1


def test_an_address_that_is_no_longer_allowed_is_not_asked(toy_province, receiver, alert):
    assert send_due(toy_province, Sender({"webhook": WebhookChannel(EgressPolicy())})) == 1
    assert "GIS_WEBHOOK_NETWORKS" in desk(toy_province).error
    assert entered(receiver) == 0


def test_a_receiver_that_cannot_be_reached_is_asked_again(toy_province, receiver, alert):
    receiver.shutdown()
    receiver.server_close()
    assert send_due(toy_province, Sender(HERE, retrying=NOW)) == 3
    assert "ConnectError" in desk(toy_province).error


def test_steps_of_one_alert_arrive_in_their_order(toy_province, receiver, alert):
    """The first waits for another attempt, so the second waits as well; other alerts do not."""
    with toy_province.writing() as connection:
        step(connection, alert, "acknowledged")
        other = make_alert(connection)
        connection.execute(
            text("UPDATE gis.delivery SET due_at = now() + interval '1 hour' WHERE id = 1")
        )
    with taken(toy_province) as (_, delivery):
        assert delivery.notification.alert_id == other


def test_two_senders_never_take_the_same_and_leave_a_slow_receiver_to_one(toy_province, receiver):
    with toy_province.writing() as connection:
        make_alert(connection)
        make_alert(connection)
    with taken(toy_province) as (_, first), taken(toy_province) as (_, second):
        assert first is not None
        assert second is None
    with toy_province.writing() as connection:
        subscribe(
            connection,
            SubscriptionRequest("other", "mail", "a@b.vn", simulated=True),
            "t",
            HERE,
        )
        make_alert(connection)
    with taken(toy_province) as (_, first), taken(toy_province) as (_, second):
        assert {first.channel, second.channel} == {"webhook", "mail"}


def test_a_secret_is_stored_to_sign_and_shown_once(toy_province, receiver):
    assert receiver.secret not in repr(desk(toy_province))
    with toy_province.writing() as connection:
        make_alert(connection)
    with taken(toy_province) as (_, delivery):
        assert delivery.secret == receiver.secret
        assert receiver.secret not in repr(delivery)


def test_after_the_end_of_a_subscription_nothing_more_is_sent(toy_province, receiver, alert):
    with toy_province.writing() as connection:
        unsubscribe(connection, "desk")
        make_alert(connection)
        kept = connection.scalar(text("SELECT count(*) FROM private.webhook_secret"))
    assert send_due(toy_province, Sender(HERE)) == 0
    assert kept == 0
    with pytest.raises(NotFound), toy_province.writing() as connection:
        unsubscribe(connection, "desk")


def test_a_name_is_used_once_and_is_free_after_its_end(toy_province, receiver):
    wish = SubscriptionRequest("desk", "mail", "truc.ban@example.vn")
    with pytest.raises(Conflict), toy_province.writing() as connection:
        subscribe(connection, wish, "tests", HERE)
    with toy_province.writing() as connection:
        unsubscribe(connection, "desk")
        assert subscribe(connection, wish, "tests", HERE) is None


@pytest.mark.parametrize(
    "wish",
    [
        SubscriptionRequest("", "mail", "a@b.vn"),
        SubscriptionRequest("a\nb", "mail", "a@b.vn"),
        SubscriptionRequest("a", "mail", "http://b.vn/"),
        SubscriptionRequest("a", "webhook", "a@b.vn"),
        SubscriptionRequest("a", "webhook", "http://10.0.0.1/"),
    ],
)
def test_a_wish_that_cannot_be_met_is_refused(toy_province, wish):
    with pytest.raises(BadInput), toy_province.writing() as connection:
        subscribe(connection, wish, "tests", HERE)


def test_a_message_given_up_is_an_alert_that_goes_to_the_others(toy_province, receiver, alert):
    with toy_province.writing() as connection:
        subscribe(
            connection,
            SubscriptionRequest("mail", "mail", "a@b.vn", simulated=True),
            "t",
            HERE,
        )
    receiver.status = 410
    send_due(toy_province, Sender(HERE))
    with toy_province.writing() as connection:
        make_alert(connection)
    send_due(toy_province, Sender(HERE))
    with toy_province.reading() as connection:
        (raised,) = connection.execute(
            text("SELECT * FROM gis.alert WHERE rule = 'delivery'")
        ).all()
        told = connection.execute(
            text(
                "SELECT s.name, n.act FROM gis.delivery d"
                " JOIN gis.subscription s ON s.id = d.subscription_id"
                " JOIN gis.notification n ON n.seq = d.seq WHERE d.alert_id = :id"
            ),
            {"id": raised.id},
        ).all()
    assert (raised.status, raised.observed) == ("open", 2)
    assert told == [("mail", "open")]
    assert "desk" not in raised.headline_vi + raised.detail_vi


def test_messages_given_up_after_a_person_closed_their_alert_are_another(
    toy_province, receiver, alert
):
    receiver.status = 410
    send_due(toy_province, Sender(HERE))
    with toy_province.writing() as connection:
        (first,) = connection.scalars(text("SELECT id FROM gis.alert WHERE rule = 'delivery'"))
        resolve(connection, first, "desk", Outcome.TRUE)
        make_alert(connection)
    send_due(toy_province, Sender(HERE))
    with toy_province.reading() as connection:
        found = connection.execute(
            text("SELECT status FROM gis.alert WHERE rule = 'delivery' ORDER BY id")
        )
        assert found.scalars().all() == ["resolved", "open"]


def test_that_an_alert_of_failed_deliveries_fails_too_raises_no_other(
    toy_province, receiver, alert
):
    with toy_province.writing() as connection:
        connection.execute(text("UPDATE gis.alert SET rule = 'delivery', key = 'subscription 9'"))
        step(connection, alert, "notify")
    receiver.status = 410
    send_due(toy_province, Sender(HERE))
    with toy_province.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM gis.alert")) == 2
