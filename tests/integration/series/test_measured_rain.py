"""Rain between the stations of a layer of measurements: all of the hours, not the newest alone."""

import pytest

from gis.errors import BadInput
from layers.definition.catalogue import Catalogue
from layers.storage.sync import sync
from tests.integration.processes.conftest import execute
from tests.series_layers import gauges, load_measurements, measured

DAY = "2026-03-01"
RAIN = {"every": "1h", "aggregate": "sum", "plausible": {"at_least": 0, "at_most": 50}}


@pytest.fixture
def rain_of(series_province, catalogue, tmp_path):
    layer = gauges(RAIN)
    known = Catalogue((*catalogue.layers, layer), {**catalogue.digests, "mz": "1"})

    def ask(*records, **inputs):
        load_measurements(series_province, layer, tmp_path, *records)
        with series_province.writing() as connection:
            sync(connection, known)
        asked = {"gauges": "mz", "field": "level", "until": f"{DAY}T09:00:00+07:00", **inputs}
        return execute(series_province, "rain", catalogue=known, **asked)

    return ask


def test_every_hour_is_summed_and_a_station_with_a_gap_is_left_out(rain_of):
    made = rain_of(
        measured("A", f"{DAY} 06:00", 40),  # of the hour before these
        *(measured("A", f"{DAY} 0{hour}:00", mm) for hour, mm in ((7, 1), (8, 2), (9, 4))),
        measured("A", f"{DAY} 10:00", 40),
        *(measured("B", f"{DAY} 0{hour}:00", 20) for hour in (7, 9)),
        measured("B", f"{DAY} 08:00", 60),  # implausible
        hours=3,
    )
    assert (made.summary["gauges"], made.summary["left_out"]) == (1, 1)
    known = [mm for mm in made.column("rain_mm") if mm is not None]
    assert known and known == pytest.approx([7] * len(known))


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"hours": 1.5}, "every 1h: give hours of whole intervals"),
        ({"field": "place_confidence"}, "it has level"),
        ({"until": f"{DAY}T03:00:00+07:00"}, "no gauge of mz has a reading"),
    ],
)
def test_what_cannot_be_summed_is_said(rain_of, inputs, said):
    with pytest.raises(BadInput, match=said):
        rain_of(measured("A", f"{DAY} 09:00", 1), **inputs)
