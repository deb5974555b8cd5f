"""The shipped layers places, roads and rivers: extracts are loaded, and addresses find them."""

import csv
import io
import re
import shlex
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli import command_line
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


def walk() -> str:
    """The part of the how-to from an extract to the hex."""
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "addresses.md").read_text("utf-8")
    return page[page.index("## Tới tận ô lục giác") : page.index("## Giới hạn")]


def tables_of_places() -> list[str]:
    """The two tables of places shown in the how-to: of the layer, and beside the layers."""
    return re.findall(r"```\n((?:id,)?name,.*?)```", walk(), re.DOTALL)


def test_every_command_of_the_how_to_runs_and_addresses_find_what_was_loaded(
    toy_province: Database,
    catalogue: Catalogue,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = toy_province.url.replace("postgresql+psycopg", "postgresql")
    monkeypatch.setenv("GIS_DATABASE_URL", url)
    monkeypatch.chdir(tmp_path)
    osm = write_osm_pbf(tmp_path / "vietnam.osm.pbf")
    write_geonames(tmp_path / "VN.txt")
    for name, content in zip(("dia_danh", "dia_danh_khac"), tables_of_places(), strict=True):
        (tmp_path / f"{name}.csv").write_text(content, "utf-8")
    commands = re.findall(r"^gis (.+)$", walk(), re.MULTILINE)
    assert len(commands) == 7
    for command in commands:
        done = CliRunner().invoke(command_line(), shlex.split(command))
        assert done.exit_code == 0, (command, done.output, done.exception)
    assert {address: find(toy_province, address).matched for address in FOUND} == FOUND
    again = load(toy_province, catalogue, "places", osm, "places")
    assert (again.added, again.updated, again.unchanged) == (0, 0, 4)
    asked = CliRunner().invoke(command_line(), ["place"], input="thôn Sao, phường Sao Mai\n")
    (row,) = csv.DictReader(io.StringIO(asked.stdout))
    assert (row["matched"], row["precision_m"]) == ("Làng Sao", "500.0")
    assert float(row["lon"]) == pytest.approx(104.05)


def test_the_answers_of_the_how_to_are_true(
    lao_cai: Database, catalogue: Catalogue, tmp_path: Path
) -> None:
    path = tmp_path / "dia_danh.csv"
    path.write_text(tables_of_places()[0], "utf-8")
    load(lao_cai, catalogue, "places", path)
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", walk(), re.MULTILINE)[1:]
    rows = [(address, place) for address, place in rows if "---" not in address]
    assert len(rows) == 8
    for address, place in rows:
        assert (find(lao_cai, address).matched or "không / none") == place, address
