"""Events of the last days before all their reports have come, from the rows of a layer."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from typer.testing import CliRunner

from api.cli import command_line
from gis.errors import BadInput
from layers.detect.completeness import expected_events
from tests.integration.test_hotspots import LAYER, NOW, report
from tests.integration.test_series import anywhere

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def half_a_day_late(database) -> None:
    """Twelve events a day for eight weeks: half come at once, half on the next day.

    Each day they are elsewhere, since the like within a day would be repeats.
    """
    for ago in range(55, -1, -1):
        at = NOW - ago * DAY - HOUR
        places = anywhere(12) + np.array([0.004 * (ago % 3), 0])
        report(database, places[::2], at=at, received=at)
        if ago:
            report(database, places[1::2], at=at, received=at + DAY)


def test_a_day_whose_reports_are_half_late_is_expected_to_have_twice_as_many(
    toy_province, catalogue
):
    half_a_day_late(toy_province)
    with toy_province.reading() as connection:
        found = expected_events(connection, catalogue.get(LAYER), NOW)
    assert len(found) == 15
    assert found["reported"].tolist() == [12] * 14 + [6]
    assert found["completeness"].iloc[-1] == pytest.approx(0.5, abs=0.02)
    assert found["expected"].tolist() == pytest.approx([12.0] * 15, abs=0.5)
    newest = found.iloc[-1]
    assert newest["low"] < 12 < newest["high"]
    assert (newest["until"], newest["since"]) == (NOW, NOW - DAY)


def test_the_command_reports_it_and_refuses_a_layer_without_times_of_receipt(
    toy_province, catalogue, monkeypatch
):
    half_a_day_late(toy_province)
    monkeypatch.setenv("GIS_DATABASE_URL", toy_province.engine.url.render_as_string(False))
    until = f"{NOW:%Y-%m-%dT%H:%M:%S}"
    done = CliRunner().invoke(
        command_line(), ["hotspots", "nowcast", LAYER, "--until", until, "--json"]
    )
    assert done.exit_code == 0, done.output
    newest = json.loads(done.output)[-1]
    assert newest["reported"] == 6
    assert newest["until"] == NOW.isoformat(timespec="minutes")
    layer = catalogue.get(LAYER)
    silent = layer.model_copy(
        update={"hotspots": layer.hotspots.model_copy(update={"received": None})}
    )
    with toy_province.reading() as connection, pytest.raises(BadInput, match="name the field as"):
        expected_events(connection, silent, datetime.now(UTC))
