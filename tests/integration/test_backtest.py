"""Rules tried on the past: the alerts that would have been, without a trace in the database."""

import json
import re
import shutil
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from api.cli import command_line
from gis.errors import BadInput
from gis.placing.reference import stored_territory
from layers.detect import run_method
from layers.detect.backtest import backtest, by_day, seen_injected
from layers.detect.injection import Injection
from layers.detect.replay import evaluation_times, replay
from layers.jobs.alert_maintenance import advance_all
from tests.conftest import LAYERS
from tests.integration.test_hotspots import (
    LAYER,
    NOW,
    alerts,
    cluster,
    late_from_a_village,
    noise,
    report,
)
from tests.integration.test_thresholds import LEVEL, QUIET, gauges, measured

__all__ = ["measured"]  # a fixture

START = NOW - timedelta(days=2)


def tried(database, layer, since=START, until=NOW, **more):
    with database.writing() as connection:
        return backtest(connection, layer, since, until, **more)


def flood(measured):
    """A reading an hour; high water from 30 to 20 hours before NOW."""
    hours = range(48, -1, -1)
    return measured(*[(60 * h, "Bảo Hà", 4.0 if 20 <= h <= 30 else 1.0) for h in hours])


def test_a_rule_is_replayed_hour_by_hour(measured):
    result = tried(flood(measured), gauges(LEVEL))
    (past,) = result.alerts
    acts = [line.act for line in past.history if line.act != "update"]
    assert acts == ["pending", "open", "expired"]
    assert past.opened_at == NOW - timedelta(hours=29)  # the first reading half an hour later
    assert past.ended_at == NOW - timedelta(hours=19)
    assert by_day(result) == [{"day": "2026-03-30", "watch": 0, "alert": 1, "urgent": 0, "live": 1}]


def test_the_past_of_a_backtest_is_what_was_known_then(measured):
    result = tried(flood(measured), gauges(LEVEL), until=NOW - timedelta(hours=31))
    assert result.alerts == ()


def test_one_rule_of_several_may_be_tried(measured):
    layer = gauges(LEVEL, QUIET)
    database = flood(measured)
    assert [past.alert.rule for past in tried(database, layer, rule="by_quiet").alerts] == []
    with pytest.raises(BadInput, match="no rule by_nobody; it has by_sensor, by_quiet"):
        tried(database, layer, rule="by_nobody")


def test_a_time_that_is_none_is_refused(measured):
    with pytest.raises(BadInput, match="is no time for a backtest"):
        tried(measured(), gauges(LEVEL), since=NOW)
    with pytest.raises(BadInput, match="within 400 days"):
        tried(measured(), gauges(LEVEL), since=NOW - timedelta(days=401))


def test_the_alarm_is_replayed_report_by_report_against_its_budget(toy_province, catalogue):
    report(toy_province, noise(), days=90)
    report(toy_province, cluster(), at=NOW - timedelta(hours=30))
    result = tried(toy_province, catalogue.get(LAYER), NOW - timedelta(days=5))
    (past,) = result.alerts
    assert past.opened_at == NOW - timedelta(hours=30)
    assert result.counted == 1
    assert result.allowed == pytest.approx(4 * 5 / 365)


def test_days_on_which_reports_were_held_back_are_shown(toy_province, catalogue):
    late_from_a_village(toy_province)
    layer, since = catalogue.get(LAYER), NOW - timedelta(days=10)
    (past,) = tried(toy_province, layer, since).alerts
    assert (past.alert.rule, past.alert.signal.observed) == ("held_back", 7)
    assert past.opened_at == NOW - timedelta(hours=1)
    (again,) = tried(toy_province, layer, since, rule="held_back").alerts
    assert again.alert == past.alert
    assert tried(toy_province, layer, since, rule="scan").alerts == ()
    assert by_day(tried(toy_province, layer, since))[0]["watch"] == 1
    assert tried(toy_province, layer, since).counted == 0


def test_after_a_backlog_of_the_same_day_the_past_is_as_it_was(toy_province, catalogue):
    """A look of the service, and the same moment replayed when more has come since."""
    report(toy_province, noise(), days=90)
    report(toy_province, cluster(), at=NOW - timedelta(hours=6), sources=1)
    layer, then = catalogue.get(LAYER), NOW - timedelta(hours=5)
    run_method(toy_province, layer, "stp_scan", then)
    (live,) = alerts(toy_province)
    old = NOW - timedelta(days=9)
    report(toy_province, cluster(104.2, n=60), at=old, received=NOW - timedelta(hours=4), sources=1)
    (past,) = tried(toy_province, layer, NOW - timedelta(hours=8), rule="scan").alerts
    assert (past.alert.rule, past.alert.last_notification.tier) == (live.rule, live.severity)
    assert past.opened_at == NOW - timedelta(hours=6)
    assert past.alert.last_notification.records == set(live.records)


def test_an_evaluation_follows_the_reports_of_ten_minutes_and_the_beginning_of_each_day():
    minutes = [0, 3, 9, 12, 16 * 60 - 1, 16 * 60 + 1]
    received = pd.Series(pd.to_datetime([START + timedelta(minutes=n) for n in minutes]))
    until = START + timedelta(hours=30)  # START is at 19:00 in Vietnam, where two days begin
    looks = evaluation_times(received, START, until)
    told = [(one - START) / timedelta(minutes=1) for one in looks]
    assert told == [9, 12, 5 * 60, 16 * 60 - 1, 16 * 60 + 1, 29 * 60]


def test_only_streams_with_a_report_are_evaluated_again_but_all_as_a_day_begins(
    toy_province, catalogue
):
    report(toy_province, noise(), days=90)  # each at 12:00 UTC of its day, or before
    report(toy_province, noise()[:3], at=NOW - timedelta(hours=4), category="security")
    with toy_province.writing() as connection:
        since = NOW - timedelta(hours=20)
        looks = list(replay(connection, catalogue.get(LAYER), since, NOW))
    told = [(NOW - one.until, [scan.stream for scan in one.scans]) for one in looks]
    begin, last = timedelta(hours=19), timedelta(hours=4)
    assert told == [(begin, ["traffic"]), (last, ["security"])]
    assert [[each.stream for each in one.series] for one in looks] == [["traffic"], ["security"]]


def test_a_backtest_leaves_no_trace(measured):
    database = flood(measured)
    tried(database, gauges(LEVEL))
    with database.reading() as connection:
        for table in ("alert", "alert_event", "alert_evaluation"):
            assert connection.scalar(text(f"SELECT count(*) FROM gis.{table}")) == 0


@pytest.fixture
def gis(toy_province, monkeypatch):
    """Run the command line on the toy province."""
    url = toy_province.url.replace("postgresql+psycopg", "postgresql")
    monkeypatch.setenv("GIS_DATABASE_URL", url)
    runner = CliRunner()

    def run(*words: str, code: int = 0):
        done = runner.invoke(command_line(), list(words))
        assert done.exit_code == code, done.output
        return str(done.exception) if code else done.output

    return run


def test_the_command_line_does_what_operators_do(toy_province, catalogue, gis, tmp_path):
    report(toy_province, noise(), days=90)
    report(toy_province, cluster())
    gis("hotspots", "run", LAYER, "--until", "2026-03-31T12:00:00", "--method", "stp_scan")
    assert '"status": "open"' in gis("alerts", "list", "--json")
    shown = gis("alerts", "show", "1", "--json")
    assert '"act": "open"' in shown
    assert '"category": "traffic"' in shown
    assert "reporter" not in shown
    gis("alerts", "comment", "1", "đang xem")
    gis("alerts", "ack", "1", "--note", "đã gọi xã")
    gis("alerts", "silence", "--commune", "00004", "--why", "tập trận", "--hours", "2")
    advance_all(toy_province, catalogue, NOW)
    assert "tập trận" in gis("alerts", "silences")
    gis("alerts", "unsilence", "1")
    assert "is true" not in gis("alerts", "resolve", "1", "true", "--note", "sạt lở")
    assert '"share_true": 1.0' in gis("alerts", "precision", "--json")
    assert "budget" in gis("alerts", "calibration", LAYER)
    svg = tmp_path / "past.svg"
    told = gis("alerts", "backtest", LAYER, "--since", "2026-03-29", "--until", "2026-04-01",
               "--picture", str(svg))  # fmt: skip
    assert "alarms against budget" in told
    assert svg.read_text(encoding="utf-8").startswith("<svg")


def test_a_time_without_records_raises_nothing_and_says_that_there_were_none(gis):
    told = gis("alerts", "backtest", LAYER, "--since", "2026-07-01", "--until", "2026-07-20")
    assert "nothing would have been raised" in told
    assert re.search(r"^records +0$", told, re.MULTILINE)


@pytest.mark.parametrize("broken", ["landslides", LAYER])
def test_a_layer_file_at_fault_keeps_no_officer_from_their_alerts(
    toy_province, gis, tmp_path, monkeypatch, broken
):
    report(toy_province, noise(), days=90)
    report(toy_province, cluster())
    gis("hotspots", "run", LAYER, "--until", "2026-03-31T12:00:00", "--method", "stp_scan")
    shutil.copytree(LAYERS, tmp_path / "layers", ignore=shutil.ignore_patterns("*.py"))
    (tmp_path / "layers" / f"{broken}.yaml").write_text("id: [\n", encoding="utf-8")
    monkeypatch.setenv("GIS_LAYERS", str(tmp_path / "layers"))
    for words in (
        ("list",),
        ("list", "--layer", LAYER),
        ("show", "1"),
        ("silence", "--layer", LAYER, "--rule", "scan", "--why", "x"),
        ("precision",),
    ):
        told = gis("alerts", *words)
        assert f"{broken}.yaml:2: " in told, words
    assert "citizen_reports" in gis("alerts", "list")
    said = "cannot be read" if broken == LAYER else "traffic"
    assert said in gis("alerts", "show", "1")
    gis("alerts", "silence", "--rule", "scann", "--why", "x", code=1)


def test_a_picture_that_cannot_be_written_is_refused_before_the_work(gis, tmp_path, monkeypatch):
    monkeypatch.setattr("api.cli.alerts.database_in_use", None)  # nothing is worked out
    since = ("--since", "2026-03-29", "--until", "2026-04-01")
    missing = str(tmp_path / "none" / "x.svg")
    for words in (("backtest", LAYER, *since), ("calibration", LAYER)):
        assert "there is no folder" in gis("alerts", *words, "--picture", missing, code=1)
        assert "is a folder" in gis("alerts", *words, "--picture", str(tmp_path), code=1)


def test_days_too_few_to_calibrate_are_reported_and_draw_nothing(gis, tmp_path):
    told = gis("alerts", "calibration", LAYER)
    assert "unknown: 0 days are too few, it needs 28" in told
    picture = tmp_path / "qq.svg"
    told = gis("alerts", "calibration", LAYER, "--picture", str(picture), code=1)
    assert "nothing to draw yet" in told
    assert not picture.exists()


def test_hotspots_of_a_layer_that_has_none_are_an_error_that_says_what_to_do(gis):
    for act in ("list", "run"):
        assert "there is no layer nosuch" in gis("hotspots", act, "nosuch", code=1)
        told = gis("hotspots", act, "landslides", code=1)
        assert "layer landslides has no section `hotspots`" in told
        assert "gis layers sync" in told
    assert "there are no runs yet" in gis("hotspots", "list", LAYER)
    assert "there are no runs yet" in gis("hotspots", "list")


def test_a_run_repeated_counts_as_the_list_does(toy_province, gis):
    report(toy_province, noise(), days=90)
    report(toy_province, cluster())
    report(toy_province, noise()[:2], at=NOW - timedelta(hours=2))
    for method in ("stp_scan", "series"):
        gis("hotspots", "run", LAYER, "--until", "2026-03-31T12:00:00", "--method", method)
    series, scan = json.loads(gis("hotspots", "list", "--json"))
    assert f"is equal: it found {scan['found']}" in gis("hotspots", "repeat", "1")
    with toy_province.reading() as connection:
        rows = connection.scalar(text("SELECT count(*) FROM gis.series_result"))
    assert rows > series["found"]
    told = f"it found {series['found']}, and {rows - series['found']} too common for a tier"
    assert told in gis("hotspots", "repeat", "2")


def test_a_time_that_is_none_is_reported_by_the_clock_here(gis):
    told = gis("alerts", "backtest", LAYER, "--since", "2126-08-01", code=1)
    assert re.match(r"from 00:00 01/08/2126 to \d\d:\d\d \d\d/\d\d/\d{4} is no time", told)


HAMLET = Injection(12, 104.15, 22.05, 1000.0, 3.0, "traffic")


@pytest.mark.parametrize(("count", "seen"), [(12, True), (2, False)])
def test_what_would_we_have_seen(toy_province, catalogue, count, seen):
    """A dozen reports of a hamlet in three days, of which nothing is stored."""
    report(toy_province, noise(), days=90)
    layer, added = catalogue.get(LAYER), replace(HAMLET, count=count)
    stored = in_layer(toy_province)
    without = tried(toy_province, layer, NOW - timedelta(days=4))
    result = tried(toy_province, layer, NOW - timedelta(days=4), injection=added)
    assert seen_injected(without, added) is None
    found = seen_injected(result, added)
    assert (found is not None) == seen
    assert in_layer(toy_province) == stored
    if found is not None:
        assert NOW - timedelta(days=3) < found.opened_at <= NOW
        again = tried(toy_province, layer, NOW - timedelta(days=4), injection=added)
        assert seen_injected(again, added).history == found.history


def in_layer(database) -> int:
    with database.reading() as connection:
        return connection.scalar(text(f"SELECT count(*) FROM layer.{LAYER}"))


def test_injected_records_lie_within_their_circle_and_time_each_a_voice(toy_province):
    with toy_province.reading() as connection:
        rows = HAMLET.records(stored_territory(connection), NOW)
    away = np.hypot((rows["lon"] - 104.15) * np.cos(np.radians(22.05)), rows["lat"] - 22.05)
    assert (away * 111_195 <= 1000).all()
    assert rows["received_at"].between(NOW - timedelta(days=3), NOW).all()
    assert len(set(rows["voice"])) == len(set(rows["id"])) == 12 and (rows["id"] < 0).all()
    assert set(rows["commune"]) == {"00004"}


@pytest.mark.parametrize("words", ["12", "12@104.15", "0@104.15,22.05", "9@300,22", "x@1,2", ""])
def test_an_injection_that_is_none_is_refused(words):
    with pytest.raises(BadInput, match=r"injection|records, at degrees"):
        Injection.parse(words)


def test_an_injection_is_written_with_or_without_its_parts():
    assert Injection.parse("12@104.15,22.05:1km:3d:traffic") == HAMLET
    assert Injection.parse("5@104.15,22.05") == Injection(5, 104.15, 22.05)
    assert Injection.parse("5@104.15,22.05:2d").days == 2


@pytest.mark.parametrize("category", ["", "trafic"])
def test_an_injection_of_no_category_of_the_layer_is_refused(toy_province, catalogue, category):
    with pytest.raises(BadInput, match="end it with one of traffic, security"):
        tried(toy_province, catalogue.get(LAYER), injection=replace(HAMLET, category=category))


def test_an_injection_outside_the_province_is_refused(toy_province, catalogue):
    with pytest.raises(BadInput, match="outside the province"):
        tried(toy_province, catalogue.get(LAYER), injection=replace(HAMLET, lon=100.0))
