"""Null distributions are drawn beside the runs: a report is judged at once, at midnight too."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import text

from gis.database.engine import Database
from layers.definition.model import Layer
from layers.detect import RunReport, repeat_run, run_method
from layers.detect.null_distribution import NullPrecomputation
from layers.jobs.detection import due_runs
from tests.integration.inline_jobs import Runner
from tests.integration.test_hotspots import LAYER, alerts, cluster, count, report

EVENING = datetime(2026, 3, 31, 16, 30, tzinfo=UTC)  # 23:30 in Vietnam
MIDNIGHT = datetime(2026, 3, 31, 17, 0, 1, tzinfo=UTC)
DRAWN = "gis.scan_null"


def noise(n: int = 600) -> np.ndarray:
    return np.random.default_rng(3).uniform((104.0, 22.0), (104.3, 22.1), (n, 2))


@pytest.fixture
def layer(catalogue) -> Layer:
    return catalogue.get(LAYER)


@pytest.fixture
def quiet(toy_province: Database) -> Database:
    """Six hundred reports in eighty days, so many that their null is not drawn within a run."""
    report(toy_province, noise(), at=EVENING - timedelta(hours=1), days=80)
    return toy_province


def run(database: Database, layer: Layer, until: datetime, *, prompt: bool = True) -> RunReport:
    return run_method(database, layer, "stp_scan", until, prompt=prompt)


def draw_all(database: Database, layer: Layer, now: datetime) -> list[str]:
    drawer = NullPrecomputation(database)
    return list(iter(lambda: drawer.draw_next(layer, now), None))


def streams(database: Database, run: RunReport) -> dict[str, tuple[int | None, float | None]]:
    """Of each stream that a run read, its null and its p."""
    asked = text("SELECT stream, null_id, p FROM gis.scan_stream WHERE run_id = :run")
    with database.reading() as connection:
        found = connection.execute(asked, {"run": run.run_id})
        return {row.stream: (row.null_id, row.p) for row in found}


def is_due(database: Database, catalogue, now: datetime) -> bool:
    due = {(one.layer.id, one.method) for one in due_runs(database, catalogue, now)}
    return (LAYER, "stp_scan") in due


def test_a_report_after_midnight_is_judged_by_the_null_distribution_of_the_day_before(
    quiet, layer, catalogue
):
    run(quiet, layer, EVENING, prompt=False)
    report(quiet, cluster(), at=MIDNIGHT)
    judged = run(quiet, layer, MIDNIGHT)
    assert (count(quiet, DRAWN), len(judged.alerts.opened)) == (1, 1)
    assert repeat_run(quiet, judged.run_id).equal
    assert not is_due(quiet, catalogue, MIDNIGHT)
    assert draw_all(quiet, layer, MIDNIGHT) == ["traffic"]
    assert is_due(quiet, catalogue, MIDNIGHT)
    again = run(quiet, layer, MIDNIGHT)
    assert streams(quiet, again)["traffic"][0] != streams(quiet, judged)["traffic"][0]
    assert not is_due(quiet, catalogue, MIDNIGHT)
    assert count(quiet, DRAWN) == 2
    assert len(alerts(quiet)) == 1


def test_the_null_distribution_of_tomorrow_is_drawn_in_the_last_hour_and_found_after_midnight(
    quiet, layer
):
    run(quiet, layer, EVENING, prompt=False)
    assert draw_all(quiet, layer, EVENING - timedelta(hours=1)) == []
    assert draw_all(quiet, layer, EVENING) == ["traffic"]
    assert streams(quiet, run(quiet, layer, MIDNIGHT))["traffic"][0] == 2
    assert draw_all(quiet, layer, MIDNIGHT) == []
    assert repeat_run(quiet, 2).equal


def test_a_stream_without_a_null_distribution_keeps_no_other_waiting(quiet, layer, catalogue):
    run(quiet, layer, EVENING, prompt=False)
    report(quiet, noise() + 0.001, at=EVENING - timedelta(hours=1), days=80, category="security")
    first = run(quiet, layer, EVENING)
    found = streams(quiet, first)
    assert found["security"] == (None, None)
    assert found["traffic"][0] == 1
    assert repeat_run(quiet, first.run_id).equal
    assert draw_all(quiet, layer, EVENING - timedelta(hours=1)) == ["security"]
    assert is_due(quiet, catalogue, EVENING)
    assert streams(quiet, run(quiet, layer, EVENING))["security"][0] == 2


def test_a_stream_of_few_cases_has_its_null_distribution_drawn_within_the_run(toy_province, layer):
    report(toy_province, noise(20), at=EVENING - timedelta(hours=1), days=20)
    assert streams(toy_province, run(toy_province, layer, EVENING))["traffic"][0] == 1


def test_after_an_upgrade_the_null_distribution_of_the_version_before_serves_at_first(quiet, layer):
    run(quiet, layer, EVENING, prompt=False)
    with quiet.writing() as connection:
        connection.execute(text("UPDATE gis.scan_null SET code_version = '0.0.9'"))
    assert streams(quiet, run(quiet, layer, EVENING))["traffic"][0] == 1
    assert draw_all(quiet, layer, EVENING - timedelta(hours=1)) == ["traffic"]
    assert streams(quiet, run(quiet, layer, EVENING))["traffic"][0] == 2


def test_the_null_distribution_that_is_lacking_most_is_drawn_first(quiet, layer):
    before = EVENING - timedelta(hours=1)
    report(quiet, noise() + 0.001, at=before, days=80, category="security")
    run(quiet, layer, EVENING, prompt=False)
    report(quiet, noise(20) + 0.002, at=before, days=20, category="security")
    report(quiet, noise(60) + 0.002, at=before, days=20)
    report(quiet, noise() + 0.003, at=before, days=80, category="disaster")
    run(quiet, layer, EVENING)
    assert draw_all(quiet, layer, before) == ["disaster", "traffic", "security"]


def test_a_null_distribution_of_far_fewer_cases_does_not_serve(quiet, layer):
    run(quiet, layer, EVENING, prompt=False)
    report(quiet, noise(60) + 0.001, at=EVENING - timedelta(hours=1), days=20)
    assert streams(quiet, run(quiet, layer, EVENING)) == {"traffic": (None, None)}


def test_the_series_wait_until_the_scan_that_inhibits_them_has_judged(
    toy_province, layer, catalogue
):
    now = datetime.now(UTC)
    report(toy_province, noise(), at=now - timedelta(hours=1), days=80)
    runner = Runner(toy_province)
    first = {one.method for one in runner.run_due(catalogue, now)}
    assert "stp_scan" in first and "series" not in first
    draw_all(toy_province, layer, now)
    again = runner.run_due(catalogue, datetime.now(UTC))
    assert {one.method for one in again} >= {"stp_scan", "series"}


def test_the_series_do_not_wait_for_nulls_that_cannot_be_drawn(
    toy_province, catalogue, monkeypatch
):
    now = datetime.now(UTC)
    report(toy_province, noise(), at=now - timedelta(hours=1), days=80)
    runner = Runner(toy_province)
    runner.run_due(catalogue, now)
    with monkeypatch.context() as broken:
        broken.setattr("layers.detect.null_distribution.draw_null", lambda *of: 1 / 0)
        runner.draw_due(catalogue, now)
    assert "series" in {one.method for one in runner.run_due(catalogue, now)}
