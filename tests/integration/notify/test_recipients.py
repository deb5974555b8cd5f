"""`alerts: recipients:` of a layer file: who is notified of which steps, and whom nobody knows."""

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import orjson
import pytest
from sqlalchemy import Connection, text

from gis.alerts.actions import acknowledge
from gis.database.engine import Database
from gis.notify.dispatch import Sender, send_due
from gis.notify.subscriptions import SubscriptionRequest, subscribe
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from layers.definition.recipients import follow_files, missing_recipients
from layers.storage.sync import sync
from tests.acceptance.service import free_port
from tests.integration.notify import made
from tests.integration.notify.made import make_alert, step
from tests.integration.notify.processes import HERE, Receiver
from tests.integration.notify.test_outbox import end, waiting

NOWHERE = "http://127.0.0.1:9/"


def publish(database: Database, catalogue: Catalogue, *recipients: dict[str, str]) -> None:
    """The layer file of citizen reports, with these recipients."""
    words = catalogue.get("citizen_reports").model_dump(mode="json")
    words["alerts"]["recipients"] = recipients
    layer = Layer.model_validate(words)
    others = [each for each in catalogue.layers if each.id != layer.id]
    with database.writing() as connection:
        sync(connection, Catalogue((*others, layer)))


def add(connection: Connection, name: str, *, by_admin: bool = False, **wish: object) -> None:
    """Somebody whom only layer files have told, as `gis subscriptions add` adds them."""
    given = {"simulated": True, "only_named": True} | wish
    wished = SubscriptionRequest(name, "webhook", NOWHERE, **given)
    subscribe(connection, wished, "tests", HERE, by_admin=by_admin)


@pytest.fixture
def told(toy_province, catalogue) -> Iterator[Database]:
    """Citizen reports tell a desk, a department of what is urgent, and a head as a last resort."""
    publish(
        toy_province,
        catalogue,
        {"who": "desk"},
        {"who": "department", "from_tier": "urgent"},
        {"who": "head", "when": "escalated"},
    )
    with toy_province.writing() as connection:
        for name in ("desk", "department", "head"):
            add(connection, name)
    return toy_province


def raised(database: Database, **alert: object) -> int:
    with database.writing() as connection:
        return make_alert(connection, **alert)


def stepped(database: Database, alert: int, act: str) -> None:
    with database.writing() as connection:
        step(connection, alert, act)


def test_each_is_notified_from_the_tier_on_that_the_file_says(told):
    raised(told, severity="watch")
    assert waiting(told) == []
    raised(told, severity="alert")
    assert waiting(told) == [("desk", "open")]
    raised(told, severity="urgent")
    assert sorted(waiting(told)[1:]) == [("department", "open"), ("desk", "open")]


def test_a_recipient_of_escalations_is_notified_of_nothing_else(told):
    quiet, alert = raised(told), raised(told)
    with told.writing() as connection:
        acknowledge(connection, quiet, "tests")
    with told.writing() as connection:
        end(connection, quiet)
    stepped(told, alert, "notify")
    stepped(told, alert, "escalate")
    stepped(told, alert, "notify")
    with told.writing() as connection:
        acknowledge(connection, alert, "tests")
    with told.writing() as connection:
        end(connection, alert)
    heard = [act for name, act in waiting(told) if name == "head"]
    assert heard == ["escalate", "acknowledged", "resolved"]


def test_what_has_weakened_since_its_notification_escalates_to_those_who_wait_for_it(told):
    with told.writing() as connection:
        made.subscribe(connection, "by itself", least_severity="alert")
    alert = raised(told)
    with told.writing() as connection:
        connection.execute(text("UPDATE gis.alert SET severity = 'watch'"))
        step(connection, alert, "update")
        step(connection, alert, "escalate")
    heard = [name for name, act in waiting(told) if act == "escalate"]
    assert sorted(heard) == ["by itself", "desk", "head"]


def test_the_file_goes_before_the_wish_of_a_subscription_for_its_layer_alone(told):
    with told.writing() as connection:
        made.subscribe(connection, "other", least_severity="watch")
        connection.execute(
            text("UPDATE gis.subscription SET only_named = false WHERE name = 'department'")
        )
    raised(told, severity="alert")
    assert sorted(waiting(told)) == [("desk", "open"), ("other", "open")]
    raised(told, layer_id="landslides")
    assert sorted(waiting(told)[2:]) == [("department", "open"), ("other", "open")]


def test_communes_and_simulated_data_are_the_choice_of_the_subscription(toy_province, catalogue):
    publish(toy_province, catalogue, {"who": "far"}, {"who": "real"})
    with toy_province.writing() as connection:
        add(connection, "far", communes=("00001",))
        add(connection, "real", simulated=False)
    raised(toy_province)
    assert waiting(toy_province) == []


def test_of_a_private_layer_only_who_was_given_it_is_notified(toy_province, catalogue):
    names = ("outsider", "operators", "insider")
    publish(toy_province, catalogue, *({"who": name} for name in names))
    with toy_province.writing() as connection:
        connection.execute(
            text(
                "UPDATE gis.layer SET definition ="
                " jsonb_set(definition, '{access,read}', '\"private\"')"
                " WHERE id = 'citizen_reports'"
            )
        )
        add(connection, "outsider", by_admin=True)
        add(connection, "operators", layers=("citizen_reports",))
        add(connection, "insider", by_admin=True, layers=("citizen_reports",))
        assert missing_recipients(connection) == [
            f"citizen_reports.yaml notifies {name}, whose subscription does not name this private "
            "layer: an administrator adds it with --layer citizen_reports"
            for name in ("operators", "outsider")
        ]
    raised(toy_province)
    assert waiting(toy_province) == [("insider", "open")]


def test_a_name_without_a_subscription_is_a_warning(toy_province, catalogue):
    publish(toy_province, catalogue, {"who": "duty-dsk"}, {"who": "trực ban"})
    with toy_province.writing() as connection:
        add(connection, "duty-desk")
        assert missing_recipients(connection) == [
            "citizen_reports.yaml notifies duty-dsk, which is no subscription; "
            "did you mean duty-desk?",
            "citizen_reports.yaml notifies trực ban, which is no subscription: "
            "gis subscriptions add 'trực ban' mail …, or webhook …, or http …",
        ]
    publish(toy_province, catalogue)
    with toy_province.reading() as connection:
        assert missing_recipients(connection) == []


def test_a_late_subscription_is_notified_of_what_is_open(toy_province, catalogue):
    publish(toy_province, catalogue, {"who": "late"}, {"who": "head", "when": "escalated"})
    taken, news, _ = raised(toy_province), raised(toy_province), raised(toy_province)
    with toy_province.writing() as connection:
        acknowledge(connection, taken, "tests")
    stepped(toy_province, news, "notify")
    stepped(toy_province, news, "update")
    with toy_province.writing() as connection:
        for name in ("late", "head", "stranger"):
            add(connection, name)
    assert waiting(toy_province) == [("late", "notify"), ("late", "open")]


def test_a_late_recipient_is_notified_of_what_is_open_once(toy_province, catalogue):
    with toy_province.writing() as connection:
        for name in ("late", "head"):
            add(connection, name)
    alert = raised(toy_province)
    stepped(toy_province, alert, "escalate")
    raised(toy_province, severity="watch")
    assert waiting(toy_province) == []
    publish(toy_province, catalogue, {"who": "late"}, {"who": "hed", "when": "escalated"})
    assert follow_files(toy_province) == [
        "citizen_reports.yaml notifies hed, which is no subscription; did you mean head?"
    ]
    assert waiting(toy_province) == [("late", "escalate")]
    publish(toy_province, catalogue, {"who": "late"}, {"who": "head", "when": "escalated"})
    assert [follow_files(toy_province), follow_files(toy_province)] == [[], []]
    assert waiting(toy_province) == [("late", "escalate"), ("head", "escalate")]


def test_a_message_reaches_who_is_named_and_names_nobody(toy_province, catalogue, tmp_path: Path):
    publish(toy_province, catalogue, {"who": "clinic"})
    port = free_port()
    wish = SubscriptionRequest("clinic", "webhook", f"http://127.0.0.1:{port}/", simulated=True)
    with toy_province.writing() as connection:
        secret = subscribe(connection, wish, "tests", HERE)
    bodies: list[dict] = []
    with Receiver(port, secret, tmp_path / "book") as receiver:
        receiver.enter = lambda key, body: bodies.append(orjson.loads(body))
        Thread(target=receiver.serve_forever, daemon=True).start()
        raised(toy_province)
        send_due(toy_province, Sender(HERE))
        receiver.shutdown()
    (body,) = bodies
    assert body["act"] == "open"
    assert "clinic" not in orjson.dumps(body).decode()
