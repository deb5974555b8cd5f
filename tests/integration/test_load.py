"""Files into layers: placed, idempotent, and nothing lost."""

from pathlib import Path

import geopandas
import pytest
from pyproj import Transformer
from sqlalchemy import text

from gis.database.engine import Database
from gis.errors import AmbiguousInput, BadFile, BadInput
from layers.definition.catalogue import Catalogue
from layers.ingest.corrections import fix
from layers.ingest.load import LoadOptions, LoadReport, load_file
from layers.ingest.mode import LoadMode
from layers.ingest.quarantine import drop, list_waiting
from layers.ingest.records import FileOptions
from layers.ingest.retry import replay

HEADER = (
    "report_id,happened_at,received_at,category,description,status,lon,lat,address,commune,"
    "reporter_name,reporter_phone,reporter_email\n"
)
OPTIONS = LoadOptions(who="tests", source="tests")


def line(
    key: str,
    *,
    lon: str = "",
    lat: str = "",
    address: str = "",
    commune: str = "",
    category: str = "traffic",
    happened: str = "2026-03-01T08:00:00+07:00",
    phone: str = "",
) -> str:
    return (
        f'{key},{happened},,{category},Ổ gà,received,{lon},{lat},"{address}",{commune},,{phone},\n'
    )


@pytest.fixture
def file(tmp_path: Path):
    def write(*lines: str) -> Path:
        path = tmp_path / "reports.csv"
        path.write_text(HEADER + "".join(lines), encoding="utf-8")
        return path

    return write


def load(database: Database, catalogue: Catalogue, path: Path, **changes) -> LoadReport:
    options = LoadOptions(**{"who": "tests", "source": "tests", **changes})
    return load_file(database, catalogue.get("citizen_reports"), path, options)


def rows(database: Database, columns: str) -> list[tuple]:
    with database.reading() as connection:
        found = connection.execute(
            text(f"SELECT {columns} FROM layer.citizen_reports ORDER BY source_key")
        )
        return [tuple(row) for row in found]


def version(database: Database) -> int:
    with database.reading() as connection:
        return connection.scalar(text("SELECT version FROM gis.layer WHERE id = 'citizen_reports'"))


def test_coordinates_give_hex_and_commune(toy_province, catalogue, file):
    report = load(toy_province, catalogue, file(line("a", lon="104.15", lat="22.05")))
    assert (report.added, report.quarantined) == (1, 0)
    (row,) = rows(toy_province, "commune, place_method, gis.h3_resolution(h3), ST_X(geom)")
    assert row == ("00004", "coordinates", 11, 104.15)


def test_a_commune_code_or_name_counts_in_its_unit_and_sits_nowhere(toy_province, catalogue, file):
    load(
        toy_province,
        catalogue,
        file(
            line("a", commune="00007"),
            line("b", commune="Xã Đồi Thông"),
            line("c", commune="doi thong"),
        ),
    )
    found = rows(toy_province, "commune, place_method, h3, geom")
    assert found == [("00007", "commune", None, None)] * 3


def test_loading_twice_changes_nothing(toy_province, catalogue, file):
    path = file(line("a", lon="104.15", lat="22.05"), line("b"))
    load(toy_province, catalogue, path)
    before = version(toy_province)
    report = load(toy_province, catalogue, path)
    assert (report.added, report.updated, report.unchanged, report.quarantined) == (0, 0, 1, 1)
    assert version(toy_province) == before
    with toy_province.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM gis.load")) == 1


def test_a_changed_record_is_updated(toy_province, catalogue, file):
    load(toy_province, catalogue, file(line("a", lon="104.15", lat="22.05")))
    report = load(toy_province, catalogue, file(line("a", lon="104.25", lat="22.05")))
    assert (report.added, report.updated) == (0, 1)
    assert rows(toy_province, "commune") == [("00007",)]


def test_a_record_beyond_the_border_is_counted_as_outside(toy_province, catalogue, file):
    lines = [line(str(n), lon="104.05", lat="22.05") for n in range(5)]
    report = load(toy_province, catalogue, file(*lines, line("x", lon="104.35", lat="22.05")))
    assert (report.added, report.outside, report.quarantined) == (5, 1, 0)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (line("a"), "no_place"),
        (line("a", lon="0", lat="0"), "bad_coordinates"),
        (line("a", lon="104.05"), "bad_coordinates"),
        (line("a", commune="99999"), "unknown_unit"),
        (line("a", address="gần chợ"), "unclear_address"),
        (line("a", lon="104.05", lat="22.05", category="weather"), "unknown_value"),
        (line("a", lon="104.05", lat="22.05", happened="hôm qua"), "bad_date"),
        (line("a", lon="một trăm", lat="22.05"), "bad_number"),
        (line("", lon="104.05", lat="22.05"), "no_key"),
    ],
)
def test_what_cannot_be_used_waits_with_its_reason(toy_province, catalogue, file, record, reason):
    good = line("good", lon="104.05", lat="22.05")
    report = load(toy_province, catalogue, file(good, record))
    assert (report.added, report.reasons) == (1, {reason: 1})


def test_zero_coordinates_give_way_to_words(toy_province, catalogue, file):
    load(toy_province, catalogue, file(line("a", lon="0", lat="0", commune="00004")))
    assert rows(toy_province, "commune, h3") == [("00004", None)]


def test_a_batch_in_another_crs_is_a_question_and_its_answer_places_it(
    toy_province, catalogue, file
):
    east, north = Transformer.from_crs(4326, 9208, always_xy=True).transform(104.05, 22.05)
    path = file(*(line(str(n), lon=f"{east + n:.2f}", lat=f"{north:.2f}") for n in range(9)))
    with pytest.raises(AmbiguousInput, match="EPSG:9208"):
        load(toy_province, catalogue, path)
    assert rows(toy_province, "id") == []
    report = load(toy_province, catalogue, path, answers=FileOptions(crs="EPSG:9208"))
    assert report.added == 9
    assert set(rows(toy_province, "commune")) == {("00001",)}


def test_the_last_of_records_with_one_key_counts_and_the_others_are_kept(
    toy_province, catalogue, file
):
    first, last = line("a", lon="104.05", lat="22.05"), line("a", lon="104.15", lat="22.05")
    report = load(toy_province, catalogue, file(first, last))
    assert (report.added, report.reasons) == (1, {"repeated_key": 1})
    assert rows(toy_province, "commune") == [("00004",)]


def test_the_counts_of_a_report_add_up(toy_province, catalogue, file):
    report = load(
        toy_province,
        catalogue,
        file(line("a", lon="104.05", lat="22.05"), line("b"), line("c", commune="00001")),
    )
    counted = report.added + report.updated + report.unchanged + report.outside
    assert counted + report.quarantined == report.read == 3


def test_a_missing_column_is_named_and_nothing_is_stored(toy_province, catalogue, tmp_path):
    path = tmp_path / "reports.csv"
    path.write_text("report_id,lon,latitude\n1,104.05,22.05\n", encoding="utf-8")
    with pytest.raises(BadFile, match="lat"):
        load(toy_province, catalogue, path)
    assert rows(toy_province, "id") == []


def test_identities_stay_in_schema_private(toy_province, catalogue, file):
    load(
        toy_province,
        catalogue,
        file(
            line("a", lon="104.05", lat="22.05", phone="0912345678"), line("b", phone="0987654321")
        ),
    )
    with toy_province.writing() as connection:
        kept = connection.execute(text("SELECT details FROM private.reporter")).scalars().all()
        waiting = list_waiting(connection, layers=["citizen_reports"])
        columns = connection.execute(
            text(
                "SELECT column_name FROM information_schema.columns"
                " WHERE table_schema = 'layer' AND column_name LIKE 'reporter%'"
            )
        ).all()
    assert {one["reporter_phone"] for one in kept} == {"0912345678", "0987654321"}
    assert "reporter_phone" not in waiting[0].raw
    assert columns == []


def test_contacts_that_people_write_stay_in_schema_private(toy_province, catalogue, file):
    told = "Gọi 0912.345.678"
    path = file(
        line("a", lon="104.05", lat="22.05").replace("Ổ gà", told),
        line("b").replace("Ổ gà", told),
        line("c", lon="104.05", lat="22.05"),
    )
    load(toy_province, catalogue, path)
    with toy_province.writing() as connection:
        kept = connection.execute(text("SELECT source_key, details FROM private.reporter")).all()
        (waiting,) = list_waiting(connection, layers=["citizen_reports"])
    assert {key: details["description"] for key, details in kept} == {"a": told, "b": told}
    assert waiting.raw["description"] == "Gọi [đã ẩn]"
    assert rows(toy_province, "description") == [("Gọi [đã ẩn]",), ("Ổ gà",)]
    assert load(toy_province, catalogue, path).unchanged == 2


def test_a_corrected_record_is_replayed_into_its_layer(toy_province, catalogue, file):
    load(toy_province, catalogue, file(line("a")))
    with toy_province.writing() as connection:
        (waiting,) = list_waiting(connection, layers=["citizen_reports"])
        fix(connection, waiting.id, {"commune": "00001"}, "officer")
        (tried,) = replay(connection, catalogue.get("citizen_reports"), actor="officer")
        assert list_waiting(connection, layers=["citizen_reports"]) == []
    assert tried.report.added == 1
    assert rows(toy_province, "source, source_key, commune") == [("tests", "a", "00001")]


def test_a_record_is_tried_again_with_the_answers_of_its_file(toy_province, catalogue, file):
    path = file(line("a", commune="?", happened="05/09/2025 10:00"))
    answers = FileOptions(date_format="%d/%m/%Y %H:%M")
    load(toy_province, catalogue, path, answers=answers)
    with toy_province.writing() as connection:
        (waiting,) = list_waiting(connection, layers=["citizen_reports"])
        assert (waiting.reason, waiting.answers) == ("unknown_unit", answers.as_dict())
        fix(connection, waiting.id, {"commune": "00001"}, "officer")
        (tried,) = replay(connection, catalogue.get("citizen_reports"), actor="officer")
    assert tried.report.added == 1
    ((happened,),) = rows(toy_province, "(valid_at AT TIME ZONE 'UTC')::date::text")
    assert happened == "2025-09-05"


def test_a_question_about_one_file_keeps_no_other_waiting(toy_province, catalogue, file):
    load(toy_province, catalogue, file(line("a")), source="known")
    swapped = [line(f"s{i}", lon="22.05", lat="104.15") for i in range(6)]
    kept = FileOptions(crs="declared")
    load(toy_province, catalogue, file(*swapped), source="swapped", answers=kept)
    with toy_province.writing() as connection:
        connection.execute(text("UPDATE gis.quarantine SET answers = '{}'"))
        first = list_waiting(connection, layers=["citizen_reports"], source="known")[0]
        fix(connection, first.id, {"commune": "00001"}, "officer")
        layer = catalogue.get("citizen_reports")
        known, asked = replay(connection, layer, actor="officer")
        assert known.report.added == 1
        assert "--assume-crs EPSG:4326:yx" in asked.question
        assert len(list_waiting(connection, layers=[layer.id])) == asked.waited == 6
        answers = FileOptions(crs="EPSG:4326:yx")
        (tried,) = replay(connection, layer, actor="officer", source="swapped", answers=answers)
    assert tried.report.added == 6


def test_a_replayed_record_that_fails_again_goes_on_waiting(toy_province, catalogue, file):
    load(toy_province, catalogue, file(line("a")))
    with toy_province.writing() as connection:
        replay(connection, catalogue.get("citizen_reports"), actor="officer")
        (waiting,) = list_waiting(connection, layers=["citizen_reports"])
    assert waiting.reason == "no_place"


def test_a_dropped_record_stays_dropped_when_the_file_comes_again(toy_province, catalogue, file):
    path = file(line("a"))
    load(toy_province, catalogue, path)
    with toy_province.writing() as connection:
        (waiting,) = list_waiting(connection, layers=["citizen_reports"])
        drop(connection, waiting.id, "officer")
    load(toy_province, catalogue, path)
    with toy_province.reading() as connection:
        assert list_waiting(connection, layers=["citizen_reports"]) == []
        assert len(list_waiting(connection, layers=["citizen_reports"], status="dropped")) == 1


def test_replacing_a_source_removes_what_does_not_come_again(toy_province, catalogue, file):
    both = file(line("a", commune="00001"), line("b", commune="00004"))
    load(toy_province, catalogue, both, mode=LoadMode.REPLACE)
    report = load(toy_province, catalogue, file(line("b", commune="00004")), mode=LoadMode.REPLACE)
    assert (report.removed, report.unchanged) == (1, 1)


def test_a_table_of_addresses_needs_no_coordinates(toy_province, catalogue, tmp_path):
    path = tmp_path / "words.csv"
    path.write_text("report_id,happened_at,category,commune\na,2026-03-01,traffic,00004\n")
    assert load(toy_province, catalogue, path).added == 1
    path.write_text("report_id,happened_at,category,commune,lon\na,2026-03-01,traffic,00004,104\n")
    with pytest.raises(BadFile, match="no column “lat”"):
        load(toy_province, catalogue, path)


def test_a_shapefile_with_its_names_cut_to_ten_letters_is_loaded(toy_province, catalogue, tmp_path):
    columns = {
        "report_id": "a",
        "happened_a": "2026-03-01",
        "category": "traffic",
        "reporter_p": "",
    }
    place = geopandas.GeoDataFrame([columns], geometry=geopandas.points_from_xy([104.15], [22.05]))
    path = tmp_path / "reports.shp"
    place.set_crs("EPSG:4326").to_file(path)
    assert load(toy_province, catalogue, path).added == 1
    assert rows(toy_province, "category, commune") == [("traffic", "00004")]


def test_a_layer_of_the_service_itself_takes_no_files(toy_province, catalogue, file):
    with pytest.raises(BadInput, match="takes no files"):
        load_file(toy_province, catalogue.get("alerts"), file(line("a")), OPTIONS)


def test_the_landslides_of_the_province_are_thirteen(lao_cai, catalogue, shared):
    report = load_file(
        lao_cai, catalogue.get("landslides"), shared / "data/nasa_glc_vietnam.csv", OPTIONS
    )
    assert (report.read, report.added, report.added + report.outside) == (116, 13, 116)


def test_the_power_plants_of_the_province_are_nineteen_with_526_6_mw(lao_cai, catalogue, shared):
    path = shared / "data/wri_power_plants_vietnam.csv"
    report = load_file(lao_cai, catalogue.get("power_plants"), path, OPTIONS)
    with lao_cai.reading() as connection:
        power = connection.scalar(text("SELECT sum(capacity_mw) FROM layer.power_plants"))
    assert (report.read, report.added) == (304, 19)
    assert report.added + report.outside + report.quarantined == 304
    assert round(power, 1) == 526.6
