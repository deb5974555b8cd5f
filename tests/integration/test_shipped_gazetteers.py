"""The shipped layers places, roads and rivers: extracts are loaded, and addresses find them."""

import re
from datetime import date
from pathlib import Path

from gis.database.engine import Database
from gis.placing.addresses import AddressMatch
from gis.placing.reference import stored_placer
from layers.definition.catalogue import Catalogue
from layers.ingest.load import LoadOptions, LoadReport, load_file
from layers.ingest.records import FileOptions
from tests.extracts import write_geonames, write_osm_pbf


def load(
    database: Database, catalogue: Catalogue, layer: str, path: Path, table: str | None = None
) -> LoadReport:
    options = LoadOptions("tests", answers=FileOptions(table=table))
    return load_file(database, catalogue.get(layer), path, options)


def find(database: Database, address: str) -> AddressMatch:
    with database.reading() as connection:
        return stored_placer(connection, date(2026, 6, 1)).address(address)


FOUND = {
    "thôn Sao, phường Sao Mai, Lào Cai": "Làng Sao",
    "Trường TH Sao Mai, phường Sao Mai": "Trường Tiểu học Sao Mai",
    "chợ Sao Mai, phường Sao Mai": "Chợ Sao Mai",
    "bản Cát Thượng, xã Bãi Cát": "Bản Cát",
    "chợ Cát, xã Bãi Cát": "Chợ Cát",
    "Km 12 QL4D, xã Bãi Cát": "Quốc lộ 4D Km 12",
    "suối Sao, phường Sao Mai": "Suối Sao",
    "thôn Ngoài, xã Đồi Thông": None,
}


def test_extracts_are_loaded_and_addresses_find_what_they_hold(
    toy_province: Database, catalogue: Catalogue, tmp_path: Path
) -> None:
    osm = write_osm_pbf(tmp_path / "lao_cai.osm.pbf")
    for layer, kept in (("places", 4), ("roads", 1), ("rivers", 1)):
        report = load(toy_province, catalogue, layer, osm, layer)
        assert (report.added, report.quarantined, report.outside) == (kept, 0, 0)
    assert load(toy_province, catalogue, "places", write_geonames(tmp_path / "VN.txt")).added == 2
    assert {address: find(toy_province, address).matched for address in FOUND} == FOUND
    again = load(toy_province, catalogue, "places", osm, "places")
    assert (again.added, again.updated, again.unchanged) == (0, 0, 4)


def test_the_walk_of_the_how_to_is_true(
    lao_cai: Database, catalogue: Catalogue, tmp_path: Path
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "addresses.md").read_text("utf-8")
    walk = page[page.index("## Tới tận ô lục giác") : page.index("## Giới hạn")]
    (content,) = re.findall(r"```\n(id,name.*?)```", walk, re.DOTALL)
    path = tmp_path / "dia_danh.csv"
    path.write_text(content, "utf-8")
    load(lao_cai, catalogue, "places", path)
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", walk, re.MULTILINE)[1:]
    rows = [(address, place) for address, place in rows if "---" not in address]
    assert len(rows) == 8
    for address, place in rows:
        assert (find(lao_cai, address).matched or "không / none") == place, address
