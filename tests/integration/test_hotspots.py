"""From rows to runs to alerts: what is found, what is not, and that each run can be made again."""

import json
import re
import shutil
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from api.cli import command_line
from gis.access import ANONYMOUS
from gis.alerts.actions import Outcome, Status, acknowledge, history, list_alerts, resolve
from gis.alerts.policy import EVALUATIONS_A_DAY, Tier
from gis.database.engine import Database
from gis.errors import BadInput, Conflict, NotFound
from gis.placing.cells import h3_cells
from gis.settings import ROOT
from gis.values import TimeSpan
from layers.definition.catalogue import Catalogue
from layers.detect import RunReport, repeat_run, run_hotspots, run_method
from layers.detect.observations import read_exposure, read_records
from layers.detect.store import runs_code
from layers.items import PageRequest, Query, read_page, source_of
from layers.jobs.detection import due_runs, forget_old_runs
from tests.integration.inline_jobs import Runner
from tests.integration.notify.made import open_to_all

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
LAYER = "citizen_reports"
METHODS = ("stp_scan", "series", "gi_star", "local_moran", "emerging")
WITHOUT_A_TREND = ("stp_scan", "series", "gi_star", "local_moran")


def report(
    database: Database,
    points: np.ndarray,
    *,
    at: datetime = NOW - timedelta(days=1),
    days: int = 1,
    received: datetime | None = None,
    default_point: bool = False,
    precision_m: float | None = None,
    category: str = "traffic",
    sources: int = 10,
) -> None:
    """Rows at points (n × lon, lat), the first at `at`, the others evenly over the `days` before.

    They are received when they happen, unless `received` says when; `sources` send in turn.
    """
    cells = h3_cells(*points.T.copy())
    times = [at - timedelta(days=(days - 1) * n / len(points)) for n in range(len(points))]
    with database.writing() as connection:
        first = connection.scalar(text("SELECT count(*) FROM layer.citizen_reports"))
        connection.execute(
            text(
                "INSERT INTO layer.citizen_reports (geom, h3, default_point, valid_at, received_at,"
                " source, source_key, place_precision_m, updated_at, category, commune)"
                " VALUES (ST_Point(:lon, :lat, 4326), :cell, :default_point, :at, :received,"
                " :source, :key, :precision_m, now(), :category, '00004')"
            ),
            [
                {
                    "lon": lon,
                    "lat": lat,
                    "cell": int(cells[n]),
                    "default_point": default_point,
                    "at": times[n],
                    "received": received or times[n],
                    "source": f"tests {n % sources}",
                    "key": str(first + n),
                    "precision_m": precision_m,
                    "category": category,
                }
                for n, (lon, lat) in enumerate(points.tolist())
            ],
        )


def noise() -> np.ndarray:
    random = np.random.default_rng(3)
    return random.uniform((104.0, 22.0), (104.3, 22.1), (90, 2))


def cluster(lon: float = 104.15, lat: float = 22.05, n: int = 25) -> np.ndarray:
    return np.random.default_rng(4).normal((lon, lat), 0.006, (n, 2))


def run(
    database: Database, catalogue: Catalogue, until: datetime = NOW, method: str = "stp_scan"
) -> RunReport:
    return run_method(database, catalogue.get(LAYER), method, until)


def alerts(database: Database) -> list:
    with database.reading() as connection:
        return list_alerts(connection, layers=[LAYER])


def count(database: Database, table: str) -> int:
    with database.reading() as connection:
        return connection.scalar(text(f"SELECT count(*) FROM {table}"))


@pytest.fixture
def quiet(toy_province: Database) -> Database:
    """Ninety reports, one a day, anywhere."""
    report(toy_province, noise(), days=90)
    return toy_province


@pytest.fixture
def outbreak(quiet: Database) -> Database:
    """Twenty-five more on one day, within a kilometre or so."""
    report(quiet, cluster())
    return quiet


@pytest.fixture
def lasting(outbreak: Database) -> Database:
    """And as many on the next day, beside them."""
    report(outbreak, cluster(104.16), at=NOW - timedelta(hours=1))
    return outbreak


@pytest.mark.parametrize("method", ["stp_scan", "series"])
@pytest.mark.parametrize("own", [False, True])
def test_an_alert_is_simulated_if_its_own_records_are(quiet, catalogue, method: str, own: bool):
    if own:
        report(quiet, cluster(), at=NOW)
    with quiet.writing() as connection:
        connection.execute(
            text("UPDATE layer.citizen_reports SET provenance = '{\"simulated\": true}'")
        )
    if not own:
        report(quiet, cluster(), at=NOW)
    run(quiet, catalogue, method=method)
    (alert,) = alerts(quiet)
    assert alert.simulated is own


def test_noise_raises_nothing(quiet, catalogue):
    found = [run(quiet, catalogue, method=method).found for method in WITHOUT_A_TREND]
    assert found == [0, 0, 0, 0]
    assert alerts(quiet) == []


def test_a_cluster_opens_one_alert_that_says_where_and_how_much(outbreak, catalogue):
    found = run(outbreak, catalogue)
    (alert,) = alerts(outbreak)
    assert found.alerts.opened == (alert.id,)
    assert alert.status is Status.OPEN
    assert alert.communes == (("00004", "Xã Bãi Cát"),)
    assert alert.bbox[0] < 104.15 < alert.bbox[2]
    assert re.fullmatch(
        r"Giao thông: \d+ báo cáo trong \d+ ngày, bình thường \d,\d", alert.headline_vi
    )
    assert re.fullmatch(r"Traffic: \d+ reports in \d+ days?, normally \d\.\d", alert.headline_en)


def test_an_alert_rests_on_its_evidence_and_counts_one_a_hex_and_day(outbreak, catalogue):
    run(outbreak, catalogue)
    with outbreak.reading() as connection:
        found = connection.execute(
            text("SELECT * FROM gis.scan_cluster ORDER BY llr DESC LIMIT 1")
        ).one()
        beneath = connection.scalar(
            text("SELECT count(*) FROM layer.citizen_reports WHERE id = ANY(:ids)"),
            {"ids": found.records},
        )
    assert beneath == len(found.records) > found.observed > 5
    assert 3 * found.expected < found.observed
    assert found.recurrence_days == pytest.approx(1 / (EVALUATIONS_A_DAY * found.p))
    assert (found.until, found.days) == (NOW, 2)


def test_the_same_evidence_updates_the_alert_and_keeps_its_state(outbreak, catalogue):
    run(outbreak, catalogue)
    (first,) = alerts(outbreak)
    with outbreak.writing() as connection:
        acknowledge(connection, first.id, "officer", "calling")
    report(outbreak, cluster(n=5), at=NOW - timedelta(hours=1))
    again = run(outbreak, catalogue)
    (alert,) = alerts(outbreak)
    assert (again.alerts.opened, alert.id) == ((), first.id)
    assert alert.status is Status.ACKNOWLEDGED


def test_two_clusters_far_apart_are_two_alerts(quiet, catalogue):
    report(quiet, cluster(104.03, 22.03), sources=20)
    report(quiet, cluster(104.27, 22.07), sources=20)
    assert len(run(quiet, catalogue).alerts.opened) == 2


def test_streams_are_evaluated_apart(quiet, catalogue):
    report(quiet, noise() + 0.001, days=90, category="security")
    report(quiet, cluster(), category="security")
    run(quiet, catalogue)
    (alert,) = alerts(quiet)
    assert alert.headline_en.startswith("Security: ")


def test_after_quiet_days_an_alert_closes_by_itself(outbreak, catalogue):
    run(outbreak, catalogue)
    closed = run(outbreak, catalogue, NOW + timedelta(days=60))
    (alert,) = alerts(outbreak)
    assert closed.alerts.closed == (alert.id,)
    assert alert.status is Status.EXPIRED


def test_a_run_of_the_past_does_not_touch_the_alerts(outbreak, catalogue):
    run(outbreak, catalogue, NOW + timedelta(days=30))
    assert run(outbreak, catalogue, NOW).found == 1
    assert alerts(outbreak) == []


@pytest.mark.parametrize(
    ("flaw", "reason"),
    [
        ({"default_point": True}, "default_point"),
        ({"precision_m": 5000.0}, "coarse"),
        ({"at": NOW - timedelta(days=10), "received": NOW - timedelta(hours=2)}, "late"),
        ({"at": NOW - timedelta(hours=9), "received": NOW - timedelta(hours=2)}, "late"),
    ],
)
def test_flawed_records_raise_no_alarm_and_are_counted_by_reason(quiet, catalogue, flaw, reason):
    report(quiet, cluster(n=40), **flaw)
    found = run(quiet, catalogue)
    assert found.left_out[reason] >= 20
    assert (found.found, [one for one in alerts(quiet) if one.rule != "held_back"]) == (0, [])


def late_from_a_village(database: Database, at: datetime = NOW - timedelta(hours=1)) -> None:
    """Seven reports of a village of last week, which one source sends now."""
    report(database, noise()[:6], days=84, at=NOW - timedelta(days=2), sources=1)
    report(database, cluster(n=200)[:7], at=at - timedelta(days=7), received=at, sources=1)


def test_true_reports_of_a_quiet_source_are_judged_however_many_it_sends(toy_province, catalogue):
    report(toy_province, noise()[:6], days=84, at=NOW - timedelta(days=2), sources=1)
    report(toy_province, cluster(n=200)[:8], at=NOW - timedelta(hours=1), sources=1)
    run(toy_province, catalogue)
    (alert,) = alerts(toy_province)
    assert (alert.rule, alert.status) == ("scan", Status.OPEN)
    assert len(alert.records) >= 7


def test_late_records_are_reported_as_to_be_watched(toy_province, catalogue):
    late_from_a_village(toy_province)
    found = run(toy_province, catalogue)
    (alert,) = alerts(toy_province)
    assert (found.left_out["late"], found.alerts.opened) == (7, (alert.id,))
    assert (alert.rule, alert.severity, alert.observed) == ("held_back", "watch", 7)
    assert alert.headline_vi.startswith("Phản ánh của người dân: 7 bản ghi đến muộn")
    assert alert.headline_en.startswith("Citizen reports: 7 late records")
    assert alert.communes == (("00004", "Xã Bãi Cát"),)
    assert alert.bbox[0] < 104.15 < alert.bbox[2]


def test_a_layer_file_says_how_grave_it_is_that_records_are_late_and_when_they_are(
    toy_province, catalogue
):
    late_from_a_village(toy_province)
    layer = catalogue.get(LAYER)
    grave = layer.alerts.model_copy(update={"held_back": Tier.ALERT})
    run_hotspots(toy_province, layer.model_copy(update={"alerts": grave}), NOW)
    assert [one.severity for one in alerts(toy_province)] == ["alert"]
    patient = layer.hotspots.model_copy(update={"late_hours": 24 * 8})
    found = run_method(
        toy_province, layer.model_copy(update={"hotspots": patient}), "stp_scan", NOW
    )
    assert "late" not in found.left_out
    assert Status.EXPIRED in [one.status for one in alerts(toy_province)]


def test_what_is_late_is_one_alert_that_ends_a_day_after_its_evidence(toy_province, catalogue):
    late_from_a_village(toy_province)
    run_hotspots(toy_province, catalogue.get(LAYER), NOW)
    run(toy_province, catalogue, NOW + timedelta(hours=1))
    (alert,) = alerts(toy_province)
    run(toy_province, catalogue, NOW + timedelta(days=4))
    (ended,) = alerts(toy_province)
    assert (ended.id, ended.status) == (alert.id, Status.EXPIRED)


@pytest.mark.parametrize(("count", "tier"), [(1, "watch"), (2, "watch"), (3, "alert")])
def test_records_of_unknown_time_are_reported_at_once(quiet, catalogue, count, tier):
    report(quiet, cluster(n=count), at=NOW - timedelta(hours=1))
    with quiet.writing() as connection:
        connection.execute(text("UPDATE layer.citizen_reports SET valid_at = NULL WHERE id > 90"))
    run(quiet, catalogue)
    (alert,) = alerts(quiet)
    assert (alert.rule, alert.severity, alert.observed) == ("undated", tier, count)
    assert alert.headline_vi.startswith(
        f"Phản ánh của người dân: {count} bản ghi không có thời điểm xảy ra"
    )
    assert alert.headline_en == (
        f"Citizen reports: {count} of unknown time, which no alarm has judged"
    )


def test_what_a_clock_ahead_says_was_received_tomorrow_was_received_when_it_was_stored(
    quiet, catalogue
):
    report(quiet, cluster(), at=NOW, received=NOW + timedelta(days=1))
    assert run(quiet, catalogue).found == 0
    with quiet.writing() as connection:
        connection.execute(
            text("UPDATE layer.citizen_reports SET updated_at = :now WHERE id > 90"), {"now": NOW}
        )
    (opened,) = run(quiet, catalogue).alerts.opened
    (alert,) = alerts(quiet)
    assert (alert.id, len(alert.records)) == (opened, 25)


@pytest.mark.parametrize("told", ["received_at", "nothing"])
def test_a_record_that_does_not_say_when_it_happened_is_counted_as_left_out(quiet, catalogue, told):
    report(quiet, cluster(n=40))
    with quiet.writing() as connection:
        connection.execute(
            text(
                "UPDATE layer.citizen_reports SET valid_at = NULL, updated_at = :received,"
                " received_at = CASE WHEN :told = 'received_at' THEN received_at END"
                " WHERE valid_at = :received"
            ),
            {"received": NOW - timedelta(days=1), "told": told},
        )
    for method in METHODS:
        found = run(quiet, catalogue, method=method)
        assert (found.left_out["undated"], found.found) == (41, 0)


@pytest.mark.parametrize("flaw", [{"default_point": True}, {"precision_m": 5000.0}])
def test_default_points_and_coarse_places_make_no_hot_hex(quiet, catalogue, flaw):
    report(quiet, cluster(n=40), **flaw)
    assert run(quiet, catalogue, method="gi_star").found == 0


def test_what_is_received_after_the_end_is_not_known_yet(quiet, catalogue):
    report(quiet, cluster(), received=NOW + timedelta(seconds=1))
    assert [run(quiet, catalogue, method=method).found for method in WITHOUT_A_TREND] == [
        0,
        0,
        0,
        0,
    ]


def test_a_run_is_stored_with_all_that_it_rests_on(outbreak, catalogue):
    found = run(outbreak, catalogue)
    with outbreak.reading() as connection:
        stored = connection.execute(text("SELECT * FROM gis.hotspot_run")).one()
        version = connection.scalar(
            text("SELECT version FROM gis.layer WHERE id = :id"), {"id": LAYER}
        )
        stream = connection.execute(text("SELECT * FROM gis.scan_stream")).one()
    assert (stored.id, stored.method, stored.input_until) == (found.run_id, "stp_scan", NOW)
    assert stored.input_version == version
    assert stored.parameters == catalogue.get(LAYER).hotspots.model_dump(mode="json")
    assert stored.cleaning == found.left_out
    assert (stream.stream, stream.cases) == (
        "traffic",
        found.records - sum(found.left_out.values()),
    )
    assert 0 < stream.p < 0.001


def test_the_results_are_layers_with_an_explanation_in_both_languages(lasting, catalogue):
    open_to_all(lasting)
    run_hotspots(lasting, catalogue.get(LAYER), NOW)
    for layer_id, said in (
        ("clusters", r"\d+ reports in .*; (within|in) .*Xã Bãi Cát.* once in .*"),
        ("series", r"\d+ reports? in 1 day, normally .*; (Xã Bãi Cát|the whole province)\. .*"),
        ("hotspots", r"\d+ reports in this hex and around it in 30 days, if spread evenly .*"),
        ("local_moran", r"(Many|Few) among many: \d+ reports? in this hex in 90 days, .*"),
        ("emerging", r"New hot spot: 1 of 12 weeks; trend .*"),
    ):
        rows = items(lasting, catalogue, layer_id)
        assert rows, layer_id
        assert all(row["of_layer"] == LAYER for row in rows)
        assert all(re.fullmatch(said, row["explanation_en"]) for row in rows)
        assert all(row["explanation_vi"] and row["official"] for row in rows)


def test_datetime_asks_for_the_run_in_force_on_a_day(outbreak, catalogue):
    for ago in (20, 10, 0):
        run(outbreak, catalogue, NOW - timedelta(days=ago), method="gi_star")
    first, _, newest = (NOW - timedelta(days=ago) for ago in (20, 10, 0))
    assert {row["run"] for row in items(outbreak, catalogue, "hotspots")} == {3}
    assert items(outbreak, catalogue, "hotspots", first + timedelta(days=3)) == []
    assert {row["run"] for row in items(outbreak, catalogue, "hotspots", newest)} == {3}
    assert {row["valid_to"] for row in items(outbreak, catalogue, "hotspots")} == {None}


def test_the_last_run_of_a_day_is_the_one_in_force(outbreak, catalogue):
    early = run(outbreak, catalogue, NOW - timedelta(hours=2), method="gi_star")
    late = run(outbreak, catalogue, NOW, method="gi_star")
    for at in (None, NOW - timedelta(hours=2)):
        shown = {row["run"] for row in items(outbreak, catalogue, "hotspots", at)}
        assert shown == {late.run_id} != {early.run_id}


def items(
    database: Database, catalogue: Catalogue, layer_id: str, at: datetime | None = None
) -> list:
    """Properties of the items of a layer, as of now or of an instant."""
    query = Query(time=TimeSpan(at, at) if at else None)
    with database.reading() as connection:
        page = read_page(
            connection,
            source_of(catalogue.get(layer_id)),
            PageRequest(query, limit=1000),
            ANONYMOUS,
        )
    return [json.loads(feature)["properties"] for feature in page.features]


@pytest.mark.parametrize("method", METHODS)
def test_a_run_made_again_is_equal_even_when_its_rows_are_gone(lasting, catalogue, method):
    found = run(lasting, catalogue, method=method)
    with lasting.writing() as connection:
        connection.execute(text("DELETE FROM layer.citizen_reports"))
    again = repeat_run(lasting, found.run_id)
    assert again.equal
    assert again.found >= found.found > 0


def test_where_records_lie_as_their_exposure_does_none_is_hot(outbreak, catalogue):
    layer = catalogue.get(LAYER)
    options = layer.hotspots.model_copy(update={"exposure": LAYER, "window_days": 365})
    exposed = layer.model_copy(update={"hotspots": options})
    assert run(outbreak, catalogue, method="gi_star").found > 0
    found = run_method(outbreak, exposed, "gi_star", NOW)
    assert found.found == 0
    assert repeat_run(outbreak, found.run_id).equal


def test_where_records_lie_as_the_visitors_of_places_do_none_is_hot(outbreak, catalogue):
    """One place with as many visitors as there are reports near it; others have one each."""
    places = catalogue.get("landslides")
    layer = catalogue.get(LAYER)
    options = layer.hotspots.model_copy(
        update={"exposure": places.id, "exposure_field": "injuries", "window_days": 365}
    )
    exposed = layer.model_copy(update={"hotspots": options})
    with outbreak.writing() as connection:
        connection.execute(
            text(
                "INSERT INTO layer.landslides (geom, h3, default_point, source, source_key,"
                " updated_at, injuries) SELECT geom, h3, false, source, source_key, now(), 1"
                " FROM layer.citizen_reports"
            )
        )
    as_reports = run_method(outbreak, exposed, "gi_star", NOW)
    with outbreak.writing() as connection:
        connection.execute(text("UPDATE layer.landslides SET injuries = 10 WHERE id % 9 = 0"))
        connection.execute(text("UPDATE layer.landslides SET injuries = -4 WHERE id % 9 = 1"))
    otherwise = run_method(outbreak, exposed, "gi_star", NOW)
    assert as_reports.found == 0
    with outbreak.reading() as connection:
        sums = connection.scalar(text("SELECT sum(greatest(injuries, 0)) FROM layer.landslides"))
        read = read_exposure(connection, places.id, 8, "injuries")
    assert read["count"].sum() == sums
    assert repeat_run(outbreak, otherwise.run_id).equal


def test_where_records_lie_as_inhabitants_do_none_is_hot(outbreak, catalogue):
    """First people by the thousand for each report, then as many wherever there is any."""
    layer = catalogue.get(LAYER)
    options = layer.hotspots.model_copy(update={"exposure": "population", "window_days": 365})
    exposed = layer.model_copy(update={"hotspots": options})
    with pytest.raises(BadInput, match="no population is loaded, which is the `exposure`"):
        run_method(outbreak, exposed, "gi_star", NOW)
    crowds = """
        INSERT INTO gis.population (cell, people)
        SELECT gis.h3_parent(h3, 8), {people} FROM layer.citizen_reports
        WHERE NOT default_point AND h3 IS NOT NULL GROUP BY 1"""
    for people, hot in (("1000.5 * count(*)", False), ("10.5", True)):
        with outbreak.writing() as connection:
            connection.execute(text("DELETE FROM gis.population"))
            connection.execute(text(crowds.format(people=people)))
        found = run_method(outbreak, exposed, "gi_star", NOW)
        assert (found.found > 0) is hot
        assert repeat_run(outbreak, found.run_id).equal


@pytest.mark.parametrize("points", ["none", "default points alone"])
def test_an_exposure_without_points_is_reported_and_keeps_no_other_run_from_being_made(
    quiet, catalogue, points
):
    exposed, landslides = (catalogue.get(name) for name in (LAYER, "landslides"))
    if points != "none":
        with quiet.writing() as connection:
            connection.execute(
                text(
                    "INSERT INTO layer.landslides (geom, h3, default_point, source, source_key)"
                    " VALUES (ST_Point(104.1, 22.05, 4326), 1, true, 'tests', '1')"
                )
            )
    options = exposed.hotspots.model_copy(update={"exposure": landslides.id})
    layer = exposed.model_copy(update={"hotspots": options})
    with pytest.raises(
        BadInput, match="landslides, which is the `exposure`, has no point in any hex"
    ):
        run_method(quiet, layer, "gi_star", NOW)
    done = Runner(quiet).run_due(Catalogue((layer,)), NOW)
    assert {report.method for report in done} == set(METHODS) - {"gi_star", "local_moran"}


def test_a_run_that_was_altered_is_not_equal(outbreak, catalogue):
    found = run(outbreak, catalogue)
    with outbreak.writing() as connection:
        connection.execute(
            text("UPDATE gis.scan_cluster SET observed = observed + 1 WHERE rank = 1")
        )
    (difference,) = repeat_run(outbreak, found.run_id).differences
    assert re.fullmatch(r"1 of \d findings differ", difference)


def test_a_run_that_is_not_there_cannot_be_repeated(toy_province):
    with pytest.raises(NotFound, match="there is no run 7"):
        repeat_run(toy_province, 7)


def test_an_arriving_report_is_judged_by_the_null_distribution_drawn_before(outbreak, catalogue):
    first = run(outbreak, catalogue)
    report(outbreak, np.array([[104.02, 22.08]]), at=NOW - timedelta(hours=1))
    second = run(outbreak, catalogue)
    assert count(outbreak, "gis.scan_null") == 1
    assert repeat_run(outbreak, second.run_id).equal
    run(outbreak, catalogue, NOW + timedelta(days=1))
    assert count(outbreak, "gis.scan_null") == 2
    assert repeat_run(outbreak, first.run_id).equal


def test_the_alarm_is_due_when_rows_change_and_on_each_day(toy_province, catalogue):
    def due(now: datetime) -> set[str]:
        found = due_runs(toy_province, catalogue, now)
        return {one.method for one in found if one.layer.id == LAYER}

    now = datetime.now(UTC)
    assert due(now) == set(METHODS)
    run_hotspots(toy_province, catalogue.get(LAYER), now)
    assert due(now) == set()
    report(toy_province, cluster(n=1))
    assert due(now) == {"stp_scan", "series"}
    assert due(now + timedelta(days=1)) == set(WITHOUT_A_TREND)
    assert due(now + timedelta(days=7)) == set(METHODS)


def test_a_report_that_comes_while_a_run_reads_is_judged_by_the_next(
    outbreak, catalogue, monkeypatch
):
    def read_and_be_overtaken(*asked):
        found = read_records(*asked)
        report(outbreak, cluster(n=1))
        return found

    now = datetime.now(UTC)
    monkeypatch.setattr("layers.detect.method.read_records", read_and_be_overtaken)
    run(outbreak, catalogue, now)
    monkeypatch.undo()
    assert "stp_scan" in {one.method for one in due_runs(outbreak, catalogue, now)}


def test_a_run_that_fails_keeps_no_other_from_running_and_waits_a_minute(quiet, catalogue):
    layer = catalogue.get(LAYER)
    broken = layer.hotspots.model_copy(update={"measure": "no_such_column"})
    layers = (layer.model_copy(update={"hotspots": broken}),)
    runner, now = Runner(quiet), datetime.now(UTC)
    assert runner.run_due(Catalogue(layers), now) == []
    assert runner.run_due(catalogue, now) == []
    done = runner.run_due(catalogue, datetime.now(UTC) + timedelta(minutes=2))  # after the failures
    assert {one.method for one in done} == set(METHODS)


def test_old_runs_are_forgotten_but_for_the_newest_and_those_of_alerts(outbreak, catalogue):
    raised = run(outbreak, catalogue)
    later = NOW + timedelta(days=70)
    early = run(outbreak, catalogue, later)
    last_of_day = run(outbreak, catalogue, later + timedelta(hours=1))
    newest = run(outbreak, catalogue, later + timedelta(days=100))
    assert forget_old_runs(outbreak, catalogue, later + timedelta(days=100), 365) == 1
    kept = {raised.run_id, last_of_day.run_id, newest.run_id}
    assert run_ids(outbreak) == kept != kept | {early.run_id}
    forget_old_runs(outbreak, catalogue, later + timedelta(days=1000), 365)
    assert run_ids(outbreak) == {raised.run_id, newest.run_id}
    assert all(repeat_run(outbreak, number).equal for number in run_ids(outbreak))
    assert count(outbreak, "gis.run_input") == 2


def run_ids(database: Database) -> set[int]:
    with database.reading() as connection:
        return set(connection.scalars(text("SELECT id FROM gis.hotspot_run")))


@pytest.fixture
def gis(outbreak: Database, monkeypatch: pytest.MonkeyPatch):
    """Run a command on the same database; gives what it prints."""
    url = outbreak.url.replace("postgresql+psycopg", "postgresql")
    monkeypatch.setenv("GIS_DATABASE_URL", url)

    def command(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(command_line(), ["hotspots", *words])
        assert done.exit_code == code, (done.output, done.exception)
        return done.stdout

    return command


def test_runs_are_made_listed_and_repeated_from_the_command_line(gis, outbreak):
    made = json.loads(gis("run", LAYER, "--until", NOW.strftime("%Y-%m-%dT%H:%M:%S"), "--json"))
    listed = json.loads(gis("list", LAYER, "--json"))
    assert [(row["method"], row["run"]) for row in made] == list(
        zip(METHODS, (1, 2, 3, 4, 5), strict=True)
    )
    assert [(row["run"], row["found"]) for row in listed] == [
        (row["run"], row["found"]) for row in reversed(made)
    ]
    assert listed[0]["code"] == runs_code()
    assert "run 1 (stp_scan of citizen_reports) is equal" in gis("repeat", "1")
    with outbreak.writing() as connection:
        connection.execute(text("UPDATE gis.hotspot SET count = count + 1"))
        connection.execute(text("UPDATE gis.hotspot_run SET code_version = '0.0.9'"))
    assert "made by version 0.0.9" in gis("repeat", "3", code=1)
    gis("repeat", "6", code=1)
    gis("run", LAYER, "--until", "2999-01-01", code=1)


def test_a_command_makes_the_other_runs_and_then_reports_the_one_that_could_not(
    gis, tmp_path, monkeypatch
):
    folder = shutil.copytree(ROOT / "layers", tmp_path / "layers")
    words = (folder / f"{LAYER}.yaml").read_text(encoding="utf-8")
    exposed = words.replace("hotspots:\n", "hotspots:\n  exposure: landslides\n")
    assert exposed != words
    (folder / f"{LAYER}.yaml").write_text(exposed, encoding="utf-8")
    monkeypatch.setenv("GIS_LAYERS", str(folder))
    until = NOW.strftime("%Y-%m-%dT%H:%M:%S")
    made = json.loads(gis("run", LAYER, "--until", until, "--json", code=1))
    assert [row["method"] for row in made] == ["stp_scan", "series", "emerging"]


def test_a_layer_without_the_section_is_refused(toy_province, catalogue):
    with pytest.raises(BadInput, match="no section"):
        run_hotspots(toy_province, catalogue.get("power_plants"), NOW)
    with pytest.raises(
        BadInput, match="no method gi_stra; it has stp_scan, series, gi_star, local_moran, emerging"
    ):
        run(toy_province, catalogue, method="gi_stra")


def test_a_false_alarm_needs_a_reason_and_ends_the_alert(outbreak, catalogue):
    run(outbreak, catalogue)
    (alert,) = alerts(outbreak)
    with outbreak.writing() as connection:
        with pytest.raises(BadInput, match="needs a reason"):
            resolve(connection, alert.id, "officer", Outcome.FALSE)
        resolve(connection, alert.id, "officer", Outcome.FALSE, "an exercise")
        with pytest.raises(Conflict, match="is false"):
            acknowledge(connection, alert.id, "officer")
        acts = [(event.who, event.act) for event in history(connection, alert.id)]
    assert acts == [("service", "open"), ("officer", "false")]


def test_what_is_found_in_a_closed_layer_is_in_no_public_layer(lasting, catalogue):
    open_to_all(lasting)
    for method in METHODS:
        run(lasting, catalogue, method=method)
    results = ("hotspots", "clusters", "series", "alerts")
    versions = {one: version(lasting, one) for one in results}
    assert all(count(lasting, f"layer.{one}") for one in results)
    with lasting.writing() as connection:
        connection.execute(
            text(
                "UPDATE gis.layer SET definition ="
                " jsonb_set(definition, '{access,read}', '\"department\"') WHERE id = :layer"
            ),
            {"layer": LAYER},
        )
    assert not any(count(lasting, f"layer.{one}") for one in (*results, "local_moran", "emerging"))
    assert all(version(lasting, one) > versions[one] for one in results)


def version(database: Database, layer: str) -> int:
    with database.reading() as connection:
        return connection.scalar(
            text("SELECT version FROM gis.layer WHERE id = :layer"), {"layer": layer}
        )
