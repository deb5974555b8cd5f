"""The alarm by commune: beside the scan, under it, and where the scan sees nothing."""

from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import text

from gis.alerts.states import Status
from gis.alerts.suppression import InhibitedBy
from gis.database.engine import Database
from layers.definition.model import EarsOptions
from layers.detect import repeat_run, run_method
from tests.integration.notify.made import open_to_all
from tests.integration.test_hotspots import (
    LAYER,
    NOW,
    alerts,
    items,
    lasting,
    noise,
    outbreak,
    quiet,
    report,
    run,
)

__all__ = ["lasting", "outbreak", "quiet"]  # fixtures

TODAY = NOW - timedelta(hours=1)


def anywhere(n: int) -> np.ndarray:
    """Points more than a kilometre apart, all over the toy province."""
    steps = np.arange(n)
    return np.column_stack([104.005 + 0.29 * steps / n, 22.01 + 0.08 * (steps % 7) / 7])


def spread(database: Database) -> None:
    """The rows in three communes in turn."""
    with database.writing() as connection:
        connection.execute(
            text(
                "UPDATE layer.citizen_reports"
                " SET commune = (ARRAY['00001', '00004', '00007'])[1 + id % 3]"
            )
        )


def test_a_rise_in_one_commune_raises_an_alert_that_names_it(quiet, catalogue):
    report(quiet, anywhere(12), at=TODAY, precision_m=5000.0)
    found = run(quiet, catalogue, method="series")
    (alert,) = alerts(quiet)
    assert found.alerts.opened == (alert.id,)
    assert (alert.rule, alert.stream, alert.status) == ("series", "traffic", Status.OPEN)
    assert alert.communes == (("00004", "Xã Bãi Cát"),)
    assert alert.bbox == pytest.approx((104.1, 22.0, 104.2, 22.1))
    assert alert.headline_vi == "Giao thông, Xã Bãi Cát: 12 báo cáo trong 1 ngày, bình thường 1,0"
    assert alert.headline_en == "Traffic, Xã Bãi Cát: 12 reports in 1 day, normally 1.0"


def test_places_known_to_the_commune_count_there_and_not_in_the_scan(quiet, catalogue):
    report(quiet, anywhere(12), at=TODAY, precision_m=5000.0)
    assert run(quiet, catalogue, method="stp_scan").left_out["coarse"] == 12
    by_commune = run(quiet, catalogue, method="series")
    assert "coarse" not in by_commune.left_out
    assert by_commune.found == 1
    late = {"at": NOW - timedelta(days=10), "received": TODAY, "precision_m": 5000.0}
    report(quiet, anywhere(5), **late)
    assert run(quiet, catalogue, method="series").left_out["coarse"] == 5


def test_a_rise_everywhere_is_seen_by_the_province_and_not_by_the_scan(quiet, catalogue):
    report(quiet, anywhere(12), at=TODAY)
    spread(quiet)
    assert run(quiet, catalogue, method="stp_scan").found == 0
    assert run(quiet, catalogue, method="series").found >= 1
    (alert,) = [one for one in alerts(quiet) if one.severity != "watch"]
    assert alert.communes == ()
    assert alert.headline_en == "Traffic, the whole province: 12 reports in 1 day, normally 1.0"
    assert alert.bbox == pytest.approx((104.0, 22.0, 104.3, 22.1))


def test_a_commune_within_an_alert_of_the_scan_is_suppressed(lasting, catalogue):
    for method in ("stp_scan", "series"):
        run(lasting, catalogue, method=method)
    scan, series = sorted(alerts(lasting), key=lambda one: one.rule)
    assert (scan.rule, scan.status, scan.suppressed_why) == ("scan", Status.OPEN, None)
    assert (series.rule, series.status) == ("series", Status.SUPPRESSED)
    assert series.suppressed_why == InhibitedBy(scan.id)


def test_the_rise_of_one_commune_is_no_alert_of_the_province(lasting, catalogue):
    run(lasting, catalogue, method="series")
    assert items(lasting, catalogue, "series") == [], "nobody published it: not even the province"
    open_to_all(lasting)
    with lasting.writing() as connection:
        connection.execute(text("DELETE FROM gis.alert"))
    run(lasting, catalogue, method="series")
    rows = items(lasting, catalogue, "series")
    province, commune = sorted(rows, key=lambda row: row["name"] or "")
    assert (province["commune"], province["tier"], commune["tier"]) == (None, None, "urgent")
    assert province["observed"] == commune["observed"] > province["bound"]
    assert "the rise in Xã Bãi Cát, which is told of by itself" in province["explanation_en"]
    assert province["explanation_en"].endswith("That is usual.")


def test_without_days_enough_before_nothing_is_judged(toy_province, catalogue):
    report(toy_province, noise()[:20], days=20)
    report(toy_province, anywhere(12), at=TODAY)
    assert run(toy_province, catalogue, method="series").found == 0
    assert items(toy_province, catalogue, "series") == []


@pytest.mark.parametrize("variant", ["C1", "C3"])
def test_other_variants_run_and_are_made_again(lasting, catalogue, variant):
    layer = catalogue.get(LAYER)
    series = EarsOptions(detector="ears", variant=variant)
    asked = layer.model_copy(
        update={"hotspots": layer.hotspots.model_copy(update={"series": series})}
    )
    found = run_method(lasting, asked, "series", NOW)
    assert found.found > 0
    assert repeat_run(lasting, found.run_id).equal
