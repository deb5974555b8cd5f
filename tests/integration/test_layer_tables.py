from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from gis.database.engine import Database
from gis.database.roles import as_owner
from gis.errors import BadLayerFile
from layers.definition.catalogue import Catalogue, read_catalogue, read_layer
from layers.definition.model import Layer
from layers.ingest.load import LoadOptions, load_file
from layers.storage.sync import SyncChange, SyncReport, sync
from layers.storage.tables import table_of

LAYERS = Path(__file__).parents[2] / "layers"

WELLS = """
id: wells
title: {vi: Giếng, en: Wells}
description: {vi: Giếng khoan, en: Bored wells}
department: {vi: Sở, en: Department}
licence: CC0-1.0
geometry: point
source:
  connector: file
  key: number
  coordinates: {x: lon, y: lat}
  time: {column: day}
fields:
  depth: {type: integer, unit: m, label: {vi: Độ sâu, en: Depth}}
  note: {type: text, label: {vi: Ghi chú, en: Note}}
  owner: {type: text, label: {vi: Chủ, en: Owner}}
"""

INSERT = """
INSERT INTO layer.wells (geom, source, source_key, depth, note, owner) VALUES
  (ST_Point(104, 22, 4326), 't', '1', 30, '12', 'An'), (NULL, 't', '2', 7, NULL, NULL)
"""

Edit = Callable[[dict[str, Any]], object]


def wells(edit: Edit = lambda words: None) -> Layer:
    words = yaml.safe_load(WELLS)
    edit(words)
    return Layer.model_validate(words)


def synced(database: Database, *layers: Layer) -> list[SyncChange]:
    with database.writing() as connection:
        return sync(connection, Catalogue(layers))


def run(database: Database, statement: str) -> list[Any]:
    with database.writing() as connection, as_owner(connection):
        result = connection.execute(text(statement))
        return list(result) if result.returns_rows else []


def columns(database: Database, table: str) -> dict[str, str]:
    return dict(
        tuple(row)
        for row in run(
            database,
            "SELECT column_name, data_type FROM information_schema.columns "
            f"WHERE table_schema = 'layer' AND table_name = '{table}'",
        )
    )


def version(database: Database, layer: str = "wells") -> int:
    return int(run(database, f"SELECT version FROM gis.layer WHERE id = '{layer}'")[0][0])


@pytest.fixture
def filled(database: Database) -> Database:
    """The wells with two rows: one whole, one of which most is unknown."""
    synced(database, wells())
    run(database, INSERT)
    return database


def test_the_files_of_the_project_make_their_tables_once(database: Database) -> None:
    catalogue = read_catalogue(LAYERS)
    with database.writing() as connection:
        first = sync(connection, catalogue)
    with database.writing() as connection:
        assert sync(connection, catalogue) == []
    published = {done.layer_id for done in first if done.change is SyncReport.PUBLISHED}
    assert published == {layer.id for layer in (*catalogue.layers, *catalogue.rasters)}
    created = {done.layer_id for done in first if done.change is SyncReport.CREATED}
    assert created == {layer.id for layer in catalogue.layers if not layer.is_view}


@pytest.mark.parametrize("layer_id", [layer.id for layer in read_catalogue(LAYERS).layers])
def test_every_layer_can_be_read_as_its_file_says(
    standing_province: Database, catalogue: Catalogue, layer_id: str
) -> None:
    table = table_of(catalogue.get(layer_id))
    with standing_province.reading() as connection:
        names = connection.execute(select(table).limit(1)).keys()
    assert list(names) == [column.name for column in table.columns]


def test_two_who_publish_at_once_do_not_meet(database: Database) -> None:
    catalogue = read_catalogue(LAYERS)

    def publish(_: int) -> list[SyncChange]:
        with database.writing() as connection:
            return sync(connection, catalogue)

    with ThreadPoolExecutor(3) as several:
        done = list(several.map(publish, range(3)))
    assert sorted(map(bool, done)) == [False, False, True]


def test_a_placing_column_that_an_older_table_lacks_is_added_with_its_default(
    filled: Database,
) -> None:
    run(filled, "ALTER TABLE layer.wells DROP COLUMN default_point, DROP COLUMN provenance")
    synced(filled, wells())
    rows = run(filled, "SELECT default_point, provenance FROM layer.wells")
    assert [tuple(row) for row in rows] == [(False, {}), (False, {})]


def test_a_second_sync_raises_no_version(filled: Database) -> None:
    before = version(filled)
    assert synced(filled, wells()) == []
    assert version(filled) == before


def test_every_change_of_rows_raises_the_version_once_a_statement(filled: Database) -> None:
    before = version(filled)
    run(filled, "UPDATE layer.wells SET depth = depth + 1")
    run(filled, "DELETE FROM layer.wells WHERE source_key = '1'")
    run(filled, "TRUNCATE layer.wells")
    assert version(filled) == before + 3


def test_the_same_record_cannot_be_stored_twice(filled: Database) -> None:
    with pytest.raises(Exception, match=r"wells\.source_key"):
        run(filled, INSERT)


def test_indexes_serve_space_hexes_communes_time_and_search(filled: Database) -> None:
    found = run(filled, "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'wells'")
    by_name = {row.indexname: row.indexdef for row in found}
    assert {"wells.geom", "wells.h3", "wells.commune", "wells.valid_at"} <= set(by_name)
    assert "USING gist" in by_name["wells.geom"]
    assert "gis.search_key(note) gin_trgm_ops" in by_name["wells.note.search"]


def test_personal_fields_have_no_column(database: Database) -> None:
    synced(database, *read_catalogue(LAYERS).layers)
    assert not [name for name in columns(database, "citizen_reports") if "reporter" in name]


def test_a_new_field_keeps_the_rows(filled: Database) -> None:
    def add(words: dict[str, Any]) -> None:
        words["fields"]["water"] = {"type": "boolean", "label": {"vi": "Nước", "en": "Water"}}

    done = synced(filled, wells(add))
    assert SyncChange("wells", SyncReport.COLUMN_ADDED, "water") in done
    rows = run(filled, "SELECT depth, note, water FROM layer.wells ORDER BY id")
    assert [tuple(row) for row in rows] == [(30, "12", None), (7, None, None)]


def test_a_field_that_goes_keeps_its_column_and_comes_back_with_its_values(
    filled: Database,
) -> None:
    done = synced(filled, wells(lambda words: words["fields"].pop("note")))
    assert SyncChange("wells", SyncReport.COLUMN_KEPT, "note") in done
    assert "note" in columns(filled, "wells")
    synced(filled, wells())
    assert run(filled, "SELECT note FROM layer.wells WHERE source_key = '1'")[0][0] == "12"


def retyped(field: str, kind: str) -> Layer:
    def edit(words: dict[str, Any]) -> None:
        words["fields"][field] = {"type": kind, "label": {"vi": "Số", "en": "Number"}}

    return wells(edit)


@pytest.mark.parametrize(
    ("field", "kind", "value"),
    [("depth", "number", 30.0), ("depth", "text", "30"), ("note", "integer", 12)],
)
def test_a_type_changes_when_every_value_stays_the_same(
    filled: Database, field: str, kind: str, value: object
) -> None:
    synced(filled, retyped(field, kind))
    stored = run(filled, f"SELECT {field} FROM layer.wells WHERE source_key = '1'")[0][0]
    assert stored == value
    assert type(stored) is type(value)
    assert synced(filled, retyped(field, kind)) == []


@pytest.mark.parametrize(
    ("field", "kind", "loses"),
    [
        ("note", "integer", "12a"),  # no number at all
        ("note", "integer", "007"),  # a number that would come back as 7
        ("note", "boolean", "12"),
        ("depth", "date", "30"),  # no way from one type to the other
    ],
)
def test_a_type_that_would_lose_a_value_is_refused_and_nothing_changes(
    filled: Database, field: str, kind: str, loses: str
) -> None:
    run(filled, f"UPDATE layer.wells SET {field} = '{loses}' WHERE source_key = '1'")
    before = (columns(filled, "wells"), version(filled))
    other = wells(lambda words: words.update(id="others"))
    with pytest.raises(BadLayerFile, match=rf"wells\.yaml: `{field}` is .* cannot become"):
        synced(filled, other, retyped(field, kind))
    assert (columns(filled, "wells"), version(filled)) == before
    assert columns(filled, "others") == {}


TEXTS = st.one_of(
    st.text("0123456789.-+eE ", max_size=6),
    st.integers().map(str),
    st.floats().map(str),
    st.booleans().map(lambda value: str(value).lower()),
    st.dates().map(str),
    st.datetimes().map(str),
)
KINDS = st.sampled_from(["integer", "number", "boolean", "date", "datetime"])


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)
@given(st.lists(TEXTS | st.none(), min_size=1, max_size=3), KINDS)
def test_no_change_of_type_loses_a_value(
    filled: Database, values: list[str | None], kind: str
) -> None:
    stored = text(
        "INSERT INTO layer.wells (source, source_key, note)"
        " SELECT 't', n, v FROM unnest(CAST(:values AS text[])) WITH ORDINALITY AS u (v, n)"
    )
    with filled.writing() as connection:
        connection.execute(text("TRUNCATE layer.wells"))
        connection.execute(stored, {"values": values})
    with suppress(BadLayerFile):
        synced(filled, retyped("note", kind))
    synced(filled, wells())
    rows = run(filled, "SELECT note FROM layer.wells ORDER BY id")
    assert [row.note for row in rows] == values


def test_a_day_becomes_the_instant_at_which_it_begins_in_vietnam(filled: Database) -> None:
    run(filled, "UPDATE layer.wells SET note = '2024-09-05' WHERE source_key = '1'")
    synced(filled, retyped("note", "date"))
    synced(filled, retyped("note", "datetime"))
    told = run(filled, "SELECT note::text FROM layer.wells WHERE source_key = '1'")[0][0]
    assert told == "2024-09-04 17:00:00+00"
    synced(filled, retyped("note", "date"))
    assert run(filled, "SELECT note::text FROM layer.wells WHERE note IS NOT NULL")[0][0] == (
        "2024-09-05"
    )


def test_points_cannot_become_polygons_while_one_is_stored(filled: Database) -> None:
    def polygons(words: dict[str, Any]) -> None:
        words["geometry"] = "polygon"
        del words["source"]["coordinates"]

    with pytest.raises(BadLayerFile, match="`geom`"):
        synced(filled, wells(polygons))
    run(filled, "DELETE FROM layer.wells")
    synced(filled, wells(polygons))
    assert synced(filled, wells(polygons)) == []


def test_a_field_that_becomes_personal_leaves_the_table_for_the_private_schema(
    filled: Database,
) -> None:
    def hide(words: dict[str, Any]) -> None:
        words["fields"]["owner"] |= {"personal": True, "column": "Chủ giếng"}

    run(
        filled,
        """
        INSERT INTO gis.quarantine (layer_id, source, source_key, raw, reason, why) VALUES
          ('wells', 't', '3', '{"Chủ giếng": "Bình", "depth": "1"}', 'no_place', ''),
          ('other', 't', '4', '{"Chủ giếng": "Chi"}', 'no_place', '');
        INSERT INTO gis.row_history (layer_id, row_id, act, who, before)
          VALUES ('wells', 1, 'update', 'desk', '{"owner": "Dung", "depth": 3}');
        """,
    )
    done = synced(filled, wells(hide))
    assert SyncChange("wells", SyncReport.COLUMN_HIDDEN, "owner") in done
    assert "owner" not in columns(filled, "wells")
    kept = run(filled, "SELECT source_key, details->>'owner' FROM private.reporter ORDER BY 1")
    assert [tuple(row) for row in kept] == [("1", "An"), ("3", "Bình")]
    assert [row.raw for row in run(filled, "SELECT raw FROM gis.quarantine ORDER BY id")] == [
        {"depth": "1"},
        {"Chủ giếng": "Chi"},
    ]
    assert run(filled, "SELECT before FROM gis.row_history")[0].before == {"depth": 3}
    assert synced(filled, wells(hide)) == []


def test_a_file_that_goes_is_unpublished_and_its_table_kept(filled: Database) -> None:
    assert synced(filled) == [SyncChange("wells", SyncReport.UNPUBLISHED)]
    assert synced(filled) == []
    assert run(filled, "SELECT published FROM gis.layer WHERE id = 'wells'")[0][0] is False
    assert run(filled, "SELECT count(*) FROM layer.wells")[0][0] == 2
    assert SyncChange("wells", SyncReport.PUBLISHED) in synced(filled, wells())


def test_a_view_that_is_not_there_is_named(database: Database) -> None:
    def view(words: dict[str, Any]) -> None:
        words["source"] = {"connector": "view"}

    with pytest.raises(BadLayerFile, match=r"wells\.yaml: there is no view `layer\.wells`"):
        synced(database, wells(view))


def test_a_file_with_the_id_of_a_view_is_reported(database: Database) -> None:
    with pytest.raises(BadLayerFile, match=r"alerts\.yaml: `layer\.alerts` is a view"):
        synced(database, wells(lambda words: words.update(id="alerts")))


def test_a_view_without_a_field_of_its_file_is_reported(database: Database) -> None:
    communes = read_catalogue(LAYERS).get("communes")
    fields = {**communes.fields, "people": communes.fields["area_km2"]}
    with pytest.raises(BadLayerFile, match="has no column people; it has id, geom, code"):
        synced(database, communes.model_copy(update={"fields": fields}))


def test_a_lost_index_or_trigger_comes_back(filled: Database) -> None:
    run(filled, 'DROP INDEX layer."wells.geom"')
    run(filled, "DROP TRIGGER version ON layer.wells")
    assert synced(filled, wells()) == [SyncChange("wells", SyncReport.INDEXED, "wells.geom")]
    before = version(filled)
    run(filled, "DELETE FROM layer.wells")
    assert version(filled) == before + 1


def counted(database: Database) -> list[tuple[str, int]]:
    rows = run(
        database,
        "SELECT category, count FROM gis.hex_count WHERE layer_id = 'wells' AND resolution = 8"
        " ORDER BY category",
    )
    return [tuple(row) for row in rows]


def hexed(category: str | None, kind: str = "text") -> Layer:
    def edit(words: dict[str, Any]) -> None:
        words["hexes"] = {"category": category}
        words["fields"]["note"]["type"] = kind

    return wells(edit)


def test_hexes_are_counted_while_the_file_has_the_section(filled: Database) -> None:
    run(filled, "UPDATE layer.wells SET h3 = x'8b415cb68000fff'::bigint, note = source_key")
    done = synced(filled, hexed("note"))
    assert SyncChange("wells", SyncReport.HEXES_ATTACHED, "note") in done
    assert counted(filled) == [("1", 1), ("2", 1)]
    assert synced(filled, hexed("note")) == []
    run(filled, "DELETE FROM layer.wells WHERE source_key = '1'")
    assert counted(filled) == [("2", 1)]
    synced(filled, hexed(None))
    assert counted(filled) == [("", 1)]
    assert SyncChange("wells", SyncReport.HEXES_DETACHED) in synced(filled, wells())
    assert counted(filled) == []
    assert synced(filled, wells()) == []


def test_counts_follow_a_category_whose_type_changes(filled: Database) -> None:
    run(filled, "UPDATE layer.wells SET h3 = x'8b415cb68000fff'::bigint, note = 'true'")
    synced(filled, hexed("note"))
    synced(filled, hexed("note", "boolean"))
    assert counted(filled) == [("true", 2)]
    run(filled, "DELETE FROM layer.wells")
    assert counted(filled) == []


HOW_TO = Path(__file__).parents[2] / "docs/how-to/add-a-layer.md"


def test_the_layer_of_the_how_to_is_published_and_filled_as_it_says(
    toy_province: Database, catalogue: Catalogue, tmp_path: Path
) -> None:
    blocks = {part.partition("\n")[0]: part for part in HOW_TO.read_text().split("```")[1::2]}
    (tmp_path / "wells.yaml").write_text(blocks["yaml"].partition("\n")[2])
    (tmp_path / "gieng_khoan.csv").write_text(blocks["csv"].partition("\n")[2])
    layer = read_layer(tmp_path / "wells.yaml")
    with toy_province.writing() as connection:
        done = sync(connection, replace(catalogue, layers=(*catalogue.layers, layer)))
    assert {change.layer_id for change in done} == {"wells"}
    report = load_file(toy_province, layer, tmp_path / "gieng_khoan.csv", LoadOptions(who="tests"))
    assert (report.read, report.added) == (2, 2)
    found = run(
        toy_province,
        "SELECT round(ST_X(geom)::numeric, 5), round(ST_Y(geom)::numeric, 5), commune, depth_m,"
        " water, valid_at::text FROM layer.wells ORDER BY source_key",
    )
    assert [tuple(map(str, row)) for row in found] == [
        ("104.05000", "22.05000", "00001", "45.5", "Tốt", "2024-09-04 17:00:00+00"),
        ("104.15000", "22.05000", "00004", "28.0", "Nhiễm phèn", "2024-09-11 17:00:00+00"),
    ]
    details = run(toy_province, "SELECT details FROM private.reporter WHERE layer_id = 'wells'")
    assert {row.details["owner"] for row in details} == {"Nguyễn Văn A", "Trần Thị B"}
