"""Loads as things: their source is declared, they are tried first, asked about, and taken back."""

import csv
import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from gis.access import LOCAL_ADMIN
from gis.database.engine import Database
from gis.errors import AmbiguousInput, Conflict, NotFound
from layers.definition.model import HexOptions
from layers.ingest import edit, loads
from layers.ingest.corrections import fix
from layers.ingest.feature import Feature
from layers.ingest.load import LoadOptions, load_file
from layers.ingest.mode import LoadMode
from layers.ingest.retry import replay
from layers.items import source_of
from tests.intake_layers import MZ as PLAIN
from tests.intake_layers import layer_of, load, rows, waiting, write_csv

MZ = PLAIN.model_copy(update={"hexes": HexOptions()})
COLUMNS = ("id", "lon", "lat", "address", "commune", "when", "val", "n", "note")
ROW = (
    "to_jsonb(mz) - 'geom' - 'updated_at' - 'provenance' - 'id' || "
    "jsonb_build_object('geom', ST_AsText(geom))"
)


def record(key: str, note: str = "", lon: str = "104.15") -> tuple:
    return (key, lon, "22.05", "", "", "2026-03-01", "1.5", "1", note)


def many(note: str, count: int = 30) -> list[tuple]:
    return [record(f"k{n}", note) for n in range(count)]


@pytest.fixture
def file(tmp_path: Path):
    def write(name: str, *records: tuple) -> Path:
        return write_csv(tmp_path / name, COLUMNS, *records)

    return write


def state(database: Database) -> tuple:
    held = [(each.source_key, each.raw, each.status) for each in waiting(database)]
    with database.reading() as connection:
        cells = connection.execute(
            text("SELECT cell, count FROM gis.hex_count WHERE layer_id = 'mz' ORDER BY 1, 2")
        ).all()
    return rows(database, ROW), held, cells


def test_a_file_whose_name_has_dots_overwrites_no_other(toy_province, file):
    first = load(toy_province, MZ, file("bc.thang9.csv", record("1", "a")), source=None)
    assert first.source == "bc.thang9"
    october = file("bc.thang10.csv", record("1", "b"))
    with pytest.raises(AmbiguousInput, match=r"“bc.thang9”.*--source 'bc.thang10'"):
        load(toy_province, MZ, october, source=None)
    assert rows(toy_province, "note") == [("a",)]
    load(toy_province, MZ, october, source="bc.thang10")
    assert rows(toy_province, "note", "source DESC") == [("a",), ("b",)]


def test_the_source_of_a_layer_file_is_that_of_all_its_loads(toy_province, file):
    named = layer_of({**MZ.source.model_dump(), "name": "register"}, {"note": "text"})
    load(toy_province, named, file("exp.csv", record("1", "a")), source=None)
    report = load(toy_province, named, file("exp (1).csv", record("1", "b")), source=None)
    assert (report.source, report.updated) == ("register", 1)


@pytest.mark.parametrize("mode", list(LoadMode))
def test_a_load_that_overwrites_many_rows_is_asked_about(toy_province, file, mode):
    load(toy_province, MZ, file("a.csv", *many("a")))
    again = file("a.csv", *many("b"))
    if mode is LoadMode.APPEND:
        assert load(toy_province, MZ, again, mode=mode).unchanged == 30
        assert set(rows(toy_province, "note")) == {("a",)}
        return
    with pytest.raises(AmbiguousInput, match=r"30 of the 30.*--yes"):
        load(toy_province, MZ, again, mode=mode)
    assert set(rows(toy_province, "note")) == {("a",)}
    assert load(toy_province, MZ, again, mode=mode, confirmed=True).updated == 30


def test_a_mirror_that_would_delete_many_rows_is_asked_about(toy_province, file):
    load(toy_province, MZ, file("a.csv", *many("a", 10)))
    load(toy_province, MZ, file("a.csv", *many("a", 8)), mode=LoadMode.MIRROR)
    assert len(rows(toy_province, "id")) == 8
    with pytest.raises(AmbiguousInput, match=r"5 of the 8 .*--yes"):
        load(toy_province, MZ, file("a.csv", *many("a", 3)), mode=LoadMode.MIRROR)
    assert len(rows(toy_province, "id")) == 8
    report = load(
        toy_province, MZ, file("a.csv", *many("a", 3)), mode=LoadMode.MIRROR, confirmed=True
    )
    assert (report.removed, len(rows(toy_province, "id"))) == (5, 3)


@pytest.mark.parametrize("mode", list(LoadMode))
def test_a_dry_run_counts_what_the_load_does_and_stores_nothing(toy_province, file, mode):
    load(toy_province, MZ, file("a.csv", record("1", "a"), record("2"), ("x", *[""] * 8)))
    before = state(toy_province)
    path = file("a.csv", record("1", "b"), record("3"), ("y", *[""] * 8))
    tried = load(toy_province, MZ, path, mode=mode, dry_run=True)
    assert state(toy_province) == before
    with toy_province.reading() as connection:
        assert len(loads.list_loads(connection)) == 1
    done = load(toy_province, MZ, path, mode=mode, confirmed=True)
    assert replace(done, load_id=None) == replace(tried, columns=())
    uses = {use.column: (use.use, use.read_as) for use in tried.columns}
    assert uses["lon"] == ("x", "angle decimal_point (“104.15”)")
    assert uses["when"] == ("time", "date ISO 8601")
    assert uses["n"] == ("n", "integer")


def test_the_records_that_fail_are_a_file_that_loads_once_it_is_corrected(toy_province, tmp_path):
    layer = layer_of(
        {"key": "id", "coordinates": {"x": "lon", "y": "lat"}},
        {"phone": {"type": "text", "personal": True}},
    )
    columns = ("id", "lon", "lat", "phone", "cmnd")
    good, bad = ("1", "104.15", "22.05", "0912345678", "07"), ("2", "x", "22", "0987654321", "08")
    failures = tmp_path / "failed.csv"
    path = write_csv(tmp_path / "a.csv", columns, good, bad)
    load(toy_province, layer, path, failures=failures, dry_run=True)
    with failures.open(encoding="utf-8-sig", newline="") as lines:
        (failed,) = csv.DictReader(lines)
    assert failed.pop("#why").startswith("lon:")
    assert failed == {
        "id": "2", "lon": "x", "lat": "22", "phone": "[đã ẩn]", "cmnd": "[đã ẩn]",
        "#reason": "bad_number",
    }  # fmt: skip
    load(toy_province, layer, path)
    failures.write_text(failures.read_text("utf-8-sig").replace("2,x,22,", "2,104.15,22.05,"))
    assert load(toy_province, layer, failures).added == 1
    with toy_province.writing() as connection:
        details = connection.scalars(text("SELECT details FROM private.reporter ORDER BY 1")).all()
    assert details == [{"phone": "0912345678"}, {"phone": "0987654321"}]


def test_a_revert_puts_back_what_the_load_changed(toy_province, file):
    path = file("a.csv", record("1", "a"), record("2", "a"), record("3", "a"), ("x", *[""] * 8))
    load(toy_province, MZ, path)
    before = state(toy_province)
    mixed = file("a.csv", record("1", "b"), record("2", "a"), record("4", "b"), ("y", *[""] * 8))
    report = load(toy_province, MZ, mixed, mode=LoadMode.REPLACE)
    assert (report.added, report.updated, report.removed, report.unchanged) == (1, 1, 1, 1)
    with toy_province.reading() as connection:
        done = loads.get_load(connection, report.load_id)
        changes = loads.diff(connection, MZ, done)
    shown = {change.source_key: (change.before, change.after) for change in changes}
    assert shown["1"] == ({"note": "a"}, {"note": "b"})
    assert (shown["3"][0]["note"], shown["3"][1]) == ("a", None)
    assert (shown["4"][0], shown["4"][1]["note"]) == (None, "b")
    assert (done.file, done.mode, done.removed) == ("a.csv", "replace", 1)
    with toy_province.writing() as connection:
        reverted = loads.revert(connection, MZ, report.load_id, LOCAL_ADMIN)
    assert reverted == loads.Reverted(deleted=1, restored=1, returned=1, kept=0)
    assert state(toy_province) == before
    with toy_province.writing() as connection, pytest.raises(Conflict, match="is reverted"):
        loads.revert(connection, MZ, report.load_id, LOCAL_ADMIN)
    with toy_province.reading() as connection, pytest.raises(NotFound, match="gis loads list"):
        loads.get_load(connection, 999)


def test_a_revert_leaves_rows_that_were_changed_since(toy_province, file):
    load(toy_province, MZ, file("a.csv", record("1", "a"), record("2", "a")))
    report = load(toy_province, MZ, file("a.csv", record("1", "b"), record("2", "b"), record("3")))
    with toy_province.writing() as connection:
        row = connection.scalar(text("SELECT id FROM layer.mz WHERE source_key = '1'"))
        corrected = Feature(None, {"note": "by hand"}, has_geometry=False)
        edit.modify(connection, source_of(MZ), row, corrected, LOCAL_ADMIN)
    with toy_province.writing() as connection:
        reverted = loads.revert(connection, MZ, report.load_id, LOCAL_ADMIN)
    assert reverted == loads.Reverted(deleted=1, restored=1, returned=0, kept=1)
    assert rows(toy_province, "source_key, note") == [("1", "by hand"), ("2", "a")]


def test_cells_that_no_layer_file_declares_go_with_the_load_that_brought_them(
    toy_province, tmp_path
):
    path = write_csv(tmp_path / "a.csv", (*COLUMNS, "sdt"), (*record("1", lon="x"), "0912000111"))
    report = load(toy_province, MZ, path)
    with toy_province.writing() as connection:
        assert connection.scalar(text("SELECT count(*) FROM private.undeclared")) == 1
        loads.revert(connection, MZ, report.load_id, LOCAL_ADMIN)
        assert connection.scalar(text("SELECT count(*) FROM private.undeclared")) == 0
    assert waiting(toy_province) == []


def test_a_replay_is_one_entry_of_the_history_and_can_be_reverted(toy_province, file):
    load(toy_province, MZ, file("a.csv", record("1", "a")))
    load(toy_province, MZ, file("a.csv", record("1", "b", lon="x")))
    (held,) = waiting(toy_province)
    with toy_province.writing() as connection:
        fix(connection, held.id, {"lon": "104.15"}, "tests")
        (tried,) = replay(connection, MZ, actor="tests")
    assert rows(toy_province, "note") == [("b",)]
    with toy_province.writing() as connection:
        assert [change.act for change in edit.history(connection, "mz")] == ["replay"]
        reverted = loads.revert(connection, MZ, tried.report.load_id, LOCAL_ADMIN)
    assert reverted.restored == 1
    assert rows(toy_province, "note") == [("a",)]
    assert [each.status for each in waiting(toy_province)] == ["waiting"]


def test_a_row_of_a_load_can_be_reverted_alone(toy_province, file):
    load(toy_province, MZ, file("a.csv", record("1", "a"), record("2", "a")))
    load(toy_province, MZ, file("a.csv", record("1", "b"), record("2", "b")))
    with toy_province.writing() as connection:
        change = edit.history(connection, "mz")[0]
        edit.revert(connection, MZ, change.id, LOCAL_ADMIN)
    assert sorted(note for (note,) in rows(toy_province, "note")) == ["a", "b"]


PHASES = ("add", "count", "merge", "hexes", "commit")


def _load_and_die(url: str, path: Path, phase: str) -> None:
    from sqlalchemy import event

    from layers.ingest.merge import IncomingRows

    database = Database(url)
    if phase == "commit":
        event.listen(database.engine, "commit", lambda _: os.kill(os.getpid(), signal.SIGKILL))
    elif phase == "hexes":
        run = IncomingRows._run

        def run_and_die(self: IncomingRows, template: str, *values: object) -> None:
            run(self, template, *values)
            if template.strip().startswith("INSERT INTO {table}"):
                os.kill(os.getpid(), signal.SIGKILL)

        IncomingRows._run = run_and_die  # type: ignore[method-assign]
    else:
        inner = getattr(IncomingRows, phase)

        def die(self: IncomingRows, *given: object, **named: object) -> None:
            inner(self, *given, **named)
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(IncomingRows, phase, die)
    load_file(database, MZ, path, LoadOptions("tests", "tests"))


@pytest.mark.parametrize("phase", PHASES)
def test_a_load_that_is_killed_leaves_nothing_and_doubles_nothing(toy_province, file, phase):
    load(toy_province, MZ, file("a.csv", record("0")))
    before = state(toy_province)
    path = file("b.csv", *many("a"), ("x", *[""] * 8))
    victim = multiprocessing.get_context("spawn").Process(
        target=_load_and_die, args=(toy_province.url, path, phase)
    )
    victim.start()
    victim.join(60)
    assert victim.exitcode == -signal.SIGKILL
    assert state(toy_province) == before
    report = load(toy_province, MZ, path)
    assert (report.added, report.quarantined) == (30, 1)
    assert load(toy_province, MZ, path).unchanged == 30
