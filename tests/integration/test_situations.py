"""A night on which five valleys call: one situation, told within seconds, and little besides."""

import csv
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from gis.alerts.actions import get_alert, history, list_alerts, resolve
from gis.alerts.gathering import SITUATION
from gis.alerts.silences import silence
from gis.alerts.states import Outcome, Status
from gis.boundaries.loader import load_boundaries
from gis.boundaries.package_units import package_history
from gis.boundaries.sources import BoundarySource
from gis.boundaries.units import BoundaryQuality
from gis.database.engine import Database
from gis.notify.backoff import Backoff
from gis.notify.cap.publication import publish_due
from gis.placing.cells import h3_cells
from layers.definition.catalogue import Catalogue
from layers.detect import run_method
from layers.ingest.load import LoadOptions, load_file
from layers.jobs.alert_maintenance import advance_all
from layers.storage.sync import sync
from tests.databases import Server, template
from tests.integration.notify.made import make_alert, step, subscribe
from tests.integration.test_hotspots import LAYER
from tests.provinces import grid_communes, write_boundaries

__all__ = []

SURGE = 300
_INSERT = text("""
INSERT INTO layer.citizen_reports (geom, h3, default_point, valid_at, received_at, source,
  source_key, updated_at, category, commune, provenance)
VALUES (ST_Point(:lon, :lat, 4326), :cell, false, :at, :at, :source, :key, :at, :category, :commune,
        CAST(:provenance AS jsonb))
""")


def report(
    database: Database,
    communes: list[str],
    points: np.ndarray,
    times: list[datetime],
    category: str = "disaster",
    source: str = "hotline",
    simulated: bool = False,
) -> None:
    rows = [
        {"lon": lon, "lat": lat, "cell": int(cell), "at": at, "source": source, "commune": commune,
         "key": f"{category} {at.timestamp()} {n}", "category": category,
         "provenance": '{"simulated": true}' if simulated else "{}"}
        for n, ((lon, lat), cell, at, commune) in enumerate(
            zip(points.tolist(), h3_cells(*points.T.copy()), times, communes, strict=True))
    ]  # fmt: skip
    with database.writing() as connection:
        connection.execute(_INSERT, rows)


@pytest.fixture(scope="module")
def grid(
    postgres: Server, migrated: str, catalogue: Catalogue, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database's name, with 99 square communes and forty usual days, to clone from."""
    path = write_boundaries(tmp_path_factory.mktemp("grid"), grid_communes())
    source = BoundarySource("grid", BoundaryQuality.OFFICIAL, (path,))
    with template(postgres, migrated) as (name, database):
        load_boundaries(database, source, package_history())
        with database.writing() as connection:
            sync(connection, catalogue)
        live_as_usual(database)
        evaluate(database, catalogue, prompt=False)  # draws the null distributions
        assert not [one for one in alerts(database) if one.severity != "watch"]
        database.close()
        yield name


@pytest.fixture
def usual(postgres: Server, grid: str) -> Iterator[Database]:
    with postgres.opened(grid) as opened:
        yield opened


@pytest.fixture
def places(usual: Database) -> dict[str, tuple[float, float]]:
    return places_of(usual)


def places_of(database: Database) -> dict[str, tuple[float, float]]:
    """A point within each commune, by code."""
    with database.reading() as connection:
        rows = connection.execute(text(
            "SELECT code, ST_X(p) AS x, ST_Y(p) AS y FROM (SELECT code, ST_PointOnSurface(geom) p"
            " FROM layer.communes ORDER BY code) c"))  # fmt: skip
        return {row.code: (row.x, row.y) for row in rows}


def live_as_usual(database: Database) -> None:
    """Forty days of 42 reports, of all subjects, anywhere; and a desk that is to be notified."""
    places, random, now = places_of(database), np.random.default_rng(3), datetime.now(UTC)
    codes = random.choice(sorted(places), 40 * 42).tolist()
    points = np.array([places[code] for code in codes]) + random.uniform(-0.01, 0.01, (1680, 2))
    times = [
        now - timedelta(hours=30) - timedelta(days=40) * share for share in random.random(1680)
    ]
    for n, category in enumerate(("traffic", "disaster", "environment")):
        report(database, codes[n::3], points[n::3], times[n::3], category)
    with database.writing() as connection:
        subscribe(connection, "desk", least_severity="alert")


def valleys(places, n: int, seed: int = 7) -> tuple[list[str], np.ndarray]:
    """Five communes far apart, in turn, and points within a kilometre or so of their middles."""
    five = sorted(places)[5:95:20]
    codes = [five[each % 5] for each in range(n)]
    jitter = np.random.default_rng(seed).uniform(-0.012, 0.012, (n, 2))
    return codes, np.array([places[code] for code in codes]) + jitter


def evaluate(
    database: Database,
    catalogue: Catalogue,
    at: datetime | None = None,
    *,
    prompt: bool = True,
) -> datetime:
    """The alarms in the order of the service, and what its leader does."""
    at = at or datetime.now(UTC)
    for method in ("stp_scan", "series"):
        run_method(database, catalogue.get(LAYER), method, at, prompt=prompt)
    advance_all(database, catalogue, at)
    return at


def alerts(database: Database) -> list:
    with database.reading() as connection:
        return list_alerts(connection, layers=[LAYER])


def situation(database: Database):
    (only,) = [one for one in alerts(database) if one.rule == SITUATION]
    return only


def notified(database: Database) -> list[tuple[int, str, str]]:
    """Number, rule and act of what the desk is sent, in order."""
    with database.reading() as connection:
        rows = connection.execute(text(
            "SELECT n.alert_id, n.alert ->> 'rule', n.act FROM gis.delivery d"
            " JOIN gis.notification n ON n.seq = d.seq ORDER BY d.id"))  # fmt: skip
        return [tuple(row) for row in rows]


def one_by_one(database: Database, catalogue: Catalogue, folder: Path, places) -> None:
    """Sixty a minute; each second the service evaluates what has come."""
    codes, points = valleys(places, SURGE)
    start = datetime.now(UTC) - timedelta(minutes=1)
    for n in range(0, SURGE, 20):
        times = [start + timedelta(seconds=0.2 * each) for each in range(n, n + 20)]
        report(database, codes[n : n + 20], points[n : n + 20], times)
        if n < 100 or n == SURGE - 20:
            evaluate(database, catalogue)


def one_file(database: Database, catalogue: Catalogue, folder: Path, places) -> None:
    send(database, catalogue, folder / "hotline.csv", valleys(places, SURGE)[1])
    evaluate(database, catalogue)


def three_senders(database: Database, catalogue: Catalogue, folder: Path, places) -> None:
    _, points = valleys(places, SURGE)
    for n in range(3):
        send(database, catalogue, folder / f"office{n}.csv", points[n::3])
        evaluate(database, catalogue)


def send(database: Database, catalogue: Catalogue, path: Path, points: np.ndarray) -> None:
    now = datetime.now(UTC)
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["report_id", "happened_at", "received_at", "category", "lon", "lat"])
        for n, (lon, lat) in enumerate(points.tolist()):
            at = now - timedelta(minutes=5 + n % 90)
            received = at + timedelta(minutes=4)
            lines.writerow([n, at.isoformat(), received.isoformat(), "disaster", lon, lat])
    options = LoadOptions(who="tests", source=path.stem, today=now.date())
    load_file(database, catalogue.get(LAYER), path, options, lambda done, of: None)


@pytest.mark.parametrize("sent", [one_by_one, one_file, three_senders])
def test_a_night_of_five_valleys_is_one_situation_and_at_most_three_notifications(
    usual, places, catalogue, tmp_path, sent: Callable[..., None]
):
    sent(usual, catalogue, tmp_path, places)
    found = situation(usual)
    assert (found.severity, found.status) == ("urgent", Status.OPEN)
    five = set(valleys(places, 5)[0])
    assert five <= {code for code, _ in found.communes}
    assert "Thiên tai" in found.headline_vi and "Natural disaster" in found.headline_en
    assert found.observed >= 100 and len(found.records) >= 250
    for name in (name for code, name in found.communes if code in five):
        assert name in found.detail_vi
    assert "Chưa nạp dữ liệu: số dân, cơ sở y tế, đường" in found.detail_vi
    sent_to_desk = notified(usual)
    others = {number for number, rule, _ in sent_to_desk if rule != SITUATION}
    # What comes within ten minutes is one, the newest, of each alert.
    assert len({number for number, _, _ in sent_to_desk}) <= 3
    assert len(others) <= 2
    beneath = [one for one in alerts(usual) if one.within_id == found.id]
    assert len(beneath) >= 5
    assert {one.status for one in beneath} <= {Status.OPEN, Status.SUPPRESSED}


def surge(database: Database, places, n: int = 150, **changes) -> datetime:
    codes, points = valleys(places, n)
    now = datetime.now(UTC)
    report(database, codes, points, [now - timedelta(minutes=1)] * n, **changes)
    return now


def test_what_lies_outside_a_situation_is_notified_by_itself(usual, places, catalogue):
    """Neither another subject in its communes, nor one elsewhere: both began days before."""
    now = surge(usual, places)
    evaluate(usual, catalogue)
    inside, elsewhere = situation(usual).communes[0][0], sorted(places)[50]
    for code, category in ((elsewhere, "traffic"), (inside, "environment")):
        jitter = np.random.default_rng(1).uniform(-0.01, 0.01, (30, 2))
        times = [now - timedelta(hours=30 + 2 * n) for n in range(30)]
        report(usual, [code] * 30, np.array([places[code]]) + jitter, times, category)
    evaluate(usual, catalogue)
    outside = [one for one in alerts(usual) if one.rule == "scan" and one.within_id is None
               and one.severity != "watch"]  # fmt: skip
    told = {number for number, _, _ in notified(usual)}
    assert {one.stream for one in outside} == {"environment", "traffic"}
    assert {one.id for one in outside} <= told


def test_who_is_not_notified_of_the_situation_is_notified_of_its_alerts(usual, places, catalogue):
    """Of a subscription for other communes the province is the only one of these alerts."""
    surge(usual, places)
    with usual.writing() as connection:
        connection.execute(text("UPDATE gis.subscription SET communes = '{00000}'"))
    evaluate(usual, catalogue)
    assert [(rule, act) for _, rule, act in notified(usual)] == [("series", "open")]
    (province,) = {number for number, _, _ in notified(usual)}
    (told,) = [one for one in alerts(usual) if one.id == province]
    assert told.communes == () and told.within_id == situation(usual).id


@pytest.mark.parametrize("is_public", [True, False])
def test_alerts_of_other_layers_lie_within_a_public_situation_and_are_notified_as_ever(
    usual, places, catalogue, is_public
):
    """Of one that is closed they are told nothing."""
    surge(usual, places)
    evaluate(usual, catalogue)
    found = situation(usual)
    with usual.writing() as connection:
        if not is_public:
            connection.execute(text(
                "UPDATE gis.layer SET definition = jsonb_set(definition, '{access,read}',"
                " '\"department\"') WHERE id = :id"), {"id": LAYER})  # fmt: skip
        number = make_alert(connection, layer_id="field_incidents", simulated=False,
                            communes=[found.communes[0][0]], severity="urgent")  # fmt: skip
        connection.execute(text("UPDATE gis.alert SET rule = 'scan' WHERE id = :id"),
                           {"id": number})  # fmt: skip
    advance_all(usual, catalogue, datetime.now(UTC))
    with usual.reading() as connection:
        other = get_alert(connection, number)
    assert other.status is Status.OPEN
    assert other.within_id == (found.id if is_public else None)
    with usual.writing() as connection:
        step(connection, number, "notify")
    assert [act for n, _, act in notified(usual) if n == number] == ["open", "notify"]


def test_a_situation_is_a_cap_document_with_its_own_name(usual, places, catalogue):
    surge(usual, places)
    evaluate(usual, catalogue)
    while publish_due(usual, "ioc.example.vn", Backoff()):
        pass
    with usual.reading() as connection:
        documents = connection.scalars(text(
            "SELECT document FROM gis.cap_message WHERE alert_id = :id ORDER BY sent"),
            {"id": situation(usual).id}).all()  # fmt: skip
        failed = connection.scalar(text("SELECT count(*) FROM gis.cap_retry"))
    assert failed == 0 and len(documents) >= 1
    document = str(documents[0])
    assert "<event>Tình huống khẩn cấp</event>" in document
    assert "<event>Emergency situation</event>" in document
    assert "<certainty>Likely</certainty>" in document


def test_silences_of_ordinary_days_do_not_hold_on_a_situation(usual, places, catalogue):
    with usual.writing() as connection:
        silence(connection, who="officer", why="diễn tập", layer_id=LAYER,
                until=datetime.now(UTC) + timedelta(hours=8))  # fmt: skip
    surge(usual, places)
    evaluate(usual, catalogue)
    assert situation(usual).status is Status.OPEN
    assert [rule for _, rule, _ in notified(usual)] == [SITUATION]
    with usual.writing() as connection:
        silence(connection, who="officer", why="diễn tập toàn tỉnh", rule=SITUATION,
                until=datetime.now(UTC) + timedelta(hours=8))  # fmt: skip
    advance_all(usual, catalogue, datetime.now(UTC))
    assert situation(usual).status is Status.SUPPRESSED


@pytest.mark.parametrize("simulated", [0, 20, 140])
def test_a_situation_is_simulated_if_most_of_its_records_are(usual, places, catalogue, simulated):
    surge(usual, places, 150 - simulated)
    if simulated:
        surge(usual, places, simulated, simulated=True, source="demo", category="traffic")
    evaluate(usual, catalogue)
    found = situation(usual)
    assert found.simulated == (simulated > 75)
    assert ("là mô phỏng" in found.detail_vi) == (simulated > 0)


def test_a_situation_ends_with_its_evidence_and_what_goes_on_is_notified(usual, places, catalogue):
    now = surge(usual, places)
    evaluate(usual, catalogue)
    found = situation(usual)
    before = {number for number, _, _ in notified(usual)}
    beneath = {one.id for one in alerts(usual) if one.within_id and one.status is Status.OPEN}
    assert before == {found.id}
    evaluate(usual, catalogue, now + timedelta(hours=20))
    evaluate(usual, catalogue, now + timedelta(hours=30))
    assert situation(usual).status is Status.OPEN  # it was seen ten hours ago
    evaluate(usual, catalogue, now + timedelta(hours=33))
    assert situation(usual).status is Status.EXPIRED
    after = {one.id: one for one in alerts(usual)}
    assert {one.within_id for one in after.values() if one.status is Status.OPEN} == {None}
    open_yet = {number for number in beneath if after[number].status is Status.OPEN
                and after[number].severity != "watch"}  # fmt: skip
    assert open_yet and open_yet <= {number for number, _, _ in notified(usual)}


# As deletions, corrections of the category, of the time and of the place leave the records.
SHRINKS = {
    "deleted": "DELETE FROM layer.citizen_reports WHERE id = ANY(:ids)",
    "recategorised": "UPDATE layer.citizen_reports SET category = 'security', updated_at = now()"
    " WHERE id = ANY(:ids) AND id % 9 > 0",
    "of an earlier time": "UPDATE layer.citizen_reports SET updated_at = now(), valid_at = valid_at"
    " - interval '20 days', received_at = received_at - interval '20 days' WHERE id = ANY(:ids)",
    "without a place": "UPDATE layer.citizen_reports SET default_point = true, updated_at = now()"
    " WHERE id = ANY(:ids)",
}


@pytest.mark.parametrize("how", SHRINKS)
def test_records_that_are_corrected_end_a_situation_at_once(usual, places, catalogue, how):
    surge(usual, places)
    evaluate(usual, catalogue)
    found = situation(usual)
    with usual.writing() as connection:
        connection.execute(text(SHRINKS[how]), {"ids": list(found.records[10:])})
    evaluate(usual, catalogue)
    same = next(one for one in alerts(usual) if one.id == found.id)
    if how == "recategorised":  # the same night, of another subject
        assert same.status is Status.OPEN
        assert same.headline_vi.startswith("Tình huống khẩn cấp – An ninh trật tự")
        return
    assert same.status is Status.EXPIRED
    assert "đính chính: còn" in same.headline_vi
    assert [act for number, _, act in notified(usual) if number == found.id] == ["open", "expired"]


def test_a_situation_with_half_of_its_records_is_corrected(usual, places, catalogue):
    surge(usual, places)
    evaluate(usual, catalogue)
    found = situation(usual)
    with usual.writing() as connection:
        connection.execute(text("DELETE FROM layer.citizen_reports WHERE id = ANY(:ids)"),
                           {"ids": list(found.records[50:])})  # fmt: skip
    evaluate(usual, catalogue)
    after = situation(usual)
    assert after.status is Status.OPEN and after.observed <= found.observed / 2
    acts = [act for number, _, act in notified(usual) if number == found.id]
    assert acts == ["open", "corrected"]


def test_who_resolves_a_situation_ends_what_is_of_its_records(usual, places, catalogue):
    surge(usual, places)
    evaluate(usual, catalogue)
    found = situation(usual)
    with usual.writing() as connection:
        resolve(connection, found.id, "officer", Outcome.FALSE, "diễn tập")
    evaluate(usual, catalogue)
    rest = [one for one in alerts(usual) if one.stream == "disaster"]
    assert {one.status for one in rest} == {Status.FALSE}
    assert {rule for _, rule, _ in notified(usual)} == {SITUATION}
    with usual.reading() as connection:
        (line,) = [e for e in history(connection, rest[0].id) if e.act == "false"]
    assert line.who == "officer" and line.note == f"false: with alert {found.id}: diễn tập"
