"""The demo's stories, replayed as they arrive: what must be found in time, and what must not."""

import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path

import h3
import pytest

from gis.alerts.actions import list_alerts
from gis.alerts.policy import DAYS_A_YEAR, Tier
from gis.alerts.replay import ReplayedAlerts
from gis.alerts.states import Status
from gis.boundaries.loader import load_boundaries
from gis.boundaries.package_units import package_history
from gis.boundaries.sources import BoundarySource
from gis.boundaries.units import BoundaryQuality
from gis.database.engine import Database
from gis.placing.reference import read_current_communes, stored_territory
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from layers.detect import alarms_of, run_method
from layers.detect.findings_scan import policy_of
from layers.detect.replay import PastEvaluation, past_findings, replay
from layers.ingest.demo import DEFAULT_POINT_RECORDS, Report, simulate_reports, write_csv
from layers.ingest.load import LoadOptions, load_file
from layers.ingest.mode import LoadMode
from layers.storage.sync import sync
from tests.conftest import SHARED
from tests.databases import Server

UNTIL = datetime(2026, 3, 31, 12, tzinfo=UTC)
QUIET_DAYS = 60
SUDDEN, SLOW = "environment", "infrastructure"


@pytest.fixture(scope="module", params=["official", "approximate"])
def province(
    request: pytest.FixtureRequest, postgres: Server, migrated: str, catalogue: Catalogue
) -> Iterator[Database]:
    """The communes, of the development data or computed without any file."""
    if request.param == "official":
        template, source = request.getfixturevalue("lao_cai_template"), None
    else:
        template, source = (
            migrated,
            BoundarySource("vietnamadminunits", BoundaryQuality.APPROXIMATE),
        )
    with postgres.opened(template) as database:
        if source:
            load_boundaries(database, source, package_history())
            with database.writing() as connection:
                sync(connection, catalogue)
        yield database


@pytest.fixture(scope="module")
def layer(catalogue: Catalogue) -> Layer:
    return catalogue.get("citizen_reports")


def told(database: Database, layer: Layer, *, outbreaks: bool) -> list[Report]:
    """The demo's reports, loaded in place of those that were there."""
    with database.reading() as connection:
        communes = read_current_communes(connection)
    reports = simulate_reports(communes, UNTIL, outbreaks=outbreaks)
    options = LoadOptions(
        who="tests",
        source="demo",
        simulated=True,
        mode=LoadMode.REPLACE,
        confirmed=True,
        today=UNTIL.date(),
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reports.csv"
        write_csv(path, reports)
        load_file(database, layer, path, options, lambda done, of: None)
    return reports


@pytest.fixture(scope="module")
def demo(province: Database, layer: Layer) -> list[Report]:
    return told(province, layer, outbreaks=True)


def received(reports: Sequence[Report], words: str) -> list[datetime]:
    """When the reports of a story came in."""
    return [datetime.fromisoformat(one.received_at) for one in reports if words in one.description]


def looks(
    database: Database, layer: Layer, since: datetime, until: datetime
) -> list[PastEvaluation]:
    with database.writing() as connection:
        return list(replay(connection, layer, since, until))


def alarmed(layer: Layer, seen: Sequence[PastEvaluation], stream: str) -> datetime | None:
    """When an alert, not only a watch, would first be raised in the stream."""
    policy = policy_of(layer, [], alarms_of(layer))
    rare = (
        look.until
        for look in seen
        for scan in look.scans
        if scan.stream == stream
        for one in scan.clusters
        if policy.tier(one.recurrence_days, one.observed, one.expected) in (Tier.ALERT, Tier.URGENT)
    )
    return next(rare, None)


def test_the_sudden_outbreak_is_found_within_a_day_of_its_third_report(province, layer, demo):
    third = received(demo, "cá chết")[2]
    seen = looks(province, layer, third - timedelta(days=2), third + timedelta(days=1))
    found = alarmed(layer, seen, SUDDEN)
    assert found and third <= found


def test_the_slow_outbreak_is_found_by_the_fifth_day_of_its_ramp(province, layer, demo):
    first = received(demo, "Nước máy yếu")[0]
    start = UNTIL - timedelta(days=14)
    assert start <= first < start + timedelta(days=1)
    found = alarmed(layer, looks(province, layer, start, start + timedelta(days=5)), SLOW)
    assert found and first < found


def test_the_default_point_is_no_cluster_and_approximate_units_raise_nothing_official(
    province, layer, demo
):
    alone = [one for one in demo if one.lon and one.lat]
    point = max({(one.lat, one.lon) for one in alone}, key=[(o.lat, o.lon) for o in alone].count)
    cell = h3.str_to_int(h3.latlng_to_cell(float(point[0]), float(point[1]), 8))
    report = run_method(province, layer, "stp_scan", UNTIL)
    run_method(province, layer, "series", UNTIL)
    with province.writing() as connection:
        official = stored_territory(connection).official
        alerts = list_alerts(connection, layers=[layer.id])
        seen = list(replay(connection, layer, UNTIL - timedelta(days=1), UNTIL))
    assert report.left_out["default_point"] >= DEFAULT_POINT_RECORDS
    open_ones = [alert for alert in alerts if alert.status is Status.OPEN]
    assert sorted(one.stream for one in open_ones if one.severity != "watch") == [SUDDEN, SLOW]
    assert all(alert.simulated and alert.official == official for alert in alerts)
    scans = [scan for look in seen for scan in look.scans]
    flagged = [one for scan in scans for one in scan.clusters if one.recurrence_days > 30]
    assert flagged
    assert all(cell not in one.cells for one in flagged)


def test_sixty_quiet_days_raise_no_more_than_the_budget_allows(province, layer):
    with province.reading() as connection:
        if not stored_territory(connection).official and SHARED.is_dir():
            pytest.skip("two minutes that would repeat those on the official communes")
    told(province, layer, outbreaks=False)
    ledger = ReplayedAlerts()
    for look in looks(province, layer, UNTIL - timedelta(days=QUIET_DAYS), UNTIL):
        for found in past_findings(layer, look):
            ledger.apply(found)
    tiers = [
        one.alert.last_notification.tier for one in ledger.raised() if one.alert.last_notification
    ]
    raised = [tier for tier in tiers if tier is not Tier.WATCH]
    budget = policy_of(layer, [], alarms_of(layer)).false_alerts_a_year * QUIET_DAYS / DAYS_A_YEAR
    assert len(raised) <= ceil(budget) == 1
