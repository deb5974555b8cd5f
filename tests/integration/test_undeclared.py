"""Columns that no layer file declares: in schema private alone, masked to all but two."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from api.routes import quarantine
from gis.access import LOCAL_ADMIN, Principal, Role, create_key
from gis.database.engine import Database
from gis.text import HIDDEN
from layers.ingest.corrections import correct, fix
from layers.ingest.record_files import write_records
from layers.ingest.retry import replay
from layers.ingest.undeclared import in_clear, masked
from layers.jobs.retention import forget_sent
from tests.intake_layers import FILES, execute, layer_of, load, publish, rows, waiting
from tests.integration.ogc_app import client_of
from tests.workbooks import write_xls

SOURCE = {
    "key": "report_id", "coordinates": {"x": "lon", "y": "lat"}, "address": "address",
    "commune": "commune", "time": {"column": "happened_at"},
}  # fmt: skip
FIELDS = {
    "category": "text",
    "reporter": {"type": "text", "column": "reporter_name", "personal": True},
}
REPORTS = layer_of(SOURCE, FIELDS)
SECRETS = {"ho_ten_nguoi_gui": "Nguyễn Văn Mẫu", "cccd": "010012345678", "sdt": "0912000111"}
SENDER = Principal("sender", Role.DEPARTMENT, frozenset({"mz"}))
STRANGER = Principal("other", Role.OPERATOR)


@pytest.fixture
def failed(toy_province: Database) -> Database:
    report = load(toy_province, REPORTS, FILES / "undeclared.csv", who="sender")
    assert report.quarantined == 1
    return toy_province


def texts_outside_private(database: Database) -> str:
    """All rows of all tables but those of schema private, as text."""
    with database.reading() as connection:
        names = connection.execute(
            text("SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables"
                 " WHERE schemaname IN ('gis', 'layer')")
        ).scalars().all()  # fmt: skip
        return "\n".join(
            str(row[0])
            for name in names
            if name not in ("gis.admin_unit", "gis.cell_table")
            for row in connection.execute(text(f"SELECT t::text FROM {name} t"))
        )


def test_no_undeclared_cell_is_outside_schema_private(failed: Database) -> None:
    stored = texts_outside_private(failed)
    assert not [value for value in SECRETS.values() if value in stored]
    with failed.writing() as connection:
        (row,) = connection.execute(text("SELECT cells, sender FROM private.undeclared")).all()
    assert tuple(row) == (SECRETS, "sender")
    assert [each.undeclared for each in waiting(failed)] == [sorted(SECRETS)]


def audited(database: Database) -> list[tuple[str, str]]:
    with database.writing() as connection:
        return [
            tuple(row)
            for row in connection.execute(
                text("SELECT who, act FROM private.audit WHERE act LIKE 'undeclared%' ORDER BY id")
            )
        ]


@pytest.mark.parametrize(("who", "sees"), [(SENDER, True), (LOCAL_ADMIN, True), (STRANGER, False)])
def test_only_the_sender_and_the_intake_desk_see_them_and_it_is_logged(
    failed: Database, who: Principal, sees: bool
) -> None:
    (record,) = waiting(failed)
    with failed.writing() as connection:
        shown = in_clear(connection, record, who)
    expected = SECRETS if sees else dict.fromkeys(SECRETS, HIDDEN)
    assert {column: shown.raw[column] for column in SECRETS} == expected
    assert audited(failed) == ([(who.name, "undeclared.read")] if sees else [])


def test_every_door_masks_them(failed: Database, tmp_path: Path) -> None:
    with failed.writing() as connection:
        keys = {
            "sender": create_key(connection, "sender", Role.DEPARTMENT, ["mz"]),
            "operator": create_key(connection, "operator", Role.OPERATOR),
            "admin": create_key(connection, "admin", Role.ADMIN),
        }
    (record,) = waiting(failed)
    with client_of(failed, [REPORTS]) as client:
        client.app.include_router(quarantine.router)
        for name, key in keys.items():
            headers = {"X-API-Key": key}
            listed = client.get("/quarantine", headers=headers).text
            one = client.get(f"/quarantine/{record.id}", headers=headers).text
            changed = client.patch(
                f"/quarantine/{record.id}", headers=headers, json={"changes": {"address": "x"}}
            ).text
            for secret in ("010012345678", "0912000111"):
                assert secret not in listed + changed
                assert (secret in one) is (name != "operator"), name
            assert HIDDEN in listed
    for suffix in ("csv", "gpkg"):
        write_records(REPORTS, waiting(failed), tmp_path / f"failed.{suffix}")
        content = (tmp_path / f"failed.{suffix}").read_bytes()
        assert b"010012345678" not in content and b"0912000111" not in content
    with (tmp_path / "failed.csv").open(encoding="utf-8-sig") as file:
        (line,) = csv.DictReader(file)
    assert {line[column] for column in SECRETS} == {HIDDEN}


def test_corrections_and_replays_keep_them_where_they_are(failed: Database) -> None:
    (record,) = waiting(failed)
    with failed.writing() as connection:
        correct(connection, [record], {"address": "không rõ"}, "officer")
        (tried,) = replay(connection, REPORTS, actor="officer")
    assert tried.still_waiting == 1
    assert not [each for each in SECRETS.values() if each in texts_outside_private(failed)]
    with failed.writing() as connection:
        assert in_clear(connection, waiting(failed)[0], SENDER).raw["cccd"] == SECRETS["cccd"]
        assert in_clear(connection, waiting(failed)[0], STRANGER) == masked(waiting(failed)[0])


def test_a_column_that_is_declared_later_comes_back_by_a_replay(failed: Database) -> None:
    declared = layer_of(SOURCE, {**FIELDS, "cccd": "text"})
    publish(failed, declared)
    (record,) = waiting(failed)
    with failed.writing() as connection:
        fix(connection, record.id, {"commune": "00001", "address": ""}, "officer")
        (tried,) = replay(connection, declared, actor="officer")
    assert tried.still_waiting == 0
    assert rows(failed, "commune, cccd") == [("00001", SECRETS["cccd"])]


def test_a_column_that_is_declared_no_more_leaves_quarantine(toy_province: Database) -> None:
    """And so does what an earlier version left there."""
    wide = layer_of(SOURCE, {**FIELDS, "cccd": "text", "sdt": "text"})
    load(toy_province, wide, FILES / "undeclared.csv", who="sender")
    assert waiting(toy_province)[0].raw["cccd"] == SECRETS["cccd"]
    publish(toy_province, REPORTS)
    (record,) = waiting(toy_province)
    assert {"cccd", "sdt"}.isdisjoint(record.raw)
    assert set(record.undeclared) == set(SECRETS)
    with toy_province.writing() as connection:
        assert in_clear(connection, record, SENDER).raw["cccd"] == SECRETS["cccd"]
    before = waiting(toy_province)
    load(toy_province, REPORTS, FILES / "undeclared.csv", who="sender")
    assert waiting(toy_province) == before, "its source says what it said"


def test_notes_of_a_load_quote_no_undeclared_cell(
    toy_province: Database, tmp_path: Path, write_old: Callable[[Path], Path]
) -> None:
    report = load(toy_province, REPORTS, write_old(tmp_path / "old.csv"))
    assert not [note for note in report.notes if "ho_ten" in note]


TORN = [  # one field too many, so that values stand in columns of others
    ["report_id", "lon", "lat", "address", "commune", "happened_at", "category", "cccd", "note"],
    *([f"g{n}", "104.05", "22.05", "", "", "2025-09-01", "traffic", "1", ""] for n in range(5)),
    ["torn", "104.05", "22.05", "thôn 1", "", "", "2025-09-01", "traffic", "010012345678", "x"],
    ["torn2", "104.05", "22.05", "", "", "2025-09-01", "010012345678"],
]  # fmt: skip


def test_of_a_torn_line_only_the_key_is_shown_and_it_waits_until_it_is_corrected(
    toy_province: Database, tmp_path: Path
) -> None:
    path = tmp_path / "torn.csv"
    path.write_text("".join(",".join(row) + "\n" for row in TORN))
    failures = tmp_path / "failed.csv"
    report = load(toy_province, REPORTS, path, who="sender", failures=failures)
    assert (report.added, report.reasons) == (5, {"bad_record": 2})
    assert "010012345678" not in failures.read_text(encoding="utf-8-sig")
    assert "010012345678" not in texts_outside_private(toy_province)
    assert [each.raw for each in waiting(toy_province)] == [
        {"report_id": "torn"}, {"report_id": "torn2"},
    ]  # fmt: skip
    again = load(toy_province, REPORTS, failures, who="sender")
    assert again.added == 0
    load(toy_province, REPORTS, path, who="sender")
    with toy_province.writing() as connection:
        (tried,) = replay(connection, REPORTS, actor="officer")
    assert tried.still_waiting == 2
    record = waiting(toy_province)[0]
    with toy_province.writing() as connection:
        assert in_clear(connection, record, SENDER).raw["note"].startswith("010012345678")
        right = {"address": "", "commune": "", "happened_at": "2025-09-01", "category": "traffic"}
        fix(connection, record.id, right, "officer")
        (tried,) = replay(connection, REPORTS, actor="officer")
    assert tried.still_waiting == 1
    assert "010012345678" not in texts_outside_private(toy_province)


def test_a_value_in_a_column_without_a_name_is_not_quoted(
    toy_province: Database, tmp_path: Path
) -> None:
    names, *records = TORN[:6]
    rows_ = [[*names[:-1], ""], *([*each[:-1], "010012345678"] for each in records)]
    report = load(toy_province, REPORTS, write_xls(tmp_path / "a.xls", rows_), who="sender")
    assert report.reasons == {"bad_record": 5}
    assert "010012345678" not in texts_outside_private(toy_province)


def kept_cells(database: Database) -> int:
    with database.writing() as connection:
        forget_sent(connection, 30)
        return int(connection.scalar(text("SELECT count(*) FROM private.undeclared")) or 0)


LONG_AGO = "UPDATE private.undeclared SET sent_at = now() - interval '31 days'"


@pytest.mark.parametrize(
    ("statement", "kept"),
    [
        (None, 1),
        (LONG_AGO, 0),
        ("UPDATE gis.quarantine SET status = 'dropped'", 0),
        ("DELETE FROM gis.quarantine", 0),
        ("UPDATE gis.layer SET published = false WHERE id = 'mz'", 1),
        ("UPDATE gis.quarantine SET status = 'replayed'", 1),
    ],
)
def test_they_go_with_their_record_and_after_some_days(
    failed: Database, statement: str | None, kept: int
) -> None:
    if statement:
        execute(failed, statement)
    assert kept_cells(failed) == kept
    for record in waiting(failed, status=None):
        with failed.writing() as connection:
            shown = in_clear(connection, record, SENDER).raw["cccd"]
        assert shown == (SECRETS["cccd"] if kept else HIDDEN)


def test_what_is_sent_again_is_kept_anew_and_what_is_replayed_is_not(failed: Database) -> None:
    execute(failed, LONG_AGO)
    with failed.writing() as connection:
        replay(connection, REPORTS, actor="officer")
    assert kept_cells(failed) == 0
    load(failed, REPORTS, FILES / "undeclared.csv", who="sender")
    execute(failed, LONG_AGO)
    load(failed, REPORTS, FILES / "undeclared.csv", who="sender")
    assert kept_cells(failed) == 1


@pytest.fixture
def write_old() -> Callable[[Path], Path]:
    """A file whose undeclared column is in an old encoding (decomposed letters)."""

    def write(path: Path) -> Path:
        import unicodedata

        content = (FILES / "undeclared.csv").read_text(encoding="utf-8")
        path.write_text(unicodedata.normalize("NFD", content), encoding="utf-8")
        return path

    return write
