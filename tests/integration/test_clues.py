"""Clues that contradict each other, on whole files: nothing is counted, nothing is lost."""

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from gis.database.engine import Database
from gis.errors import AmbiguousInput
from layers.ingest.records import FileOptions
from tests.intake_layers import FILES, MZ, layer_of, load, rows, waiting, write_csv

COLUMNS = ("id", "lon", "lat", "address", "commune", "when", "val", "n", "note")
DECLARED = FileOptions(crs="declared")


def record(key: object, lon: float, lat: float = 22.05, commune: str = "") -> tuple[object, ...]:
    return (key, lon, lat, "", commune, "2026-03-01", 1, 1, "")


def test_a_file_of_contradictions_is_placed_where_all_clues_allow(lao_cai: Database) -> None:
    report = load(lao_cai, MZ, FILES / "conflict.csv")
    assert report.reasons == {"contradiction": 3}
    assert rows(lao_cai, "source_key, commune, place_method") == [
        ("4", "03006", "commune"), ("5", "03006", "commune"), ("6", "02683", "commune"),
    ]  # fmt: skip
    waits = {each.source_key: each.why for each in waiting(lao_cai)}
    assert set(waits) == {"1", "2", "3"}
    assert "km away: coordinates and words contradict each other" in waits["2"]


@pytest.mark.parametrize("name", ["commune_float.csv", "lostzero.csv", "x_numcode.xlsx"])
def test_codes_as_a_spreadsheet_makes_them_are_restored_and_reported(
    lao_cai: Database, name: str
) -> None:
    report = load(lao_cai, MZ, FILES / name)
    assert "unknown_unit" not in report.reasons
    assert ("02998",) in rows(lao_cai, "commune")
    (note,) = (note for note in report.notes if "→ 02998" in note)
    assert "leading 0" in note and "số 0 ở đầu" in note


def test_a_wrong_zone_is_asked_about_where_the_points_miss_their_communes(
    lao_cai: Database,
) -> None:
    source = {
        "key": "id", "coordinates": {"x": "E", "y": "N", "crs": "EPSG:9209"},
        "address": "address", "commune": "commune", "time": {"column": "when"},
    }  # fmt: skip
    layer = layer_of(source, {"val": "number", "n": "integer", "note": "text"})
    with pytest.raises(AmbiguousInput, match="--assume-crs EPSG:9208"):
        load(lao_cai, layer, FILES / "zone.csv")


def write_shifted(path: Path, shift: float, count: int = 40, of: int = 100) -> Path:
    """Records with their commune, of which `count` are shifted by so many degrees eastward."""
    random = np.random.default_rng(3)
    west = random.uniform(104.0, 104.099, of)
    records = [
        record(n, lon + (shift if n < count else 0), 22.05, "00001") for n, lon in enumerate(west)
    ]
    return write_csv(path, COLUMNS, *records)


def test_many_that_contradict_in_one_direction_are_one_question(
    toy_province: Database, tmp_path: Path
) -> None:
    path = write_shifted(tmp_path / "mz.csv", 0.15)
    with pytest.raises(AmbiguousInput, match="all to the east") as question:
        load(toy_province, MZ, path)
    assert "đều về phía đông" in str(question.value)
    assert rows(toy_province, "count(*)", "1") == [(0,)]
    report = load(toy_province, MZ, path, answers=DECLARED)
    assert report.reasons == {"contradiction": 40}
    assert report.added == 60


def test_a_few_that_contradict_are_no_question(toy_province: Database, tmp_path: Path) -> None:
    report = load(toy_province, MZ, write_shifted(tmp_path / "mz.csv", 0.15, count=20))
    assert report.reasons == {"contradiction": 20}


def test_contradictions_in_all_directions_are_no_question(
    toy_province: Database, tmp_path: Path
) -> None:
    records = [record(n, 104.05 + n % 2 * 0.2, commune="00004") for n in range(60)]
    report = load(toy_province, MZ, write_csv(tmp_path / "mz.csv", COLUMNS, *records))
    assert report.reasons == {"contradiction": 60}


def test_what_contradicts_counts_in_no_unit_and_no_hex(
    toy_province: Database, tmp_path: Path
) -> None:
    hexes = {"hexes": {"resolutions": [8]}}
    layer = layer_of({**MZ.source.model_dump(exclude_none=True)}, {"note": "text"}, **hexes)
    records = [record("good", 104.05, commune="00001"), record("bad", 104.05, commune="00007")]
    load(toy_province, layer, write_csv(tmp_path / "mz.csv", COLUMNS, *records))
    with toy_province.reading() as connection:
        counted = connection.scalar(text("SELECT sum(count) FROM gis.hex_day_count"))
    assert counted == 1
    assert rows(toy_province, "source_key, commune") == [("good", "00001")]


def test_centres_of_communes_count_in_their_commune_and_in_no_hex(
    toy_province: Database, tmp_path: Path
) -> None:
    hexes = {"hexes": {"resolutions": [8]}}
    layer = layer_of({**MZ.source.model_dump(exclude_none=True)}, {"note": "text"}, **hexes)
    centres = [record(n, 104.05 + n % 3 / 10) for n in range(30)]
    path = write_csv(tmp_path / "mz.csv", COLUMNS, *centres, record("own", 104.02, 22.02))
    report = load(toy_province, layer, path)
    assert any(note.startswith("30 điểm là tâm xã") for note in report.notes)
    with toy_province.reading() as connection:
        assert connection.scalar(text("SELECT sum(count) FROM gis.hex_day_count")) == 1
    assert rows(toy_province, "count(*), count(commune), min(place_precision_m)", "1") == [
        (31, 31, 5000.0)
    ]
