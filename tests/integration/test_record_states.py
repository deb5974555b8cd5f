"""States of records: listed, exported, corrected one by one or all alike, and undone."""

import csv
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pyogrio
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from api.cli import command_line, layers, records
from api.routes import quarantine
from gis.access import LOCAL_ADMIN, Role, create_key
from gis.database.engine import Database
from gis.errors import BadInput, Conflict, NotFound
from layers.definition.catalogue import Catalogue
from layers.ingest.corrections import (
    correct,
    decision,
    fix,
    fix_all,
    list_corrections,
    records_of,
    undo,
)
from layers.ingest.quarantine import State, drop, get_waiting
from layers.ingest.record_files import write_records
from layers.ingest.retry import replay
from tests.intake_layers import MZ, load, rows, waiting, write_csv
from tests.integration.ogc_app import client_of

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to" / "records.md"
COLUMNS = ("id", "lon", "lat", "address", "commune", "when", "val", "n", "note")
DAY = ("2026-03-01", 1, 1)
IN = ("in", 104.05, 22.05, "", "", *DAY, "")
EAST = ("east", 104.35, 22.05, "", "", *DAY, "=1+1")
TORN = ("torn", 104.05, 22.05, "", "00007", *DAY, "")
BLANK = ("blank", "", "", "", "", *DAY, "")
WRONG = [(f"w{n}", "", "", "", "khu 1", *DAY, "") for n in range(3)]
OTHER = ("other", "", "", "", "khu 4", *DAY, "")
ALL = (IN, EAST, TORN, BLANK, *WRONG, OTHER)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "mz.csv", COLUMNS, *ALL)


@pytest.fixture
def loaded(toy_province: Database, path: Path) -> Database:
    load(toy_province, MZ, path)
    return toy_province


def states(database: Database) -> dict[str, str]:
    return {each.source_key: each.state for each in waiting(database, status=None)}


def number(database: Database, key: str) -> int:
    return next(each.id for each in waiting(database, status=None) if each.source_key == key)


def placed(database: Database) -> dict[str, str]:
    return dict(rows(database, "source_key, commune"))


def test_each_state_is_listed_and_selected(loaded: Database, tmp_path: Path) -> None:
    assert states(loaded) == {
        "east": "outside", "torn": "contradicting", "blank": "quarantined", "w0": "quarantined",
        "w1": "quarantined", "w2": "quarantined", "other": "quarantined",
    }  # fmt: skip
    with loaded.writing() as connection:
        drop(connection, number(loaded, "blank"), "officer")
        fix(connection, number(loaded, "other"), {"commune": "00004"}, "officer")
        replay(connection, MZ, actor="officer")
    load(loaded, MZ, write_csv(tmp_path / "new.csv", COLUMNS, ("in", 130, 22.05, *IN[3:])))
    assert states(loaded) | {} == {
        "east": "outside", "torn": "contradicting", "blank": "dropped", "w0": "quarantined",
        "w1": "quarantined", "w2": "quarantined", "other": "placed", "in": "stale",
    }  # fmt: skip
    for state in State:
        expected = {key for key, each in states(loaded).items() if each == state}
        assert {each.source_key for each in waiting(loaded, state=state)} == expected
    assert {each.reason for each in waiting(loaded, state="stale")} == {"outside"}


def test_a_stale_row_is_served_and_marked_for_those_who_may_write_alone(
    loaded: Database, tmp_path: Path
) -> None:
    load(loaded, MZ, write_csv(tmp_path / "new.csv", COLUMNS, ("in", 130, 22.05, *IN[3:])))
    with loaded.writing() as connection:
        key = create_key(connection, "desk", Role.OPERATOR)
    with client_of(loaded, [MZ]) as client:
        (item,) = client.get("/ogc/collections/mz/items").json()["features"]
        url = f"/ogc/collections/mz/items/{item['id']}"
        public = client.get(url)
        assert "stale" not in public.json()
        own = client.get(url, headers={"X-API-Key": key})
        stale = own.json()["stale"]
        assert (stale["reason"], stale["id"]) == ("outside", number(loaded, "in"))
        assert [each.item for each in waiting(loaded, state="stale")] == [item["id"]]
        assert own.json()["properties"] == public.json()["properties"]
        assert own.headers["ETag"] != public.headers["ETag"]
        load(loaded, MZ, write_csv(tmp_path / "new.csv", COLUMNS, IN))
        again = client.get(url, headers={"X-API-Key": key, "If-None-Match": own.headers["ETag"]})
        assert again.status_code == 200 and "stale" not in again.json()


def test_pages_of_items_mark_stale_rows_for_those_who_may_write(
    loaded: Database, tmp_path: Path
) -> None:
    note = '\\n{"type":"Feature","id":1,'  # looks like an item, within a text
    load(loaded, MZ, write_csv(tmp_path / "more.csv", COLUMNS, ("b", *IN[1:8], note)))
    with loaded.writing() as connection:
        key = create_key(connection, "desk", Role.OPERATOR)
    desk, page = {"X-API-Key": key}, "/ogc/collections/mz/items"
    with client_of(loaded, [MZ]) as client:
        before = client.get(page, headers=desk)
        load(loaded, MZ, write_csv(tmp_path / "new.csv", COLUMNS, ("in", 130, 22.05, *IN[3:])))
        same = client.get(page, headers=desk | {"If-None-Match": before.headers["ETag"]})
        assert same.status_code == 200
        features = {each["properties"]["note"]: each for each in same.json()["features"]}
        assert features[note].keys() == before.json()["features"][0].keys()
        (stale,) = [each for each in same.json()["features"] if "stale" in each]
        assert (stale["stale"]["reason"], stale["stale"]["id"]) == ("outside", number(loaded, "in"))
        of_item = client.get(f"{page}/{stale['id']}", headers=desk).json()["stale"]
        assert of_item == stale["stale"]
        kept = desk | {"If-None-Match": same.headers["ETag"]}
        assert client.get(page, headers=kept).status_code == 304
        assert "a newer version waits" in client.get(f"{page}?f=html&lang=en", headers=desk).text
        public = client.get(page)
        assert "stale" not in public.text and client.get(
            page, headers={"If-None-Match": public.headers["ETag"]}
        ).status_code == 304  # fmt: skip
        load(loaded, MZ, write_csv(tmp_path / "new.csv", COLUMNS, IN))
        assert "stale" not in client.get(page, headers=kept).text


def test_records_that_are_not_placed_are_drawn_where_they_say_they_are(loaded: Database) -> None:
    with loaded.writing() as connection:
        keys = {
            "desk": create_key(connection, "desk", Role.OPERATOR),
            "other": create_key(connection, "other", Role.DEPARTMENT, ["none"]),
        }
    with client_of(loaded, [MZ]) as client:
        client.app.include_router(quarantine.router)
        path, headers = "/quarantine/features", {"X-API-Key": keys["desk"]}
        drawn = client.get(path, headers=headers)
        assert drawn.headers["Content-Type"] == "application/geo+json"
        found = {each["properties"]["source_key"]: each for each in drawn.json()["features"]}
        assert found.keys() == states(loaded).keys()
        assert found["east"]["geometry"]["coordinates"] == [104.35, 22.05]
        assert found["blank"]["geometry"] is None
        torn = client.get(path, headers=headers, params={"state": "contradicting"}).json()
        (one,) = torn["features"]
        assert one["geometry"]["coordinates"] == [104.05, 22.05]
        assert one["properties"]["state"] == "contradicting" and one["properties"]["why"]
        clues = one["properties"]["clues"]
        assert clues["coordinates"] == "104.05, 22.05" and clues["commune"]
        assert set(clues.values()) <= {*one["properties"]["raw"].values(), "104.05, 22.05"}
        assert pyogrio.read_dataframe(drawn.content).geometry.notna().sum() == 2
        assert client.get(path, headers={"X-API-Key": keys["other"]}).json()["features"] == []
        assert client.get(path).status_code == 401


def test_all_that_share_a_value_are_corrected_in_one_act_and_later_loads_too(
    loaded: Database, path: Path, tmp_path: Path
) -> None:
    with loaded.writing() as connection:
        (made,) = fix_all(connection, MZ, {"commune": "khu 1"}, {"commune": "00001"}, "officer")
        (tried,) = replay(connection, MZ, actor="officer", ids=records_of(connection, made))
    assert (tried.waited, tried.report.added) == (3, 3)
    assert {placed(loaded)[key] for key in ("w0", "w1", "w2")} == {"00001"}
    report = load(loaded, MZ, path)
    assert (report.added, report.updated) == (0, 0)
    later = write_csv(tmp_path / "later.csv", COLUMNS, ("w9", "", "", "", "khu 1", *DAY, ""))
    report = load(loaded, MZ, later)
    assert placed(loaded)["w9"] == "00001"
    assert any("commune=khu 1 → commune=00001" in note for note in report.notes)
    elsewhere = load(loaded, MZ, later, source="another")
    assert elsewhere.reasons == {"unknown_unit": 1}, "a rule is of its source"


def test_once_is_no_rule(loaded: Database, tmp_path: Path) -> None:
    with loaded.writing() as connection:
        fix_all(connection, MZ, {"commune": "khu 1"}, {"commune": "00001"}, "officer", once=True)
    later = write_csv(tmp_path / "later.csv", COLUMNS, ("w9", "", "", "", "khu 1", *DAY, ""))
    assert load(loaded, MZ, later).reasons == {"unknown_unit": 1}


@pytest.mark.parametrize("by", ["coordinates", "words"])
def test_a_contradiction_is_decided_and_a_reload_does_not_bring_it_back(
    loaded: Database, path: Path, by: str
) -> None:
    with loaded.writing() as connection:
        fix(connection, number(loaded, "torn"), decision(by), "officer")
        replay(connection, MZ, actor="officer")
    expected = {"coordinates": ("00001", "coordinates", True), "words": ("00007", "commune", False)}
    found = "commune, place_method, geom IS NOT NULL"
    assert rows(loaded, f"{found} FROM layer.mz WHERE source_key = 'torn' --")[0] == expected[by]
    load(loaded, MZ, path)
    assert states(loaded)["torn"] == "placed"
    assert placed(loaded)["torn"] == expected[by][0]


def test_what_is_corrected_can_be_undone_with_its_row(loaded: Database) -> None:
    before = waiting(loaded)
    with loaded.writing() as connection:
        (made,) = fix_all(connection, MZ, {"commune": "khu 1"}, {"commune": "00001"}, "officer")
        replay(connection, MZ, actor="officer")
        undone = undo(connection, MZ, made, LOCAL_ADMIN)
    assert (undone.waiting, undone.changed) == (3, 0)
    assert {each.source_key: each.raw for each in waiting(loaded)} == {
        each.source_key: each.raw for each in before
    }
    assert set(placed(loaded)) == {"in"}
    with loaded.writing() as connection:
        assert list_corrections(connection, ["mz"], rules_only=True) == []
        with pytest.raises(Conflict, match="undone already"):
            undo(connection, MZ, made, LOCAL_ADMIN)


def test_undoing_brings_the_row_of_the_earlier_version_back(
    loaded: Database, tmp_path: Path
) -> None:
    load(loaded, MZ, write_csv(tmp_path / "new.csv", COLUMNS, ("in", 130, 22.05, *IN[3:])))
    (before,) = rows(loaded, "id, commune, ST_AsText(geom), val")
    with loaded.writing() as connection:
        (made,) = correct(connection, waiting(loaded, state="stale"), {"lon": "104.25"}, "officer")
        replay(connection, MZ, actor="officer", ids=records_of(connection, made))
    assert placed(loaded)["in"] == "00007"
    with loaded.writing() as connection:
        undo(connection, MZ, made, LOCAL_ADMIN)
    assert rows(loaded, "id, commune, ST_AsText(geom), val") == [before]
    assert states(loaded)["in"] == "stale"


def test_a_replay_that_changes_no_row_leaves_no_history(loaded: Database, tmp_path: Path) -> None:
    load(loaded, MZ, write_csv(tmp_path / "new.csv", COLUMNS, ("in", 130, 22.05, *IN[3:])))
    with loaded.writing() as connection:
        replay(connection, MZ, actor="officer")
        assert connection.scalar(text("SELECT count(*) FROM gis.row_history")) == 0


def test_what_an_officer_edited_since_is_not_undone(loaded: Database) -> None:
    with loaded.writing() as connection:
        fix(connection, number(loaded, "other"), {"commune": "00004"}, "officer")
        replay(connection, MZ, actor="officer")
        connection.execute(
            text("INSERT INTO gis.row_history (layer_id, row_id, act, who)"
                 " SELECT 'mz', id, 'update', 'other' FROM layer.mz WHERE source_key = 'other'")
        )  # fmt: skip
        (made,) = list_corrections(connection, ["mz"])
        with pytest.raises(Conflict, match="edited since"):
            undo(connection, MZ, made.id, LOCAL_ADMIN)


def test_only_columns_that_the_layer_reads_are_corrected(loaded: Database) -> None:
    with loaded.writing() as connection:
        with pytest.raises(BadInput, match="reads no column xa"):
            fix_all(connection, MZ, {"commune": "khu 1"}, {"xa": "00001"}, "officer")
        with pytest.raises(NotFound, match="commune=nobody"):
            fix_all(connection, MZ, {"commune": "nobody"}, {"commune": "00001"}, "officer")


def test_an_empty_value_takes_a_column_away_and_undoing_gives_it_back(loaded: Database) -> None:
    torn = number(loaded, "torn")
    with loaded.writing() as connection:
        before = get_waiting(connection, torn).raw
        after = fix(connection, torn, {"commune": "", "address": "x"}, "officer").raw
        assert after == {name: value for name, value in before.items() if name != "commune"} | {
            "address": "x"
        }
        (made,) = list_corrections(connection, ["mz"])
        undo(connection, MZ, made.id, LOCAL_ADMIN)
        assert get_waiting(connection, torn).raw == before


def test_a_file_of_records_is_read_by_spreadsheets_and_gis(
    loaded: Database, tmp_path: Path
) -> None:
    found = waiting(loaded)
    write_records(MZ, found, tmp_path / "records.csv")
    with (tmp_path / "records.csv").open(encoding="utf-8-sig", newline="") as file:
        lines = {line["key"]: line for line in csv.DictReader(file)}
    assert {key: line["state"] for key, line in lines.items()} == states(loaded)
    assert lines["east"]["note"] == "'=1+1", "no formula for a spreadsheet"
    assert lines["east"]["lon"] == "104.35"
    write_records(MZ, found, tmp_path / "records.gpkg")
    frame = pyogrio.read_dataframe(tmp_path / "records.gpkg").set_index("key")
    assert frame.crs.to_epsg() == 4326
    assert frame.geometry["east"].coords[0] == (104.35, 22.05)
    assert frame.geometry["blank"] is None
    with pytest.raises(BadInput, match=r"\.csv or a \.gpkg"):
        write_records(MZ, found, tmp_path / "records.shp")


@pytest.fixture
def desk(loaded: Database):
    with loaded.writing() as connection:
        key = create_key(connection, "desk", Role.OPERATOR)
    with client_of(loaded, [MZ]) as client:
        client.app.include_router(quarantine.router)
        client.headers["X-API-Key"] = key
        yield client


def test_http_has_the_same_states_and_corrections(loaded: Database, desk: httpx.Client) -> None:
    for state in State:
        answer = desk.get("/quarantine", params={"state": state.value}).json()
        expected = {key for key, each in states(loaded).items() if each == state}
        assert {each["source_key"] for each in answer["records"]} == expected
    assert desk.get("/quarantine?state=lost").status_code == 400
    assert desk.get("/quarantine?where=lost").status_code == 400
    shared = desk.get("/quarantine", params={"where": ["commune=khu 1", "n=1"]}).json()["records"]
    assert {each["source_key"] for each in shared} == {"w0", "w1", "w2"}
    body = {"matched": {"commune": "khu 1"}, "changes": {"commune": "00001"}}
    (made,) = desk.post("/quarantine/mz/corrections", json=body).json()["corrections"]
    assert (made["records"], made["who"], made["matched"]) == (3, "desk", {"commune": "khu 1"})
    assert desk.post("/quarantine/replay/mz").json()["replayed"] == 3
    assert desk.get("/quarantine/corrections?rules=true").json()["corrections"] == [made]
    assert desk.delete(f"/quarantine/corrections/{made['id']}").json() == {
        "waiting": 3, "changed": 0,
    }  # fmt: skip
    assert desk.get("/quarantine/corrections?rules=true").json()["corrections"] == []
    torn = number(loaded, "torn")
    assert desk.patch(f"/quarantine/{torn}", json={"place_by": "words"}).status_code == 200
    assert desk.patch(f"/quarantine/{torn}", json={}).status_code == 400
    desk.post("/quarantine/replay/mz")
    assert placed(loaded)["torn"] == "00007"
    assert desk.get("/quarantine", params={"load": 10**6}).json()["records"] == []
    (number_of_load,) = {each.load_id for each in waiting(loaded, source="tests")}
    assert desk.get("/quarantine", params={"load": number_of_load}).json()["records"]


@pytest.fixture
def run(loaded: Database, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """`gis records`, in this process, on the database of the test."""

    @contextmanager
    def in_use() -> Iterator[Database]:
        yield loaded

    for module in (records, layers):
        monkeypatch.setattr(module, "database_in_use", in_use)
        monkeypatch.setattr(module, "read_layers", lambda _: Catalogue((MZ,), {"mz": "1"}))

    def command(*words: str) -> str:
        result = CliRunner().invoke(command_line(), ["records", *words], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    return command


def test_the_command_line_lists_corrects_and_undoes(
    loaded: Database, tmp_path: Path, run: Callable[..., str]
) -> None:
    assert "contradicting" in run("list", "mz", "--state", "contradicting")
    assert "00001" in run("list", "mz", "--state", "placed", "--json")
    run("fix", "--layer", "mz", "--where", "commune=khu 1", "--set", "commune=00001")
    assert placed(loaded)["w0"] == "00001"
    with loaded.reading() as connection:
        (made,) = list_corrections(connection, ["mz"])
    assert "khu 1" in run("corrections", "mz", "--rules")
    run("undo", str(made.id))
    assert "w0" not in placed(loaded)
    run("fix", str(number(loaded, "torn")), "--place-by", "coordinates")
    assert placed(loaded)["torn"] == "00001"
    run("export", "mz", str(tmp_path / "x.csv"), "--state", "outside")
    assert "east" in (tmp_path / "x.csv").read_text(encoding="utf-8-sig")


def test_each_command_of_the_how_to_runs(
    loaded: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[..., str]
) -> None:
    monkeypatch.chdir(tmp_path)
    numbers = {"12": "other", "13": "torn"}
    commands = [
        shlex.split(
            line.replace("citizen_reports", "mz").replace("commune=2998x", "'commune=khu 1'")
        )
        for line in HOW_TO.read_text(encoding="utf-8").splitlines()
        if line.startswith("gis records ")
    ]
    assert len(commands) > 10
    for command in commands:
        words = [
            str(number(loaded, numbers[word])) if word in numbers else word for word in command[2:]
        ]
        if words[0] == "undo":
            with loaded.reading() as connection:
                words[1] = str(list_corrections(connection, ["mz"])[0].id)
        run(*words)
    assert {"failed.csv", "outside.gpkg"} <= {path.name for path in tmp_path.iterdir()}
