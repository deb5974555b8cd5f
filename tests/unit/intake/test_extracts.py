"""Extracts of OpenStreetMap and GeoNames become tables of names, kinds and places."""

from collections.abc import Callable
from pathlib import Path

import pytest
import shapely

from gis.errors import AmbiguousInput, BadFile
from gis.intake.tables import read_table
from tests.extracts import write_geonames, write_osm_pbf, write_osm_xml

WRITERS = {".osm": write_osm_xml, ".osm.pbf": write_osm_pbf}


@pytest.fixture(params=WRITERS)
def extract(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    write: Callable[[Path], Path] = WRITERS[request.param]
    return write(tmp_path / f"lao_cai{request.param}")


def test_places_of_openstreetmap_are_points_and_areas_with_a_name(extract: Path) -> None:
    table = read_table(extract, table="places")
    assert list(zip(table["id"], table["name"], table["kind"], strict=True)) == [
        ("osm:n1", "Làng Sao", "village"),
        ("osm:n2", "Chợ Sao Mai", "market"),
        ("osm:n4", "Làng Ngoài", "village"),
        ("osm:w100", "Trường Tiểu học Sao Mai", "school"),
    ]
    assert table["aliases"] == ["Bản Sao", "", "", ""]
    assert table.crs == "EPSG:4326" and table.points is not None
    assert table.points[0][:3] == pytest.approx([104.05, 104.02, 104.95])


@pytest.mark.parametrize(
    ("name", "row", "end"),
    [
        ("roads", ("osm:w101", "Quốc lộ 4D", "QL.4D", "primary"), (104.3, 22.04)),
        ("rivers", ("osm:w102", "Suối Sao", "", "stream"), (104.02, 22.02)),
    ],
)
def test_roads_and_rivers_of_openstreetmap_are_lines_with_a_name(
    extract: Path, name: str, row: tuple[str, ...], end: tuple[float, float]
) -> None:
    table = read_table(extract, table=name)
    assert tuple(table.row(0).values()) == row and len(table) == 1
    assert table.geometry is not None
    assert tuple(shapely.get_coordinates(table.geometry[0])[-1]) == pytest.approx(end)


def test_which_table_of_openstreetmap_is_asked(extract: Path) -> None:
    with pytest.raises(AmbiguousInput, match="--table: places, roads, rivers"):
        read_table(extract)


def test_what_is_no_extract_is_refused(tmp_path: Path) -> None:
    for name in WRITERS:
        path = tmp_path / f"other{name}"
        path.write_bytes(b"id,name\n1,x\n")
        with pytest.raises(BadFile, match="OpenStreetMap"):
            read_table(path, table="places")


def test_geonames_is_read_without_a_head_and_without_units(tmp_path: Path) -> None:
    table = read_table(write_geonames(tmp_path / "VN.txt"))
    assert [tuple(row.values()) for row in table.rows()] == [
        ("geonames:1", "Bản Cát", "Ban Cat Thuong;Bản Cát", "village", "104.15", "22.05"),
        ("geonames:2", "Chợ Cát", "", "market", "104.16", "22.06"),
    ]


def test_a_broken_line_of_geonames_is_named(tmp_path: Path) -> None:
    path = write_geonames(tmp_path / "VN.txt")
    path.write_text(path.read_text("utf-8") + "4\tcut\n", "utf-8")
    with pytest.raises(BadFile, match="line 4: 2 columns"):
        read_table(path)
