"""A little of everything in one valley is one situation, from the rows of several layers."""

from datetime import datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import text

from gis.alerts.gathering import JOINT
from gis.database.engine import Database
from gis.errors import BadInput
from gis.placing.cells import h3_cells
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from layers.detect import repeat_run, run_method
from layers.jobs.detection import is_due
from layers.storage.sync import sync
from tests.integration.test_hotspots import LAYER, NOW, alerts, report

OTHER = "power_cuts"
VALLEY = np.array([104.15, 22.05])


def judged_together(catalogue: Catalogue) -> Catalogue:
    """Citizens' reports, and power cuts that another system sends, in one joint scan."""
    reports = catalogue.get(LAYER)
    said = reports.model_dump(mode="json", exclude_unset=True)
    said["hotspots"]["joint"] = {"layers": [OTHER], "max_radius_km": 3}
    other = reports.model_dump(mode="json", exclude_unset=True) | {
        "id": OTHER, "title": {"vi": "Mất điện", "en": "Power cuts"}, "alerts": None,
        "hotspots": {"scan": None, "emerging": None, "received": "received_at"},
    }  # fmt: skip
    both = {LAYER: Layer.model_validate(said), OTHER: Layer.model_validate(other)}
    kept = [one for one in catalogue.layers if one.id != LAYER]
    return Catalogue((*kept, *both.values()))


def cut_power(database: Database, points: np.ndarray, times: list[datetime]) -> None:
    cells = h3_cells(*points.T.copy())
    with database.writing() as connection:
        first = connection.scalar(text(f"SELECT count(*) FROM layer.{OTHER}"))
        connection.execute(
            text(
                f"INSERT INTO layer.{OTHER} (geom, h3, default_point, valid_at, received_at,"
                " source, source_key, updated_at, category, commune)"
                " VALUES (ST_Point(:lon, :lat, 4326), :cell, false, :at, :at, 'grid', :key, now(),"
                " 'infrastructure', '00004')"
            ),
            [
                {"lon": lon, "lat": lat, "cell": int(cell), "at": at, "key": str(first + n)}
                for n, ((lon, lat), cell, at) in enumerate(
                    zip(points.tolist(), cells, times, strict=True)
                )
            ],
        )


def anywhere(seed: int, n: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform((104.0, 22.0), (104.3, 22.1), (n, 2))


def in_valley(seed: int, n: int) -> np.ndarray:
    return VALLEY + np.random.default_rng(seed).uniform(-0.012, 0.012, (n, 2))


@pytest.fixture
def together(catalogue: Catalogue) -> Catalogue:
    return judged_together(catalogue)


@pytest.fixture
def usual(toy_province: Database, together: Catalogue) -> Database:
    """Ninety days with a report of traffic, one of disaster and a power cut each, anywhere."""
    with toy_province.writing() as connection:
        sync(connection, together)
    report(toy_province, anywhere(1, 90), days=90, category="traffic")
    report(toy_province, anywhere(2, 90), days=90, category="disaster")
    times = [NOW - timedelta(days=n, hours=3) for n in range(90)]
    cut_power(toy_province, anywhere(3, 90), times)
    return toy_province


def happen(database: Database) -> None:
    """Five landslides, five closed roads and five power cuts in one valley, this morning."""
    at = NOW - timedelta(hours=2)
    report(database, in_valley(4, 5), at=at, category="disaster")
    report(database, in_valley(5, 5), at=at, category="traffic")
    cut_power(database, in_valley(6, 5), [at] * 5)


def evaluate(database: Database, together: Catalogue, method: str = "joint_scan"):
    return run_method(database, together.get(LAYER), method, NOW)


def test_a_valley_of_several_layers_is_one_situation_with_the_numbers_of_each(usual, together):
    evaluate(usual, together)
    assert alerts(usual) == []
    happen(usual)
    made = evaluate(usual, together)
    (found,) = alerts(usual)
    assert (found.rule, found.severity in ("alert", "urgent")) == (JOINT, True)
    assert found.headline_vi.startswith("Tình huống – ") and "Xã Bãi Cát" in found.headline_vi
    for subject in ("Giao thông", "Thiên tai", "Mất điện"):
        assert subject in found.headline_vi and f"{subject}" in found.detail_vi
    assert {one["code"] for one in found.situation["streams"]} == {
        "traffic", "disaster", f"{OTHER}:",
    }  # fmt: skip
    assert found.situation["records"] > len(found.records) > 0
    assert repeat_run(usual, made.run_id).differences == ()


def test_alerts_of_its_streams_lie_within_it(usual, together):
    report(usual, in_valley(7, 9), at=NOW - timedelta(hours=1), category="disaster")
    happen(usual)
    evaluate(usual, together)
    evaluate(usual, together, "stp_scan")
    joint = next(one for one in alerts(usual) if one.rule == JOINT)
    scans = [one for one in alerts(usual) if one.rule == "scan"]
    assert scans and all(one.within_id == joint.id for one in scans)


def test_a_change_of_the_other_layer_is_evaluated_and_what_goes_ends_it(usual, together):
    layer = together.get(LAYER)
    happen(usual)
    evaluate(usual, together)
    assert not is_due(usual, layer, "joint_scan", NOW + timedelta(minutes=1))
    with usual.writing() as connection:
        connection.execute(text(f"DELETE FROM layer.{OTHER} WHERE received_at > :day"),
                           {"day": NOW - timedelta(hours=5)})  # fmt: skip
        connection.execute(text("UPDATE layer.citizen_reports SET category = 'security'"
                                " WHERE category = 'traffic'"))  # fmt: skip
    assert is_due(usual, layer, "joint_scan", NOW + timedelta(minutes=1))
    before = alerts(usual)[0].observed
    evaluate(usual, together)
    assert all(one.observed < before for one in alerts(usual))


def test_a_layer_that_is_closed_is_judged_no_more_and_its_numbers_are_withheld(usual, together):
    happen(usual)
    evaluate(usual, together)
    other = together.get(OTHER)
    said = other.model_dump(mode="json", exclude_unset=True)
    said["access"]["read"] = "private"
    closed = Layer.model_validate(said)
    kept = [one for one in together.layers if one.id != OTHER]
    with usual.writing() as connection:
        sync(connection, Catalogue((*kept, closed)))
    (alert,) = alerts(usual)
    assert "Mất điện" not in alert.headline_vi + alert.detail_vi
    with pytest.raises(BadInput, match="not public any more"):
        evaluate(usual, together)
