"""A watched folder: complete files are loaded and moved, whatever their format and faults."""

import os
import shutil
import threading
from pathlib import Path

import pytest

from gis.connectors.folder import FolderConnector, FolderOptions
from gis.database.engine import Database
from gis.errors import SourceRefused
from tests.intake_layers import rows, write_csv
from tests.source_layers import count, feed_layer, levels, publish, run, state, surroundings
from tests.workbooks import write_xlsx

COLUMNS = ("code", "lon", "lat", "level", "name")


@pytest.fixture
def folder(inbox: Path) -> Path:
    made = inbox / "mz"
    made.mkdir()
    return made


def put(folder: Path, name: str, *records: tuple[object, ...], age_s: float = 60) -> Path:
    path = write_csv(folder / name, COLUMNS, *records)
    when = path.stat().st_mtime - age_s
    os.utime(path, (when, when))
    return path


def names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir() if each.is_file()} if folder.exists() else set()


def test_files_are_loaded_in_the_order_in_which_they_came_and_moved(
    database: Database, folder: Path, inbox: Path
):
    layer = feed_layer()
    publish(database, layer)
    put(folder, "b.csv", ("A", 104.15, 22.05, 1, "x"), age_s=60)
    put(folder, "a.csv", ("A", 104.15, 22.05, 2, "x"), age_s=30)
    (folder / "c.csv.part").write_text("code")
    (folder / ".hidden").write_text("code")
    report = run(database, layer, inbox)
    assert (report.state, report.batches, report.added, report.updated) == ("complete", 2, 1, 1)
    assert levels(database) == {"A": 2}
    assert names(folder) == {"c.csv.part", ".hidden"}
    assert names(folder / "done") == {"a.csv", "b.csv"}
    assert names(folder / "failed") == set()
    assert run(database, layer, inbox).batches == 0
    put(folder, "a.csv", ("B", 104.15, 22.05, 3, "x"))
    run(database, layer, inbox)
    assert len(names(folder / "done")) == 3


def test_each_format_of_the_intake_is_read(database: Database, folder: Path, inbox: Path):
    layer = feed_layer()
    publish(database, layer)
    write_xlsx(folder / "x.xlsx", {"Sheet": [list(COLUMNS), ["X", 104.15, 22.05, 1, "x"]]})
    (folder / "g.geojson").write_text(
        '{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"code":"G",'
        '"level":1,"name":"g"},"geometry":{"type":"Point","coordinates":[104.15,22.05]}}]}'
    )
    assert run(database, layer, inbox).state == "complete"
    assert set(levels(database)) == {"X", "G"}


def test_a_file_that_cannot_be_read_is_set_aside_with_its_reason_and_the_next_is_read(
    database: Database, folder: Path, inbox: Path
):
    layer = feed_layer()
    publish(database, layer)
    bad = folder / "bad.xlsx"
    bad.write_bytes(b"PK\x03\x04 no workbook")
    os.utime(bad, (1, 1))
    put(folder, "page.csv").write_text("<!doctype html><html>đăng nhập</html>")
    lost = write_csv(folder / "lost.csv", ("other",), ("1",))
    os.utime(lost, (2, 2))
    put(folder, "good.csv", ("A", 104.15, 22.05, 1, "x"), age_s=0)
    report = run(database, layer, inbox)
    assert report.state == "complete"
    assert levels(database) == {"A": 1}
    failed = names(folder / "failed")
    assert failed == {f"{n}{end}" for n in ("bad.xlsx", "page.csv", "lost.csv")
                      for end in ("", ".why.txt")}  # fmt: skip
    assert "code" in (folder / "failed" / "lost.csv.why.txt").read_text()
    assert names(folder / "done") == {"good.csv"}


def test_records_that_fail_are_in_a_file_to_correct(database: Database, folder: Path, inbox: Path):
    layer = feed_layer()
    publish(database, layer)
    put(folder, "r.csv", ("A", 104.15, 22.05, 1, "x"), ("B", 104.15, 22.05, "?", "x"))
    run(database, layer, inbox)
    failures = folder / "failed" / "r.csv.failures.csv"
    lines = failures.read_text("utf-8-sig").splitlines()
    assert len(lines) == 2
    assert "bad_number" in lines[1]
    failures.write_text(failures.read_text("utf-8-sig").replace("?", "7"), "utf-8")
    shutil.move(failures, folder / "corrected.csv")
    run(database, layer, inbox)
    assert levels(database) == {"A": 1, "B": 7}


def test_a_file_that_is_being_written_waits(database: Database, folder: Path, inbox: Path):
    layer = feed_layer(read={"path": "mz", "settle_s": 0.3})
    publish(database, layer)
    path = put(folder, "w.csv", ("A", 104.15, 22.05, 1, "x"), age_s=0)
    connector = FolderConnector(
        FolderOptions(path="mz", settle_s=0.3), surroundings(inbox)
    )  # a look, and a writer in its pause

    def write() -> None:
        with path.open("a") as file:
            file.write("B,104.15,22.05,2,x\n")

    writer = threading.Timer(0.1, write)
    writer.start()
    assert list(connector.read({})) == []
    writer.join()
    assert names(folder) == {"w.csv"}
    assert run(database, layer, inbox).added == 2


def test_a_file_that_was_stored_before_a_death_is_moved_and_not_loaded_again(
    database: Database, folder: Path, inbox: Path, monkeypatch: pytest.MonkeyPatch
):
    layer = feed_layer()
    publish(database, layer)
    put(folder, "r.csv", ("A", 104.15, 22.05, 1, "x"))

    class Died(BaseException):
        pass

    def die(*_: object) -> None:
        raise Died

    with monkeypatch.context() as killed:
        killed.setattr(FolderConnector, "acknowledge", die)
        with pytest.raises(Died):
            run(database, layer, inbox)
    assert names(folder) == {"r.csv"}
    report = run(database, layer, inbox)
    assert (report.state, report.batches) == ("complete", 0)
    assert names(folder / "done") == {"r.csv"}
    assert count(database, "gis.load") == 1


def test_a_whole_register_lets_go_of_what_it_has_no_more(
    database: Database, folder: Path, inbox: Path
):
    layer = feed_layer(read={"path": "mz", "settle_s": 0, "whole": True}, deletions="mirror")
    publish(database, layer)
    put(folder, "1.csv", *((f"S{n}", 104.15, 22.05, n, "x") for n in range(10)))
    run(database, layer, inbox)
    put(folder, "2.csv", *((f"S{n}", 104.15, 22.05, n, "x") for n in range(8)))
    assert run(database, layer, inbox).removed == 2
    put(folder, "3.csv", ("S1", 104.15, 22.05, 1, "x"))
    assert run(database, layer, inbox).state == "asks"
    assert names(folder) == {"3.csv"}
    assert len(rows(database, "id")) == 8


@pytest.mark.parametrize("path", ["../x", "/etc", "", "a/../../b"])
def test_a_path_that_leaves_the_inbox_is_refused(path: str):
    with pytest.raises(ValueError, match="within the folder of GIS_INBOX"):
        FolderOptions(path=path)


def test_a_folder_that_is_missing_or_a_way_out_says_so(database: Database, inbox: Path):
    layer = feed_layer()
    publish(database, layer)
    report = run(database, layer, inbox)
    assert (report.state, "there is no folder mz" in report.why) == ("failed", True)
    assert state(database)["open_until"] is not None
    outside = inbox.parent / f"{inbox.name}-outside"
    outside.mkdir()
    (inbox / "mz").symlink_to(outside)
    connector = FolderConnector(FolderOptions(path="mz"), surroundings(inbox))
    with pytest.raises(SourceRefused, match="leads out"):
        list(connector.read({}))
