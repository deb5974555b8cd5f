"""Files that are loaded in chunks: the same rows, one load, memory of one chunk."""

import csv
import io
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy import text

from gis.errors import AmbiguousInput
from layers.ingest import merge
from layers.ingest.merge import IncomingRows
from tests.intake_layers import (
    MZ,
    execute,
    layer_of,
    load,
    publish,
    read_in_chunks,
    rows,
    waiting,
    write_csv,
)
from tests.integration.test_clues import write_shifted

COLUMNS = ("id", "lon", "lat", "address", "commune", "when", "val", "n", "note")
SHOWN = (
    "source_key, ST_AsText(geom), h3, commune, unit_then, place_method, default_point, valid_at,"
    " val, n, note, provenance ->> 'line'"
)


def records(count: int) -> list[tuple]:
    made = [
        (
            f"k{n}", f"{104.05 + n % 30 / 100:.4f}", f"22.0{n % 9}", "", "",
            f"2026-03-{n % 28 + 1:02}", f"{n}.5", n, f'“{n}”, "x"\nhai dòng' if n % 7 else "",
        )
        for n in range(count)
    ]  # fmt: skip
    made[3] = ("k3", "", "", "", "", "", "", "", "nowhere")
    made[5] = ("k40", *made[5][1:])  # comes again
    made[6] = ("", *made[6][1:])
    made[8] = ("k8", "", "", "", "00004", "2026-03-01", "", "", "")
    return made


@pytest.fixture
def in_chunks(monkeypatch):
    return partial(read_in_chunks, monkeypatch)


def test_a_file_in_chunks_gives_the_rows_and_the_quarantine_of_the_whole_file(
    toy_province, tmp_path, in_chunks
):
    path = write_csv(tmp_path / "a.csv", COLUMNS, *records(60))
    whole = load(toy_province, MZ, path)
    kept, held = rows(toy_province, SHOWN), waiting(toy_province)
    with toy_province.writing() as connection:
        connection.execute(text("TRUNCATE layer.mz"))
        connection.execute(text("DELETE FROM gis.quarantine"))
    in_chunks(7)
    parts = load(toy_province, MZ, path)
    assert replace(parts, load_id=whole.load_id) == whole
    assert rows(toy_province, SHOWN) == kept
    now = waiting(toy_province)
    shown = [(each.source_key, each.raw, each.reason, each.why) for each in held]
    assert [(each.source_key, each.raw, each.reason, each.why) for each in now] == shown
    assert load(toy_province, MZ, path).unchanged == whole.added


def test_a_question_that_the_last_chunk_answers_is_not_asked(toy_province, tmp_path, in_chunks):
    lines = [(f"k{n}", "104.15", "22.05", "", "", "05/03/2026", "1,234", n, "") for n in range(20)]
    path = write_csv(tmp_path / "a.csv", COLUMNS, *lines)
    in_chunks(6)
    publish(toy_province, MZ)
    with pytest.raises(AmbiguousInput):
        load(toy_province, MZ, path)
    assert rows(toy_province, "id") == []
    proof = ("z", "104.15", "22.05", "", "", "25/03/2026", "12,5", 1, "")
    load(toy_province, MZ, write_csv(tmp_path / "a.csv", COLUMNS, *lines, proof))
    assert rows(toy_province, "val, (valid_at AT TIME ZONE '+07')::date::text")[0][0] == 1.234


def test_a_contradiction_in_the_last_chunk_stores_nothing(toy_province, tmp_path, in_chunks):
    lines = [(f"k{n}", "104.15", "22.05", "", "", "25/03/2026", "1,5", n, "") for n in range(20)]
    other = ("z", "104.15", "22.05", "", "", "03/25/2026", "1.5", 1, "")
    in_chunks(6)
    publish(toy_province, MZ)
    with pytest.raises(AmbiguousInput):
        load(toy_province, MZ, write_csv(tmp_path / "a.csv", COLUMNS, *lines, other))
    assert rows(toy_province, "id") == []


WORDS = ("id", "lon", "lat", "address", "commune", "district", "when", "val", "n", "note", "more")
DISTRICTS = layer_of(
    {**MZ.source.model_dump(exclude_none=True), "district": "district"},
    {"val": "number", "n": "integer", "note": "text"},
)
ONE_COLUMN = layer_of(
    {"key": "id", "coordinates": {"x": "at", "y": "at"}, "time": {"column": "when"}},
    {"note": "text"},
)


def csv_text(*records: tuple) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(records)
    return written.getvalue()


def clues() -> str:
    """Centres, a rule, districts that contradict, records that are not whole, codes of numbers."""
    on_centres = [
        (f"c{n}", f"{104.05 + n % 3 / 10:.2f}", "22.05", "", "", "", "2026-03-01", 1, 1, "", "")
        for n in range(30)
    ]
    ruled = [
        (f"r{n}", "", "", "", "Nơi ấy" if n else "1", "", "2026-03-01", "", "", "", "x")
        for n in range(12)
    ]
    signed = [("s", "104.16°", "22°03'N", "", "", "", "2026-03-01", "", "", "", "")]
    against = [
        ("d1", "104.02", "22.02", "", "00007", "", "2026-03-01", "", "", "", "y"),
        ("d2", "104.02", "22.02", "", "", "Huyện nào", "2026-03-01", "", "", "", "y"),
        ("a1", "", "", "thôn 1, xã Sao Mai", "", "", "2026-03-01", "", "", "", ""),
    ]
    return csv_text(WORDS, *ruled, *on_centres, *signed, *against)


def in_one_column() -> str:
    places = [f"22.0{n % 9}, 104.1{n % 9}" for n in range(20)]
    places[3] = "ở chợ"
    return csv_text(
        ("id", "at", "when", "note"),
        *[(f"k{n}", place, "2026-03-01", "") for n, place in enumerate(places)],
    )


FILES = {
    "clues": (DISTRICTS, clues()),
    "ragged": (DISTRICTS, clues() + "z1,104.02\r\n"),
    "titles": (DISTRICTS, "Báo cáo,,,,,,,,,,\r\n" + clues()),
    "footer": (DISTRICTS, clues() + "Tổng cộng,,,,,,,3,,,\r\nNgười lập,,,,,,,,,,\r\n"),
    "one column": (ONE_COLUMN, in_one_column()),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("rows_each", [5, 16])
def test_what_is_known_of_a_whole_file_is_known_of_its_chunks(
    toy_province, tmp_path, in_chunks, name, rows_each
):
    layer, content = FILES[name]
    path = tmp_path / "a.csv"
    path.write_text(content, encoding="utf-8", newline="")
    publish(toy_province, layer)
    rule = (
        "INSERT INTO gis.correction (layer_id, source, matched, changes, who) VALUES"
        """ ('mz', 'tests', '{"commune": "Nơi ấy"}', '{"commune": "00004"}', 'x')"""
    )
    execute(toy_province, rule)
    shown = (
        "source_key, ST_AsText(geom), h3, commune, unit_then, place_method, place_confidence,"
        " place_precision_m, default_point, valid_at, note, provenance ->> 'line'"
    )

    def loaded():
        report = load(toy_province, layer, path)
        held = [
            (each.source_key, each.raw, each.undeclared, each.answers, each.reason, each.why)
            for each in waiting(toy_province)
        ]
        stored = rows(toy_province, shown)
        execute(toy_province, "TRUNCATE layer.mz", "DELETE FROM gis.quarantine")
        return replace(report, load_id=None), stored, sorted(held, key=lambda record: record[0])

    whole = loaded()
    in_chunks(rows_each)
    assert loaded() == whole
    if layer is DISTRICTS:
        notes = " ".join(whole[0].notes)
        assert "changed 11 records" in notes and "30 điểm là tâm xã" in notes
        assert whole[0].default_points == 30


def test_a_shifted_file_is_the_same_question_in_chunks(toy_province, tmp_path, in_chunks):
    path = write_shifted(tmp_path / "a.csv", 0.15)
    with pytest.raises(AmbiguousInput) as whole:
        load(toy_province, MZ, path)
    in_chunks(30)  # of the last chunks alone none would be asked about
    with pytest.raises(AmbiguousInput) as parts:
        load(toy_province, MZ, path, failures=tmp_path / "failed.csv")
    assert str(parts.value) == str(whole.value) and not (tmp_path / "failed.csv").exists()
    assert rows(toy_province, "id") == [] and waiting(toy_province) == []


def test_new_rows_are_added_without_reading_the_table_that_grows(toy_province):
    """Where it was analyzed while it was empty, a join with it would take quadratic time."""
    publish(toy_province, MZ)
    with toy_province.writing() as connection:
        rows = IncomingRows(connection, MZ)
        plan = rows._cursor.execute(rows._statement("EXPLAIN " + merge._INSERT)).fetchall()
    words = "\n".join(line for (line,) in plan)
    assert "Conflict Resolution" in words
    assert [line for line in words.splitlines() if "Scan" in line and "incoming" not in line] == []
