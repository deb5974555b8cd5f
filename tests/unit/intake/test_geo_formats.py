"""Files of GIS programs give their records, whatever the format, and ask what they leave open."""

import shutil
import zipfile
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely

from gis.errors import AmbiguousInput, BadFile
from gis.intake.geofiles import FORMATS
from gis.intake.tables import RawTable, read_table
from tests.intake_layers import FILES

NOTES = ["Sạt lở", "Mưa đá", "Ngập"]
DRIVERS = {
    ".gpkg": "GPKG", ".shp": "ESRI Shapefile", ".kml": "LIBKML", ".gml": "GML",
    ".fgb": "FlatGeobuf", ".tab": "MapInfo File", ".mif": "MapInfo File", ".gpx": "GPX",
    ".gdb": "OpenFileGDB", ".dxf": "DXF", ".geojsonl": "GeoJSONSeq", ".parquet": None,
    ".geoparquet": None,
}  # fmt: skip
OSM = """<?xml version="1.0"?><osm version="0.6">
<node id="1" lat="22.4856" lon="103.9707" version="1"><tag k="name" v="Chợ Cốc Lếu"/></node>
<node id="2" lat="22.49" lon="103.98" version="1"/>
<way id="3" version="1"><nd ref="1"/><nd ref="2"/><tag k="highway" v="primary"/></way></osm>"""


@pytest.fixture(scope="module")
def places() -> geopandas.GeoDataFrame:
    points = shapely.points([103.9707, 104.01, 103.88], [22.4856, 22.4276, 22.5])
    columns = {"ma": ["007", "008", "009"], "so": [1, 2**53 + 1, 3], "ten": NOTES}
    return geopandas.GeoDataFrame(columns, geometry=points, crs="EPSG:4326")


def write(places: geopandas.GeoDataFrame, path: Path) -> Path:
    """The places in the format of the name; a FileGDB as a zip of its folder."""
    driver = DRIVERS[path.suffix]
    if driver is None:
        places.to_parquet(path)
    elif driver == "GPX":
        pyogrio.write_dataframe(
            places[["ten", "geometry"]].rename(columns={"ten": "name"}), path, driver=driver
        )
    elif driver == "DXF":
        pyogrio.write_dataframe(places[["geometry"]], path, driver=driver)
    elif driver == "OpenFileGDB":
        version = "ARCGIS_PRO_3_2_OR_LATER"  # which has whole numbers of 64 bits
        pyogrio.write_dataframe(places, path, driver=driver, TARGET_ARCGIS_VERSION=version)
    else:
        pyogrio.write_dataframe(places, path, driver=driver)
    if path.suffix != ".gdb":
        return path
    archive = path.with_suffix(".gdb.zip")
    with zipfile.ZipFile(archive, "w") as packed:
        for part in path.iterdir():
            packed.write(part, f"{path.name}/{part.name}")
    return archive


@pytest.mark.parametrize("suffix", DRIVERS)
def test_every_format_gives_its_records(
    tmp_path: Path, places: geopandas.GeoDataFrame, suffix: str
) -> None:
    table = read_table(write(places, tmp_path / f"diem{suffix}"))
    assert len(table) == 3 and table.points is not None and table.unread == {}
    order = np.argsort(table.points[0])
    np.testing.assert_allclose(np.array(table.points)[:, order], [
        [103.88, 103.9707, 104.01], [22.5, 22.4856, 22.4276],
    ], atol=1e-6)  # fmt: skip
    assert table.crs == (None if suffix == ".dxf" else "EPSG:4326")
    if suffix == ".gpx":
        assert sorted(table["name"]) == sorted(NOTES)
    elif suffix != ".dxf":
        assert sorted(table["ten"]) == sorted(NOTES)
        assert sorted(table["ma"]) == ["007", "008", "009"]
        assert sorted(table["so"], key=int) == ["1", "3", str(2**53 + 1)]


def test_every_format_is_tried() -> None:
    """A format that is added to the registry has a file above, or a test below."""
    below = {".osm", ".osm.pbf", ".pbf"}
    assert set(FORMATS) - below <= set(DRIVERS)


@pytest.mark.parametrize(
    "name", ["g.kml", "g.kmz", "g.gpx", "g.tab", "g.fgb", "g.parquet", "csvzip.zip"]
)
def test_files_of_others_are_read(name: str) -> None:
    table = read_table(FILES / name)
    notes = table["name"] if name == "g.gpx" else table["note"]
    assert set(notes) >= set(NOTES)
    if name != "csvzip.zip":
        assert table.crs == "EPSG:4326" and len(table) == 3
        assert "id" not in table.columns or sorted(table["id"]) == ["1", "2", "3"]


def test_an_extract_of_openstreetmap_asks_which_table(tmp_path: Path) -> None:
    path = tmp_path / "sapa.osm"
    path.write_text(OSM, encoding="utf-8")
    with pytest.raises(AmbiguousInput, match="--table: places, roads, rivers"):
        read_table(path)
    points, lines = read_table(path, table="points"), read_table(path, table="lines")
    assert points["name"] == ["Chợ Cốc Lếu"] and lines["highway"] == ["primary"]
    assert points.crs == "EPSG:4326"


def protobuf(*fields: tuple[int, int | bytes]) -> bytes:
    """A message of protocol buffers: numbers of fields with whole numbers or bytes."""

    def varint(number: int) -> bytes:
        head = number & 0x7F
        return bytes([head]) if number < 0x80 else bytes([head | 0x80]) + varint(number >> 7)

    return b"".join(
        varint(field << 3) + varint(value)
        if isinstance(value, int)
        else varint(field << 3 | 2) + varint(len(value)) + value
        for field, value in fields
    )


def test_a_packed_extract_of_openstreetmap_is_read(tmp_path: Path) -> None:
    head = protobuf((4, b"OsmSchema-V0.6"))
    texts = protobuf((1, b""), (1, b"name"), (1, "Chợ Cốc Lếu".encode()))
    # Whole numbers with a sign are doubled (zigzag); the unit is 1e-7 of a degree.
    node = protobuf((1, 2), (2, b"\x01"), (3, b"\x02"), (8, 2 * 224856000), (9, 2 * 1039707000))
    blocks = ((b"OSMHeader", head), (b"OSMData", protobuf((1, texts), (2, protobuf((1, node))))))
    content = b""
    for kind, block in blocks:
        blob = protobuf((1, block))
        header = protobuf((1, kind), (3, len(blob)))
        content += len(header).to_bytes(4, "big") + header + blob
    (tmp_path / "sapa.osm.pbf").write_bytes(content)
    table = read_table(tmp_path / "sapa.osm.pbf", table="points")
    assert table["name"] == ["Chợ Cốc Lếu"] and table.points is not None
    assert (table.points[0][0], table.points[1][0]) == pytest.approx((103.9707, 22.4856))


def test_a_zip_of_two_shapefiles_asks_which_and_the_option_answers() -> None:
    path = FILES / "s_two.zip"
    with pytest.raises(AmbiguousInput, match=r"--table: “a/s_utf8.shp”, “b/s_b.shp”"):
        read_table(path)
    for name in ("a/s_utf8.shp", "a/s_utf8", "b/s_b.shp"):
        table = read_table(path, table=name)
        assert table.name == "s_two.zip" and table.short_names and len(table) > 0
    with pytest.raises(BadFile, match=r"there is no table “c.shp”"):
        read_table(path, table="c.shp")


def test_a_table_of_a_member_of_a_zip_is_named_by_both(
    tmp_path: Path, places: geopandas.GeoDataFrame
) -> None:
    for layer in ("xa", "thon"):
        places.to_file(tmp_path / "a.gpkg", layer=layer)
    write(places, tmp_path / "b.geojsonl")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "a.gpkg", "a.gpkg")
        archive.write(tmp_path / "b.geojsonl", "b.geojsonl")
    with pytest.raises(AmbiguousInput, match=r"--table: “a.gpkg”, “b.geojsonl”"):
        read_table(tmp_path / "a.zip")
    with pytest.raises(AmbiguousInput, match=r"“a.gpkg:xa”, “a.gpkg:thon”"):
        read_table(tmp_path / "a.zip", table="a.gpkg")
    assert len(read_table(tmp_path / "a.zip", table="a.gpkg:thon")) == 3


def test_folders_of_a_kml_are_tables(tmp_path: Path) -> None:
    place = (
        "<Placemark><name>{0}</name><Point><coordinates>104,22.5</coordinates></Point></Placemark>"
    )
    folders = "".join(
        f"<Folder><name>{name}</name>{place.format(name)}</Folder>" for name in ("Sạt lở", "Ngập")
    )
    path = tmp_path / "a.kml"
    path.write_text(
        f'<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{folders}</Document></kml>'
    )
    with pytest.raises(AmbiguousInput, match="--table: “Sạt lở”, “Ngập”"):
        read_table(path)
    assert read_table(path, table="Ngập")["Name"] == ["Ngập"]


def test_the_styles_that_qgis_keeps_are_no_table(
    tmp_path: Path, places: geopandas.GeoDataFrame
) -> None:
    path = tmp_path / "a.gpkg"
    places.to_file(path, layer="diem")
    pyogrio.write_dataframe(
        pd.DataFrame({"styleQML": ["x"]}), path, layer="layer_styles", append=True
    )
    assert len(read_table(path)) == 3


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
def test_what_declares_no_crs_has_none(tmp_path: Path, places: geopandas.GeoDataFrame) -> None:
    places.set_crs(None, allow_override=True).to_file(tmp_path / "a.shp")
    places.set_crs(None, allow_override=True).to_parquet(tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.shp").crs is None
    assert read_table(tmp_path / "a.parquet").crs is None


def test_another_crs_is_reported(tmp_path: Path, places: geopandas.GeoDataFrame) -> None:
    local = places.to_crs("EPSG:9208")
    for suffix in (".parquet", ".fgb", ".gpkg"):
        assert read_table(write(local, tmp_path / f"a{suffix}")).crs == "EPSG:9208"


def test_a_geometry_that_cannot_be_read_is_a_fault_of_its_row(tmp_path: Path) -> None:
    good = shapely.to_wkb(shapely.box(0, 0, 1, 1))
    unclosed = good[:-16] + shapely.to_wkb(shapely.Point(5, 5))[-16:]
    frame = pd.DataFrame({"id": [1, 2, 3], "geometry": [good, unclosed, None]})
    frame.to_parquet(tmp_path / "plain.parquet")
    import json

    import pyarrow.parquet as pq

    geo = {"version": "1.0.0", "primary_column": "geometry",
           "columns": {"geometry": {"encoding": "WKB", "geometry_types": []}}}  # fmt: skip
    plain = pq.read_table(tmp_path / "plain.parquet")
    told = plain.replace_schema_metadata({b"geo": json.dumps(geo).encode()})
    pq.write_table(told, tmp_path / "a.parquet")
    table = read_table(tmp_path / "a.parquet")
    assert set(table.unread) == {1} and table.crs == "EPSG:4326" and len(table) == 3


def lines_of(path: Path, *lines: str) -> RawTable:
    path.write_text("\n".join(lines), encoding="utf-8")
    return read_table(path)


def test_sequences_of_features_and_of_plain_objects_are_read(tmp_path: Path) -> None:
    assert read_table(FILES / "seq.geojson")["k"] == ["s1", "s2"]
    plain = lines_of(tmp_path / "a.ndjson", '{"id": 1, "lon": 103.9}', "", '{"id": 2, "x": "b"}')
    assert plain.geometry is None and list(plain.lines) == [1, 3]
    assert plain.row(0) == {"id": "1", "lon": "103.9", "x": ""}
    marked = lines_of(
        tmp_path / "b.geojsons",
        '\x1e{"type": "Feature", "properties": {"n": 9007199254740993}, "geometry": null}',
        '\x1e{"type": "Feature", "properties": {"n": 98765432109876543210}, "geometry": '
        '{"type": "Point", "coordinates": [103.9, 22.4]}}',
    )
    assert marked["n"] == ["9007199254740993", "98765432109876543210"]
    assert marked.points is not None and marked.points[0][1] == 103.9


def test_a_bad_line_of_a_sequence_is_its_own_fault(tmp_path: Path) -> None:
    table = lines_of(
        tmp_path / "a.jsonl", '{"id": 1}', '{"id": 2', "[3]", '{"id": 4, "t": "a\\u0000b"}'
    )
    assert table["id"] == ["1", "", "", "4"] and set(table.faults) == {1, 2, 3}
    assert '{"id": 2' in table.faults[1] and table["t"][3] == "a␀b"


def test_what_lies_beside_a_file_is_no_part_of_it(
    tmp_path: Path, places: geopandas.GeoDataFrame
) -> None:
    """A name with signs that programs give a meaning to is a name."""
    shutil.copy(write(places, tmp_path / "a.fgb"), tmp_path / "zip!x?y=1&a.zip!b.fgb")
    assert len(read_table(tmp_path / "zip!x?y=1&a.zip!b.fgb")) == 3
