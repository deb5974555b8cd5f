"""Files as departments hand them over, through the doors that take them, into rows."""

import csv
import io
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli import command_line
from gis.database.engine import Database
from gis.errors import AmbiguousInput
from gis.intake.layout import parse_layout
from layers.ingest import corrections
from layers.ingest.records import FileOptions
from layers.ingest.retry import replay
from tests.intake_layers import FILES, MZ, layer_of, load, rows, waiting, write_csv
from tests.workbooks import write_xls

VIETNAM = timezone(timedelta(hours=7))
KEPT = MZ.model_copy(update={"source": MZ.source.model_copy(update={"outside": "keep"})})
SHAPES = layer_of({"key": "id"}, {"note": "text"}, geometry="polygon")
Run = Callable[..., tuple[int, str, str]]


def at(month: int, day: int, *clock: int) -> datetime:
    return datetime(2025, month, day, *clock, tzinfo=VIETNAM)


@pytest.mark.parametrize(
    ("name", "options", "times"),
    [
        ("x_1904.xlsx", FileOptions(), {"1": at(9, 1), "2": at(9, 13, 10, 30)}),
        ("y_alldt.xlsx", FileOptions(), {"1": at(9, 1, 8, 15), "2": at(9, 13, 10, 30)}),
        ("x_titles.xlsx", FileOptions(), {"1": at(9, 1), "2": at(9, 13, 10, 30)}),
        ("x_offset.xlsx", FileOptions(), {"1": at(9, 1), "2": at(9, 13, 10, 30)}),
        ("titles_above.csv", FileOptions(), {"1": at(9, 1), "2": at(9, 2)}),
        ("csvzip.zip", FileOptions(), {"1": at(9, 1), "2": at(9, 2)}),
        ("dms.csv", FileOptions(), {"1": at(9, 1), "2": at(9, 2)}),
        ("dt_amb.csv", FileOptions(date_format="day-first"), {"1": at(9, 1, 10)}),
        ("date_vi2.csv", FileOptions(), {"1": at(9, 1, 10, 30), "2": at(9, 13, 9, 15)}),
        ("date_epochms.csv", FileOptions(date_format="epoch-ms"), {"1": at(9, 1, 7)}),
        ("date_buddhist.csv", FileOptions(date_format="buddhist"), {"1": at(9, 1)}),
        ("latlon_onecol.csv", FileOptions(), {"1": at(9, 1), "2": at(9, 2)}),
        ("wkt.csv", FileOptions(), {"1": at(9, 1), "2": at(9, 2)}),
    ],
)
def test_files_of_departments_become_rows_with_their_times_and_places(
    toy_province: Database, name: str, options: FileOptions, times: dict[str, datetime]
) -> None:
    load(toy_province, KEPT, FILES / name, answers=options)
    stored = dict(rows(toy_province, "source_key, valid_at"))
    assert {key: stored.get(key) for key in times} == times
    (first,) = rows(toy_province, "ST_X(geom), ST_Y(geom)", "source_key LIMIT 1")
    assert first == pytest.approx((103.9707, 22.4856), abs=1e-3)


@pytest.mark.parametrize("name", ["g.kml", "g.tab", "g.fgb", "g.parquet", "g.kmz"])
def test_files_of_gis_programs_become_rows(toy_province: Database, name: str) -> None:
    layer = layer_of({"key": "id", "outside": "keep"}, {"val": "number", "note": "text"})
    report = load(toy_province, layer, FILES / name)
    assert (report.added, report.quarantined) == (3, 0)
    assert rows(toy_province, "val, note") == [(1.5, "Sạt lở"), (2.5, "Mưa đá"), (3.5, "Ngập")]


def test_a_date_that_is_a_field_too_is_a_fault_once(toy_province: Database, tmp_path: Path) -> None:
    day = {"type": "date", "column": "when"}
    layer = layer_of({"key": "id", "coordinates": {"x": "lon", "y": "lat"},
                      "time": {"column": "when"}}, {"day": day})  # fmt: skip
    records = [("a", 104.05, 22.05, "2026-03-01"), ("b", 104.05, 22.05, "chưa rõ")]
    load(toy_province, layer, write_csv(tmp_path / "a.csv", ("id", "lon", "lat", "when"), *records))
    (record,) = waiting(toy_province)
    assert record.why.count("chưa rõ") == 1


def test_a_ragged_line_waits_and_stops_no_other(toy_province: Database) -> None:
    report = load(toy_province, KEPT, FILES / "ragged.csv")
    (record,) = [each for each in waiting(toy_province) if each.reason == "bad_record"]
    assert record.source_key == "4" and record.raw["commune"] == "02998"
    assert "7 fields where the header has 9" in record.why
    assert {key for (key,) in rows(toy_province, "source_key")} == {"1", "2", "5"}
    assert report.read == 6


def test_an_error_of_a_spreadsheet_is_a_fault_with_its_cell_also_when_it_is_tried_again(
    toy_province: Database, tmp_path: Path
) -> None:
    names = ["id", "lon", "lat", "when", "val", "note", "sonstiges"]
    good = ["1", "104.05", "22.05", "2025-09-01", "1", "x", "#N/A"]
    path = write_xls(tmp_path / "a.xls", [names, good, ["2", *good[1:5], "#REF!", ""]])
    load(toy_province, MZ, path)
    assert rows(toy_province, "source_key") == [("1",)]
    (record,) = waiting(toy_province)
    assert (record.reason, "F3" in record.why) == ("bad_value", True)
    with toy_province.writing() as connection:
        replay(connection, MZ, actor="tests")
    (record,) = waiting(toy_province)
    assert record.reason == "bad_value" and record.raw["note"] == "#REF!"


def test_a_place_in_one_column_is_corrected_where_it_is_written(
    toy_province: Database, tmp_path: Path
) -> None:
    places = [["1", "22.05, 104.05"], ["2", "22.05 gần chợ"], ["3", "22.06, 104.15"]]
    places += [[str(i), f"22.0{i}, 104.05"] for i in range(4, 9)]
    path = write_csv(
        tmp_path / "a.csv", ("id", "noi", "when"), *([*p, "2025-09-01"] for p in places)
    )
    layer = layer_of({"key": "id", "coordinates": {"x": "noi", "y": "noi"}}, {"n": "integer"})
    load(toy_province, layer, path)
    (record,) = waiting(toy_province)
    assert record.raw["noi"] == "22.05 gần chợ" and "geometry" not in record.raw
    with toy_province.writing() as connection:
        corrections.fix(connection, record.id, {"noi": "22.05 104.25"}, "tests")
        replay(connection, layer, actor="tests")
    assert waiting(toy_province) == []
    assert (104.25, 22.05) in rows(toy_province, "ST_X(geom), ST_Y(geom)")


def test_shapes_come_from_a_column_of_a_table(toy_province: Database, tmp_path: Path) -> None:
    wkt = "POLYGON ((104.01 22.01, 104.05 22.01, 104.05 22.05, 104.01 22.01))"
    shapes = [["a", wkt, "x"], ["b", f"SRID=4326;{wkt}", "y"], ["c", wkt.replace("))", ""), "z"]]
    path = write_csv(tmp_path / "a.csv", ("id", "hinh", "note"), *shapes)
    assert load(toy_province, SHAPES, path).added == 2
    (record,) = waiting(toy_province)
    assert record.source_key == "c" and record.reason == "bad_geometry"


def test_records_of_a_column_without_dates_are_replayed_without_a_question(
    toy_province: Database, tmp_path: Path
) -> None:
    path = write_csv(
        tmp_path / "a.csv", ("id", "lon", "lat", "when"),
        ("1", 104.05, 22.05, "2025-09-01"), ("2", 104.05, 22.05, "nay"),
        ("3", 104.05, 22.05, "mai"),
    )  # fmt: skip
    load(toy_province, MZ, path)
    with toy_province.writing() as connection:
        (retried,) = replay(connection, MZ, actor="tests")
    assert retried.question is None and retried.still_waiting == 2
    assert {record.reason for record in waiting(toy_province)} == {"bad_date"}


def test_a_declared_layout_is_obeyed(toy_province: Database) -> None:
    options = FileOptions(layout=parse_layout("4", 0))
    report = load(toy_province, KEPT, FILES / "x_titles.xlsx", answers=options)
    assert report.read == 4  # with the row of sums, which goes to quarantine
    assert "Tổng" in [record.raw.get("id") for record in waiting(toy_province)]


@pytest.fixture
def run(toy_province: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("GIS_DATABASE_URL", toy_province.url)
    monkeypatch.setenv("GIS_HOME", str(tmp_path))

    def command(*words: str) -> tuple[int, str, str]:
        done = CliRunner().invoke(command_line(), list(words))
        question = str(done.exception) if isinstance(done.exception, AmbiguousInput) else ""
        return done.exit_code, done.stdout, done.stderr + question

    return command


def placed(output: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(output)))


def test_place_asks_what_it_has_options_for(run: Run, tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "a.csv", ("address", "lon", "lat", "day"),
        ("", "104.05", "22.05", "05/09/2024"), ("", "104°15'00\"E", "22°03'00\"N", "06/10/2024"),
    )  # fmt: skip
    code, _, told = run("place", str(path))
    assert code and "--date-format" in told
    code, output, _ = run("place", str(path), "--date-format", "%d/%m/%Y")
    assert code == 0 and [row["commune"] != "" for row in placed(output)] == [True, True]


def test_place_takes_coordinates_in_other_systems_and_in_one_column(
    run: Run, tmp_path: Path
) -> None:
    metres = write_csv(
        tmp_path / "m.csv", ("address", "lon", "lat"), ("", "427552,21", "2439366,02")
    )
    code, output, told = run("place", str(metres), "--assume-crs", "EPSG:9208")
    assert code == 0, told
    assert float(placed(output)[0]["place_lon"]) == pytest.approx(104.05, abs=1e-6)
    places = [(f"p{i}", f"22.0{i}, 104.05") for i in range(1, 6)]
    pairs = write_csv(tmp_path / "p.csv", ("ten", "noi"), *places, ("b", "22.05 x"))
    code, output, told = run("place", str(pairs))
    assert code == 0 and placed(output)[0]["lon"] == "104.05"
    assert "line 7" in told and "22.05 x" in told


def test_place_reads_workbooks_with_titles(run: Run) -> None:
    code, output, told = run("place", str(FILES / "x_titles.xlsx"), "--day", "when")
    assert code == 0 and "names of columns in row 4" in told
    assert len(placed(output)) == 3
