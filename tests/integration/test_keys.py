"""Keys of several columns, also those that an earlier version stored; keys that are too long."""

from pathlib import Path

import pytest
from sqlalchemy import text

from gis.database.engine import Database
from layers.definition.model import Layer
from layers.ingest.retry import replay
from tests.intake_layers import (
    FILES,
    POINT,
    execute,
    layer_of,
    load,
    rows,
    waiting,
    write_csv,
)

SOURCE = {"key": ["a", "b"], "coordinates": POINT}
WITH_FIELDS = layer_of(SOURCE, {"a": "text", "b": "text", "v": "integer"})
WITHOUT_FIELDS = layer_of(SOURCE, {"v": "integer"})
COLUMNS = ("a", "b", "v", "lon", "lat")


def shifted(path: Path, folder: Path) -> Path:
    """A fixture's records, moved into the toy province."""
    lines = path.read_text(encoding="utf-8").replace("103.97,22.48", "104.05,22.05")
    moved = folder / path.name
    moved.write_text(lines.replace("103.98,22.48", "104.06,22.05"), encoding="utf-8")
    return moved


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return shifted(FILES / "keys1.csv", tmp_path), shifted(FILES / "keys2.csv", tmp_path)


@pytest.mark.parametrize("layer", [WITH_FIELDS, WITHOUT_FIELDS])
def test_records_whose_joined_keys_look_alike_stay_two(
    toy_province: Database, files: tuple[Path, Path], layer: Layer
) -> None:
    for _ in range(2):
        for path in files:
            load(toy_province, layer, path)
    assert rows(toy_province, "v", "v") == [(1,), (2,)]


def as_before(database: Database) -> None:
    """The key of an earlier version, in a row, its history and its reporter."""
    execute(
        database,
        "UPDATE layer.mz SET source_key = 'a|b|c'",
        "INSERT INTO gis.row_history (layer_id, row_id, act, who, before)"
        " SELECT 'mz', id, 'update', 'desk', to_jsonb(mz) - 'geom' FROM layer.mz",
        "INSERT INTO private.reporter (layer_id, source, source_key, details)"
        " VALUES ('mz', 'tests', 'a|b|c', '{}')",
    )


@pytest.mark.parametrize("layer", [WITH_FIELDS, WITHOUT_FIELDS])
def test_the_row_of_a_former_key_is_found_again(
    toy_province: Database, files: tuple[Path, Path], layer: Layer
) -> None:
    load(toy_province, layer, files[0])
    as_before(toy_province)
    (before,) = rows(toy_province, "id")
    again = load(toy_province, layer, files[0])
    assert (again.added, again.updated, again.unchanged) == (0, 0, 1)
    assert rows(toy_province, "id, source_key") == [(*before, r"a\|b|c")]
    with toy_province.writing() as connection:  # a reader sees nothing of schema private
        history = connection.scalar(text("SELECT before ->> 'source_key' FROM gis.row_history"))
        reporter = connection.scalar(text("SELECT source_key FROM private.reporter"))
    assert history == reporter == r"a\|b|c"


def test_a_row_of_a_former_key_belongs_to_the_record_whose_fields_it_has(
    toy_province: Database, files: tuple[Path, Path]
) -> None:
    load(toy_province, WITH_FIELDS, files[1])
    as_before(toy_province)
    (kept,) = rows(toy_province, "id")
    assert load(toy_province, WITH_FIELDS, files[0]).added == 1
    assert load(toy_province, WITH_FIELDS, files[1]).unchanged == 1
    assert rows(toy_province, "source_key, v") == [(r"a\|b|c", 1), (r"a|b\|c", 2)]
    assert (*kept, 2) in rows(toy_province, "id, v")


def test_of_a_file_the_last_record_wrote_the_row_of_a_former_key(
    toy_province: Database, tmp_path: Path
) -> None:
    both = (("a|b", "c", 1, 104.05, 22.05), ("a", "b|c", 2, 104.06, 22.05))
    load(toy_province, WITHOUT_FIELDS, write_csv(tmp_path / "k.csv", COLUMNS, both[1]))
    as_before(toy_province)
    (kept,) = rows(toy_province, "id")
    report = load(toy_province, WITHOUT_FIELDS, write_csv(tmp_path / "k.csv", COLUMNS, *both))
    assert (report.added, report.unchanged) == (1, 1)
    assert (*kept, 2) in rows(toy_province, "id, v")


def test_a_record_in_quarantine_under_a_former_key_is_found_again(
    toy_province: Database, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "k.csv", COLUMNS, ("a|b", "c", "x", 104.05, 22.05))
    load(toy_province, WITHOUT_FIELDS, path)
    execute(toy_province, "UPDATE gis.quarantine SET source_key = 'a|b|c'")
    (before,) = waiting(toy_province)
    load(toy_province, WITHOUT_FIELDS, path)
    (after,) = waiting(toy_province)
    assert (after.id, after.source_key) == (before.id, r"a\|b|c")
    with toy_province.writing() as connection:
        (tried,) = replay(connection, WITHOUT_FIELDS, actor="officer")
    assert tried.still_waiting == 1 and len(waiting(toy_province)) == 1


def test_an_overlong_key_is_the_fault_of_its_row(toy_province: Database, tmp_path: Path) -> None:
    layer = layer_of({"key": "k", "coordinates": POINT}, {"name": "text", "link": "text"})
    lines = (FILES / "longkey.csv").read_text(encoding="utf-8").splitlines()
    long = lines[1].split(",")[0]
    records = ((long, 104.05, 22.05), (f"{long}x", 104.05, 22.05), ("short", 104.05, 22.05))
    path = write_csv(tmp_path / "longkey.csv", ("k", "lon", "lat"), *records)
    for _ in range(2):
        report = load(toy_province, layer, path)
        assert report.reasons == {"long_key": 2}
    assert rows(toy_province, "source_key") == [("short",)]
    assert [one.raw["k"] for one in waiting(toy_province)] == [long, f"{long}x"]


def test_records_in_quarantine_never_share_a_key(toy_province: Database, tmp_path: Path) -> None:
    layer = layer_of({"key": "k", "coordinates": POINT}, {"n": "integer"})
    records = (("a", 1), ("a", 2), ("a#line 2", "x"), ("", 4), ("#line 5", "y"))
    path = write_csv(
        tmp_path / "k.csv", ("k", "n", "lon", "lat"), *((*one, 104.05, 22.05) for one in records)
    )
    report = load(toy_province, layer, path)
    assert (report.added, report.quarantined) == (1, 4)
    assert len(waiting(toy_province)) == 4
