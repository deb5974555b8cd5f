"""Draft of a file of measurements: a series, which takes the file at once."""

import pytest

from gis.intake.chunks import open_chunks
from layers.definition.catalogue import read_layer
from layers.definition.drafts.layer_file import draft_layer
from tests.intake_layers import load
from tests.series_layers import rows

HEAD = "Trạm,lon,lat,Thời gian,BĐ1 (m),Mực nước (m),Mưa (mm)"
PLACES = {"A": "104.05,22.05", "B": "104.15,22.05"}


def records(hours, *, minutes=0):
    return [
        f"{name},{place},2026-03-{1 + hour // 24:02}T{hour % 24:02}:{minutes:02}+07:00,2.5,"
        f"{1 + (hour * 7) % 5 / 10},{hour % 7 / 2}"
        for hour in hours
        for name, place in PLACES.items()
    ]


def drafted(folder, lines):
    path = folder / "mz.csv"
    path.write_text("\n".join([HEAD, *lines, ""]), encoding="utf-8")
    _, text = draft_layer(open_chunks(path))
    (folder / "mz.yaml").write_text(text, encoding="utf-8")
    return path, read_layer(folder / "mz.yaml")


@pytest.mark.parametrize(
    ("hours", "every"), [(range(40), "1h"), (range(0, 48, 3), "3h"), (range(0, 240, 24), "1d")]
)
def test_records_of_stations_at_steps_of_time_are_drafted_as_a_series(
    series_province, tmp_path, hours, every
):
    path, layer = drafted(tmp_path, records(hours))
    assert layer.source.key == "Trạm"
    measured = {
        layer.fields[name].column: each.every for name, each in layer.series.quantities.items()
    }
    assert measured == {
        "Mực nước (m)": every,
        "Mưa (mm)": every,
    }  # the alarm level is the station's
    assert "Thời gian" not in {field.column for field in layer.record_fields.values()}
    report = load(series_province, layer, path)
    assert (report.added, report.reasons) == (2 * len(hours), {})
    assert rows(series_province, "SELECT count(*) FROM layer.mz") == [(2,)]


@pytest.mark.parametrize(
    "lines",
    [
        records([1]),  # no steps
        [line.replace("104.05", f"104.0{n}") for n, line in enumerate(records(range(4)))],
        [*records(range(5)), *records([3])],  # twice at one time
        [f"{n},{line[2:]}" for n, line in enumerate(records(range(5)))],  # each of another
    ],
    ids=["one time", "moving", "doubled", "all differ"],
)
def test_other_records_are_drafted_as_they_are(tmp_path, lines):
    _, layer = drafted(tmp_path, lines)
    assert layer.series is None


def test_rain_is_summed_and_whole_numbers_with_a_unit_are_measured(tmp_path):
    head = "Trạm,lon,lat,Thời gian,Thứ tự,Mực nước (cm),Mưa (mm),Mưa tích lũy (mm)"
    lines = [
        f"{name},{place},2026-03-01T{hour:02}:00+07:00,{hour},{200 + hour % 3},{hour % 4},{hour}.5"
        for hour in range(12)
        for name, place in PLACES.items()
    ]
    path = tmp_path / "mz.csv"
    path.write_text("\n".join([head, *lines, ""]), encoding="utf-8")
    _, text = draft_layer(open_chunks(path))
    (tmp_path / "mz.yaml").write_text(text, encoding="utf-8")
    layer = read_layer(tmp_path / "mz.yaml")
    assert layer.source.key == "Trạm"
    found = {layer.fields[n].column: each.aggregate for n, each in layer.series.quantities.items()}
    assert found == {"Mực nước (cm)": "mean", "Mưa (mm)": "sum", "Mưa tích lũy (mm)": "mean"}
