"""Evidence that shrinks in every way it can: alerts follow at once, and nothing new is raised."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import text

from gis.alerts.actions import history, list_alerts, resolve
from gis.alerts.silences import silence
from gis.alerts.states import Outcome, Status
from gis.database.engine import Database
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from layers.detect import run_method
from layers.jobs.alert_maintenance import advance_all
from tests.integration.notify.made import subscribe
from tests.integration.test_hotspots import LAYER, NOW, alerts, cluster, noise, report

__all__ = []

HOUR = timedelta(hours=1)
TODAY = NOW - HOUR
ENDED = {Status.EXPIRED}


@pytest.fixture
def outbreak(toy_province: Database) -> Database:
    """Ninety quiet days, and sixty reports of today in one place; their rows are above 90."""
    report(toy_province, noise(), days=90)
    report(toy_province, cluster(n=60), at=TODAY)
    with toy_province.writing() as connection:
        subscribe(connection, "desk")
    return toy_province


def look(database: Database, catalogue: Catalogue, at: datetime = NOW) -> None:
    """The alarms in the order of the service."""
    for method in ("stp_scan", "series"):
        run_method(database, catalogue.get(LAYER), method, at)


def change(database: Database, sql: str, **values: object) -> None:
    with database.writing() as connection:
        connection.execute(text(sql), values)


def notified(database: Database) -> list[tuple[int, str]]:
    """The steps that the desk is sent."""
    with database.reading() as connection:
        rows = connection.execute(
            text("SELECT n.alert_id, n.act FROM gis.delivery d"
                 " JOIN gis.notification n ON n.seq = d.seq ORDER BY d.id")
        )  # fmt: skip
        return [tuple(row) for row in rows]


def acts(database: Database, alert_id: int) -> list[str]:
    with database.reading() as connection:
        return [event.act for event in history(connection, alert_id)]


# As deletions, patches of the category, moves in place and time, flags and replaced files leave
# rows; {first} is the first row that goes.
SHRINKS = {
    "deleted": "DELETE FROM layer.citizen_reports WHERE id >= :first",
    "recategorised": "UPDATE layer.citizen_reports SET category = 'security', updated_at = now()"
    " WHERE id >= :first",
    "moved": "UPDATE layer.citizen_reports SET geom = ST_Point(104.01 + 0.0028 * (id - 90), 22.01,"
    " 4326), commune = '00001', updated_at = now(), valid_at = valid_at - interval '30 days',"
    " received_at = received_at - interval '30 days' WHERE id >= :first",
    "of an earlier time": "UPDATE layer.citizen_reports SET valid_at = valid_at - interval '1 day',"
    " updated_at = now() WHERE id >= :first",
    "without a place": "UPDATE layer.citizen_reports SET default_point = true, updated_at = now()"
    " WHERE id >= :first",
}


@pytest.mark.parametrize("how", SHRINKS)
def test_an_alert_whose_records_are_gone_ends_at_once_and_says_so(outbreak, catalogue, how):
    look(outbreak, catalogue)
    scan, twin = sorted(alerts(outbreak), key=lambda one: one.rule)
    assert (scan.severity, scan.status, twin.status) == (
        "urgent", Status.OPEN, Status.SUPPRESSED,
    )  # fmt: skip
    change(outbreak, SHRINKS[how], first=91)
    look(outbreak, catalogue, NOW + timedelta(seconds=2))
    now_ended = {one.id: one for one in alerts(outbreak) if one.id in (scan.id, twin.id)}
    assert {one.status for one in now_ended.values()} == ENDED
    assert "đính chính: còn 0 bản ghi" in now_ended[scan.id].headline_vi
    told = [(number, act) for number, act in notified(outbreak) if number in now_ended]
    assert told == [(scan.id, "open"), (scan.id, "expired")]
    advance_all(outbreak, Catalogue(catalogue.layers), NOW + timedelta(minutes=30))
    assert "escalate" not in acts(outbreak, scan.id) + acts(outbreak, twin.id)
    live = [one for one in alerts(outbreak) if one.status is Status.OPEN and one.stream]
    # What was given another category is evidence of that one.
    assert {one.stream for one in live} == ({"security"} if how == "recategorised" else set())


def test_an_alert_with_fewer_records_has_its_new_numbers_and_its_recipients_are_notified(
    outbreak, catalogue
):
    look(outbreak, catalogue)
    (before,) = [one for one in alerts(outbreak) if one.rule == "scan"]
    change(outbreak, "DELETE FROM layer.citizen_reports WHERE id > 105")
    look(outbreak, catalogue, NOW + timedelta(seconds=2))
    (after,) = [one for one in alerts(outbreak) if one.status is Status.OPEN]
    assert (after.id, after.status) == (before.id, Status.OPEN)
    assert after.observed <= before.observed / 2
    assert set(after.records) < set(before.records)
    assert notified(outbreak) == [(before.id, "open"), (before.id, "corrected")]


@pytest.mark.parametrize("left", range(3, 26, 2))
def test_fewer_records_raise_nothing_new(outbreak, catalogue, left):
    """However many are deleted, nobody is sent a new alert, neither at once nor later."""
    change(outbreak, "DELETE FROM layer.citizen_reports WHERE id > 115")
    look(outbreak, catalogue)
    first = notified(outbreak)
    opened = {number for number, _ in first}
    change(outbreak, "DELETE FROM layer.citizen_reports WHERE id > :last", last=90 + left)
    for seconds in (2, 4):
        look(outbreak, catalogue, NOW + timedelta(seconds=seconds))
        advance_all(outbreak, Catalogue(catalogue.layers), NOW + timedelta(seconds=seconds))
    later = notified(outbreak)[len(first) :]
    assert [act for _, act in later if act not in ("corrected", "expired")] == []
    assert {number for number, _ in later} <= opened


def test_deletions_elsewhere_raise_nothing_new(toy_province, catalogue):
    """What is usual falls, so that what there is seems rarer; nothing happened."""
    report(toy_province, np.tile(noise(), (3, 1)), days=90)
    report(toy_province, cluster(n=4), at=TODAY)
    with toy_province.writing() as connection:
        subscribe(connection, "desk")
    look(toy_province, catalogue)
    before = notified(toy_province)
    change(toy_province, "DELETE FROM layer.citizen_reports WHERE id <= 250")
    look(toy_province, catalogue, NOW + timedelta(seconds=2))
    assert [act for _, act in notified(toy_province)[len(before) :] if act == "open"] == []


def test_a_new_report_after_a_correction_is_news(outbreak, catalogue):
    look(outbreak, catalogue)
    change(outbreak, "DELETE FROM layer.citizen_reports WHERE id > 96")
    look(outbreak, catalogue, NOW + timedelta(seconds=2))
    told = len(notified(outbreak))
    report(outbreak, cluster(104.151, n=30), at=NOW - timedelta(minutes=30))
    look(outbreak, catalogue, NOW + timedelta(seconds=4))
    assert {act for _, act in notified(outbreak)[told:]} & {"open", "notify"}


def test_nothing_escalates_before_its_records_were_evaluated_again(toy_province, catalogue):
    """The service's own clock: the loop of each second comes before the look."""
    now = datetime.now(UTC)
    report(toy_province, noise(), at=now - timedelta(days=1), days=90)
    report(toy_province, cluster(n=60), at=now - HOUR)
    change(toy_province, "UPDATE layer.citizen_reports SET updated_at = :at",
           at=now - timedelta(minutes=20))  # fmt: skip
    look(toy_province, catalogue, now)
    change(toy_province, "UPDATE gis.alert SET escalate_at = now()")
    change(toy_province, "DELETE FROM layer.citizen_reports WHERE id > 95")
    advance_all(toy_province, Catalogue(catalogue.layers), datetime.now(UTC))
    assert all("escalate" not in acts(toy_province, one.id) for one in alerts(toy_province))
    for _ in range(2):
        look(toy_province, catalogue, datetime.now(UTC))
        advance_all(toy_province, Catalogue(catalogue.layers), datetime.now(UTC))
    (scan,) = [one for one in alerts(toy_province) if one.rule == "scan"]
    assert scan.observed <= 5


RULE = {"kind": "count", "id": "many", "title": {"vi": "Nhiều", "en": "Many"}, "at_least": 20,
        "hours": 24, "per": "commune", "tier": "urgent",
        "where": {"category": "traffic"}}  # fmt: skip
BY_RULE: dict[str, Callable[[Database], None]] = {
    "deleted": lambda d: change(d, "DELETE FROM layer.citizen_reports WHERE id > 5"),
    "recategorised": lambda d: change(
        d, "UPDATE layer.citizen_reports SET category = 'security', updated_at = now() WHERE id > 5"
    ),
    "moved": lambda d: change(
        d, "UPDATE layer.citizen_reports SET commune = '00001', updated_at = now() WHERE id > 15"
    ),
}


@pytest.mark.parametrize("how", BY_RULE)
def test_an_alert_of_a_threshold_ends_with_its_records_and_not_minutes_later(
    toy_province, catalogue, how
):
    layer = catalogue.get(LAYER)
    ruled = Layer.model_validate(
        layer.model_dump() | {"alerts": {"rules": [RULE]}, "hotspots": None}
    )
    only = Catalogue((ruled,))
    report(toy_province, cluster(n=30), at=datetime.now(UTC) - HOUR)
    change(toy_province, "UPDATE layer.citizen_reports SET updated_at = now() - interval '1 hour'")
    advance_all(toy_province, only, datetime.now(UTC))
    (alert,) = alerts(toy_province)
    assert (alert.status, alert.observed) == (Status.OPEN, 30)
    BY_RULE[how](toy_province)
    advance_all(toy_province, only, datetime.now(UTC))
    first = next(one for one in alerts(toy_province) if one.id == alert.id)
    assert first.status is Status.EXPIRED
    with toy_province.reading() as connection:
        live = list_alerts(connection, layers=[LAYER], statuses=[Status.OPEN])
    assert live == []


@pytest.mark.parametrize("outcome", [Outcome.FALSE, Outcome.TRUE])
def test_twins_end_together_and_neither_is_notified_again(outbreak, catalogue, outcome):
    """Who judges the cluster has judged the commune that lies within it, on the same records."""
    look(outbreak, catalogue)
    scan, twin = sorted(alerts(outbreak), key=lambda one: one.rule)
    with outbreak.writing() as connection:
        resolve(connection, scan.id, "officer", outcome, "diễn tập")
    advance_all(outbreak, Catalogue(catalogue.layers), NOW + timedelta(seconds=1))
    look(outbreak, catalogue, NOW + timedelta(seconds=2))
    now = {one.id: one for one in alerts(outbreak)}
    assert {now[each.id].status for each in (scan, twin)} == {outcome.status}
    assert {now[each.id].outcome for each in (scan, twin)} == {outcome}
    sent = [(number, act) for number, act in notified(outbreak) if number in (scan.id, twin.id)]
    assert sent == [(scan.id, "open"), (scan.id, outcome.status.value)]
    assert len(now) == 2


@pytest.mark.parametrize("before", [True, False])
def test_a_silence_of_the_scan_is_not_broken_by_the_commune_that_tells_of_the_same(
    outbreak, catalogue, before
):
    """The drill of the how-to; when the silence ends, one of the two is notified."""
    if not before:
        look(outbreak, catalogue)
    known = len(notified(outbreak))
    with outbreak.writing() as connection:
        silence(connection, who="officer", why="diễn tập", rule="scan", communes=["00004"],
                until=datetime.now(UTC) + timedelta(days=1))  # fmt: skip
    change(outbreak, "UPDATE gis.silence SET created_at = :at", at=NOW - HOUR)
    advance_all(outbreak, Catalogue(catalogue.layers), NOW + timedelta(seconds=1))
    look(outbreak, catalogue, NOW + timedelta(seconds=2))
    assert {one.status for one in alerts(outbreak)} == {Status.SUPPRESSED}
    assert len(notified(outbreak)) == known
    change(outbreak, "UPDATE gis.silence SET ended_at = :at", at=NOW + timedelta(seconds=3))
    advance_all(outbreak, Catalogue(catalogue.layers), NOW + timedelta(seconds=4))
    scan, twin = sorted(alerts(outbreak), key=lambda one: one.rule)
    assert (scan.status, twin.status) == (Status.OPEN, Status.SUPPRESSED)
    assert [number for number, _ in notified(outbreak)[known:]] == [scan.id]
