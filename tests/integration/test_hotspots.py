"""From rows to hotspots to alerts: one cluster is one alert, whatever happens to it."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import text

from gis.alerts.life import Outcome, Status, acknowledge, history, list_alerts, resolve
from gis.database.engine import Database
from gis.errors import BadInput, Conflict
from gis.placing.cells import h3_cells
from layers.catalogue import Catalogue
from layers.hotspots import run_hotspots
from layers.watch import stale_layers

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
LAYER = "citizen_reports"


def report(
    database: Database,
    points: np.ndarray,
    *,
    at: datetime = NOW - timedelta(days=1),
    default_point: bool = False,
    precision_m: float | None = None,
) -> None:
    """Rows at points (n × lon, lat)."""
    cells = h3_cells(*points.T.copy())
    with database.writing() as connection:
        first = connection.scalar(text("SELECT count(*) FROM layer.citizen_reports"))
        connection.execute(
            text(
                "INSERT INTO layer.citizen_reports (geom, h3, default_point, valid_at, source,"
                " source_key, place_precision_m, updated_at, category)"
                " VALUES (ST_Point(:lon, :lat, 4326), :cell, :default_point, :at, 'tests', :key,"
                " :precision_m, now(), 'traffic')"
            ),
            [
                {
                    "lon": lon,
                    "lat": lat,
                    "cell": int(cell),
                    "default_point": default_point,
                    "at": at,
                    "key": str(first + n),
                    "precision_m": precision_m,
                }
                for n, ((lon, lat), cell) in enumerate(zip(points.tolist(), cells, strict=True))
            ],
        )


def noise() -> np.ndarray:
    random = np.random.default_rng(3)
    return random.uniform((104.0, 22.0), (104.3, 22.1), (60, 2))


def cluster(lon: float = 104.15, lat: float = 22.05, n: int = 25) -> np.ndarray:
    return np.random.default_rng(4).normal((lon, lat), 0.004, (n, 2))


def run(database: Database, catalogue: Catalogue, until: datetime = NOW):
    return run_hotspots(database, catalogue.get(LAYER), until)


def alerts(database: Database) -> list:
    with database.reading() as connection:
        return list_alerts(connection, layers=[LAYER])


def test_noise_raises_nothing(toy_province, catalogue):
    report(toy_province, noise())
    found = run(toy_province, catalogue)
    assert (found.records, found.hot) == (60, 0)
    assert alerts(toy_province) == []


def test_a_cluster_opens_one_alert_that_says_where_and_how_much(toy_province, catalogue):
    report(toy_province, noise())
    report(toy_province, cluster())
    found = run(toy_province, catalogue)
    (alert,) = alerts(toy_province)
    assert found.alerts.opened == (alert.id,)
    assert alert.status is Status.OPEN
    assert alert.communes == (("00004", "Xã Bãi Cát"),)
    assert alert.bbox[0] < 104.15 < alert.bbox[2]
    assert "bản ghi quanh một ô trong 30 ngày" in alert.headline_vi


def test_the_same_evidence_updates_the_alert_and_keeps_its_state(toy_province, catalogue):
    report(toy_province, noise())
    report(toy_province, cluster())
    run(toy_province, catalogue)
    (first,) = alerts(toy_province)
    with toy_province.writing() as connection:
        acknowledge(connection, first.id, "officer", "calling")
    report(toy_province, cluster(n=5))
    again = run(toy_province, catalogue)
    (alert,) = alerts(toy_province)
    assert (again.alerts.opened, again.alerts.updated) == ((), (first.id,))
    assert alert.status is Status.ACKNOWLEDGED


def test_two_clusters_far_apart_are_two_alerts(toy_province, catalogue):
    report(toy_province, noise())
    report(toy_province, cluster(104.03, 22.03))
    report(toy_province, cluster(104.27, 22.07))
    assert len(run(toy_province, catalogue).alerts.opened) == 2


def test_after_quiet_days_an_alert_closes_by_itself(toy_province, catalogue):
    report(toy_province, noise())
    report(toy_province, cluster())
    run(toy_province, catalogue)
    later = NOW + timedelta(days=60)
    closed = run(toy_province, catalogue, later)
    (alert,) = alerts(toy_province)
    assert closed.alerts.closed == (alert.id,)
    assert alert.status is Status.RESOLVED


@pytest.mark.parametrize("coarse", [{"default_point": True}, {"precision_m": 5000.0}])
def test_default_points_and_coarse_places_make_no_hotspot(toy_province, catalogue, coarse):
    report(toy_province, noise())
    report(toy_province, cluster(n=40), **coarse)
    found = run(toy_province, catalogue)
    assert (found.left_out, found.hot) == (40, 0)


def test_rows_outside_the_window_do_not_count(toy_province, catalogue):
    report(toy_province, noise())
    report(toy_province, cluster(n=20), at=NOW - timedelta(days=31))
    report(toy_province, cluster(n=20), at=NOW + timedelta(seconds=1))
    assert run(toy_province, catalogue).hot == 0


def test_a_run_is_stored_with_its_input_and_its_hexes_are_a_layer(toy_province, catalogue):
    report(toy_province, noise())
    report(toy_province, cluster())
    found = run(toy_province, catalogue)
    with toy_province.reading() as connection:
        stored = connection.execute(text("SELECT * FROM gis.hotspot_run")).one()
        version = connection.scalar(
            text("SELECT version FROM gis.layer WHERE id = :id"), {"id": LAYER}
        )
        rows = connection.execute(text("SELECT * FROM layer.hotspots")).all()
    assert stored.input_version == version
    assert stored.parameters["resolution"] == catalogue.get(LAYER).hotspots.resolution
    assert len(rows) == found.hot > 0
    assert all(row.q <= 0.05 and row.of_layer == LAYER for row in rows)


def test_a_layer_is_stale_until_its_newest_rows_were_analysed(toy_province, catalogue):
    stale = [layer.id for layer in stale_layers(toy_province, catalogue)]
    assert LAYER in stale
    run(toy_province, catalogue)
    assert LAYER not in [layer.id for layer in stale_layers(toy_province, catalogue)]
    report(toy_province, cluster(n=1))
    assert LAYER in [layer.id for layer in stale_layers(toy_province, catalogue)]


def test_a_layer_without_the_section_is_refused(toy_province, catalogue):
    with pytest.raises(BadInput, match="no section"):
        run_hotspots(toy_province, catalogue.get("power_plants"), NOW)


def test_a_false_alarm_needs_a_reason_and_ends_the_alert(toy_province, catalogue):
    report(toy_province, noise())
    report(toy_province, cluster())
    run(toy_province, catalogue)
    (alert,) = alerts(toy_province)
    with toy_province.writing() as connection:
        with pytest.raises(BadInput, match="needs a reason"):
            resolve(connection, alert.id, "officer", Outcome.FALSE)
        resolve(connection, alert.id, "officer", Outcome.FALSE, "an exercise")
        with pytest.raises(Conflict, match="is false"):
            acknowledge(connection, alert.id, "officer")
        acts = [(event.who, event.act) for event in history(connection, alert.id)]
    assert acts == [("service", "open"), ("officer", "false")]
