"""Each step of an alert becomes one event, in the order of commits, and fills the outbox."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from gis.database.engine import Database
from tests.integration.notify.made import SQUARE, make_alert, step, subscribe


@pytest.fixture
def two(toy_province: Database) -> Iterator[tuple[Connection, Connection]]:
    """Two connections, each with a transaction of its own."""
    with toy_province.engine.connect() as first, toy_province.engine.connect() as second:
        yield first, second


def notices(database: Database) -> list[tuple[int, str]]:
    with database.reading() as connection:
        rows = connection.execute(text("SELECT alert_id, act FROM gis.notification ORDER BY seq"))
        return [(row.alert_id, row.act) for row in rows]


def waiting(database: Database) -> list[tuple[str, str]]:
    """The subscription's name and the act of each delivery."""
    with database.reading() as connection:
        rows = connection.execute(
            text(
                "SELECT s.name, n.act FROM gis.delivery d"
                " JOIN gis.subscription s ON s.id = d.subscription_id"
                " JOIN gis.notification n ON n.seq = d.seq ORDER BY d.id"
            )
        )
        return [(row.name, row.act) for row in rows]


def test_events_are_numbered_in_the_order_of_commits(toy_province, two):
    with toy_province.writing() as connection:
        slow, quick = make_alert(connection), make_alert(connection)
    first, second = two
    step(first, slow, "acknowledged")
    step(second, quick, "acknowledged")
    second.commit()
    first.commit()
    assert notices(toy_province)[2:] == [(quick, "acknowledged"), (slow, "acknowledged")]


def test_what_is_rolled_back_is_no_event(toy_province, two):
    first, _ = two
    subscribe(first, "a")
    make_alert(first)
    first.rollback()
    assert notices(toy_province) == []
    assert waiting(toy_province) == []


def test_an_event_holds_the_alert_as_it_stood_at_the_commit(toy_province):
    with toy_province.writing() as connection:
        alert = make_alert(connection, headline_vi="Ngập")
        connection.execute(text("UPDATE gis.alert SET headline_vi = 'Ngập sâu'"))
    with toy_province.writing() as connection:
        connection.execute(text("UPDATE gis.alert SET headline_vi = 'Hết ngập'"))
        told = connection.execute(text("SELECT alert FROM gis.notification")).scalar_one()
    assert told["headline_vi"] == "Ngập sâu"
    assert told["id"] == alert
    assert told["places"] == [{"code": "00004", "name": "Xã Bãi Cát", "name_en": ""}]
    assert told["layer"]["title"]["en"] == "Citizen reports"
    assert told["layer"]["alerts"]["cap_categories"] == ["Safety", "Infra"]


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({}, True),
        ({"layers": ["citizen_reports"]}, True),
        ({"layers": ["landslides"]}, False),
        ({"communes": ["00001", "00004"]}, True),
        ({"communes": ["00001"]}, False),
        ({"least_severity": "alert"}, True),
        ({"least_severity": "urgent"}, False),
        ({"simulated": False}, False),
    ],
)
def test_a_subscription_is_notified_of_what_it_asked_for(toy_province, wish, told):
    with toy_province.writing() as connection:
        subscribe(connection, "a", **wish)
        make_alert(connection)
    assert waiting(toy_province) == ([("a", "open")] if told else [])


def test_more_evidence_and_remarks_are_not_sent(toy_province):
    with toy_province.writing() as connection:
        subscribe(connection, "a")
        alert = make_alert(connection)
    with toy_province.writing() as connection:
        step(connection, alert, "update")
        step(connection, alert, "comment")
    assert waiting(toy_province) == [("a", "open")]
    assert [act for _, act in notices(toy_province)] == ["open", "update", "comment"]


def test_alerts_of_private_layers_are_sent_where_an_administrator_named_the_layer(
    toy_province,
):
    with toy_province.writing() as connection:
        connection.execute(
            text(
                "UPDATE gis.layer SET definition ="
                " jsonb_set(definition, '{access,read}', '\"private\"') WHERE id = 'landslides'"
            )
        )
        subscribe(connection, "all", by_admin=True)
        subscribe(connection, "when it was public", layers=["landslides"])
        subscribe(connection, "named", by_admin=True, layers=["landslides"])
        make_alert(connection, layer_id="landslides")
    assert waiting(toy_province) == [("named", "open")]


def end(connection: Connection, alert: int) -> None:
    connection.execute(
        text("UPDATE gis.alert SET status = 'resolved' WHERE id = :id"), {"id": alert}
    )
    step(connection, alert, "resolved")


def test_the_end_is_sent_to_recipients_of_the_alert_and_to_nobody_else(toy_province):
    with toy_province.writing() as connection:
        subscribe(connection, "told")
        alert = make_alert(connection)
    with toy_province.writing() as connection:
        subscribe(connection, "came later")
        end(connection, alert)
    assert waiting(toy_province) == [("told", "open"), ("told", "resolved")]


def test_a_recipient_is_notified_of_the_end_though_the_alert_grew_less_severe(toy_province):
    with toy_province.writing() as connection:
        subscribe(connection, "a", least_severity="alert")
        alert = make_alert(connection)
    with toy_province.writing() as connection:
        connection.execute(text("UPDATE gis.alert SET severity = 'watch'"))
        end(connection, alert)
    assert waiting(toy_province) == [("a", "open"), ("a", "resolved")]


def test_the_others_are_notified_that_a_subscription_fails(toy_province):
    with toy_province.writing() as connection:
        failing = subscribe(connection, "failing")
        subscribe(connection, "other")
        make_alert(connection, key=f"subscription {failing}")
    assert waiting(toy_province) == [("other", "open")]


def test_an_alert_of_the_whole_province_reaches_who_watches_one_commune(toy_province):
    with toy_province.writing() as connection:
        subscribe(connection, "a", communes=["00001"])
        make_alert(connection, communes=[])
    assert waiting(toy_province) == [("a", "open")]


def test_a_payload_has_fewer_points_of_a_long_border_and_all_of_a_small_one(toy_province):
    circle = "ST_Multi(ST_Buffer(ST_Point(104.1, 22.1, 4326), 0.5, 2000))"
    with toy_province.writing() as connection:
        before = connection.scalar(text(f"SELECT ST_NPoints({circle})"))
        told = connection.scalar(text(f"SELECT gis.payload_shape({circle})"))
        small = connection.scalar(text(f"SELECT gis.payload_shape('SRID=4326;{SQUARE}')"))
    (ring,) = told["coordinates"][0]
    assert before > 8000
    assert 20 < len(ring) < 2000
    assert len(small["coordinates"][0][0]) == 5
