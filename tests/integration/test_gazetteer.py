"""The stored gazetteer, on a province of three squares."""

from pathlib import Path

from gis.database.engine import Database
from gis.placing.gazetteer import load_gazetteer, stored_gazetteer

HEAD = "name,kind,lon,lat,unit,source,licence\n"


def write(folder: Path, rows: str) -> Path:
    path = folder / "places.csv"
    path.write_text(HEAD + rows, "utf-8")
    return path


def units(database: Database) -> dict[str, str]:
    with database.reading() as connection:
        return {row.name: row.unit for row in stored_gazetteer(connection).rows}


def test_a_row_gets_the_commune_that_its_point_lies_in(
    toy_province: Database, tmp_path: Path
) -> None:
    rows = (
        "Chợ Sao,market,104.05,22.05,,s,CC0\n"
        "Thôn Cát,village,104.15,22.05,,s,CC0\n"
        "Ga xa,station,109,12,,s,CC0\n"
        "Ngõ lạ,road,104.05,22.05,99999,s,CC0\n"
        "Đồi gửi,hill,104.05,22.05,00007,s,CC0\n"
    )
    assert load_gazetteer(toy_province, write(tmp_path, rows)) == 3
    assert units(toy_province) == {"Chợ Sao": "00001", "Thôn Cát": "00004", "Đồi gửi": "00007"}


def test_loading_replaces_the_rows_of_the_same_source_and_no_others(
    toy_province: Database, tmp_path: Path
) -> None:
    load_gazetteer(toy_province, write(tmp_path, "Chợ Sao,market,104.05,22.05,,one,CC0\n"))
    load_gazetteer(toy_province, write(tmp_path, "Thôn Cát,village,104.15,22.05,,two,CC0\n"))
    again = "Chợ mới,market,104.05,22.05,,one,CC0\n"
    assert load_gazetteer(toy_province, write(tmp_path, again)) == 1
    assert load_gazetteer(toy_province, write(tmp_path, again)) == 1
    assert units(toy_province) == {"Thôn Cát": "00004", "Chợ mới": "00001"}


def test_a_stored_row_is_the_row_that_was_read(toy_province: Database, tmp_path: Path) -> None:
    load_gazetteer(toy_province, write(tmp_path, "Chợ Sao,market,104.05,22.05,,s,CC0-1.0\n"))
    with toy_province.reading() as connection:
        (row,) = stored_gazetteer(connection).rows
    assert (row.name, row.kind, row.lon, row.lat) == ("Chợ Sao", "market", 104.05, 22.05)
    assert (row.unit, row.source, row.licence) == ("00001", "s", "CC0-1.0")
