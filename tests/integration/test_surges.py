"""What a typhoon looks like to the service as it runs: many true reports of one day are urgent."""

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from gis.alerts.actions import list_alerts
from gis.alerts.states import Status
from gis.database.engine import Database
from layers.ingest.load import LoadOptions, load_file
from layers.jobs.alert_maintenance import advance_all
from tests.integration.inline_jobs import Runner
from tests.integration.test_hotspots import LAYER, alerts, report

SURGE = 300
VALLEYS = np.array([(104.05, 22.03), (104.12, 22.07), (104.17, 22.03), (104.23, 22.07),
                    (104.27, 22.03)])  # fmt: skip


def valleys(n: int) -> np.ndarray:
    """Points within some kilometres of five places."""
    random = np.random.default_rng(7)
    return VALLEYS[np.arange(n) % 5] + random.uniform(-0.02, 0.02, (n, 2))


@pytest.fixture
def usual(toy_province: Database) -> Database:
    """Forty days on which one source sends five reports, anywhere."""
    random = np.random.default_rng(3)
    anywhere = random.uniform((104.0, 22.0), (104.3, 22.1), (200, 2))
    before = datetime.now(UTC) - timedelta(days=1)
    report(toy_province, anywhere, at=before, days=40, category="disaster", sources=1)
    return toy_province


class Served:
    """What the service does with what has come, step by step: no clock decides a test."""

    def __init__(self, database: Database, catalogue) -> None:
        self._database, self._catalogue = database, catalogue
        self._runner = Runner(database)
        self.settle()

    def settle(self) -> None:
        """Run what is due, and the null distributions that it lacks, until nothing is."""
        for _ in range(4):
            self._runner.run_due(self._catalogue, datetime.now(UTC))
            if not newest_is_unjudged(self._database):
                break
            self._runner.draw_due(self._catalogue, datetime.now(UTC))
        assert not newest_is_unjudged(self._database)
        advance_all(self._database, self._catalogue, datetime.now(UTC))


def newest_is_unjudged(database: Database) -> bool:
    with database.reading() as connection:
        return bool(connection.scalar(text("""
            SELECT NOT EXISTS (
              SELECT FROM gis.hotspot_run r JOIN gis.layer l ON l.id = r.layer_id
              JOIN gis.scan_stream s ON s.run_id = r.id AND s.null_id IS NOT NULL
              WHERE l.id = :layer AND r.method = 'stp_scan' AND r.input_version = l.version)
            """), {"layer": LAYER}))  # fmt: skip


def sent_one_by_one(database: Database, catalogue, folder: Path) -> None:
    for point in valleys(SURGE):
        report(database, point[None], at=datetime.now(UTC), category="disaster", sources=1)


def sent_as_one_file(database: Database, catalogue, folder: Path) -> None:
    """As a hotline writes it down; the last call has just ended."""
    sent_by(database, catalogue, folder, "hotline", valleys(SURGE))


def sent_by_three(database: Database, catalogue, folder: Path) -> None:
    for n in range(3):
        sent_by(database, catalogue, folder, f"office {n}", valleys(SURGE)[n::3])


def sent_by(database: Database, catalogue, folder: Path, source: str, points: np.ndarray) -> None:
    path = folder / f"{source}.csv"
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["report_id", "happened_at", "received_at", "category", "lon", "lat"])
        for n, (lon, lat) in enumerate(points.tolist()):
            at = datetime.now(UTC) - timedelta(minutes=5 + n % 90)
            received = at + timedelta(minutes=4)
            lines.writerow([n, at.isoformat(), received.isoformat(), "disaster", lon, lat])
    today = datetime.now(UTC).date()
    options = LoadOptions(who="tests", source=source, today=today)
    load_file(database, catalogue.get(LAYER), path, options, lambda done, of: None)


@pytest.mark.parametrize("sent", [sent_one_by_one, sent_as_one_file, sent_by_three])
def test_three_hundred_true_reports_of_a_day_are_urgent_at_once(usual, catalogue, tmp_path, sent):
    service = Served(usual, catalogue)
    sent(usual, catalogue, tmp_path)
    service.settle()
    (first, *_) = urgent(usual)
    assert first.stream == "disaster"
    assert first.observed >= 20
    assert [one for one in alerts(usual) if one.rule in ("held_back", "undated")] == []


def urgent(database: Database) -> list:
    with database.reading() as connection:
        found = list_alerts(connection, layers=[LAYER], statuses=[Status.OPEN])
    return [one for one in found if one.severity == "urgent" and one.rule in ("scan", "series")]


def test_a_backlog_with_its_true_dates_raises_no_alarm_and_is_to_be_watched(usual, catalogue):
    now = datetime.now(UTC)
    service = Served(usual, catalogue)
    report(usual, valleys(30)[::5], at=now - timedelta(days=9), days=6, received=now,
           category="disaster", sources=1)  # fmt: skip
    service.settle()
    (only,) = alerts(usual)
    assert (only.rule, only.severity, only.observed) == ("held_back", "watch", 6)


def test_records_without_a_time_of_their_own_are_reported_and_asked_about_at_once(usual, catalogue):
    service = Served(usual, catalogue)
    report(usual, valleys(40), at=datetime.now(UTC), category="disaster", sources=1)
    with usual.writing() as connection:
        connection.execute(text("UPDATE layer.citizen_reports SET valid_at = NULL"
                                " WHERE id > 200"))  # fmt: skip
    service.settle()
    (asked,) = [one for one in alerts(usual) if one.rule == "undated"]
    assert (asked.severity, asked.status) == ("alert", Status.OPEN)
    assert asked.observed == len(asked.records) == 40
    with usual.writing() as connection:
        connection.execute(text("UPDATE layer.citizen_reports SET valid_at = received_at,"
                                " updated_at = now() WHERE id > 200"))  # fmt: skip
    service.settle()
    assert urgent(usual)
    (asked,) = [one for one in alerts(usual) if one.rule == "undated"]
    assert asked.status is Status.EXPIRED
