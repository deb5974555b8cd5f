"""Files become tables of text, whatever their format; what is wrong is told by file and line."""

import gzip
import hashlib
import json
import time
import zipfile
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import AmbiguousInput, BadFile
from gis.intake.delimited import parse_delimited, sniff_delimiter
from gis.intake.tables import RawTable, read_table, require_columns, require_whole_records
from gis.placing.crs import check_points
from gis.values import BBox
from tests.unit.intake.legacy import to_tcvn3

COMMUNES = ["Lào Cai", "Bát Xát", "Cốc San", "Mường Khương"]


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def fault(folder: Path, content: str | bytes, name: str = "a.csv") -> str:
    with pytest.raises(BadFile) as caught:
        read_table(written(folder, name, content))
    assert str(caught.value).startswith(name)
    return str(caught.value)


@pytest.fixture
def communes() -> geopandas.GeoDataFrame:
    points = [shapely.Point(419735.65 + 1000 * i, 2486912.78) for i in range(4)]
    columns = {"ten": COMMUNES, "so": [1, 2, 3, 4], "cao": [1.5, None, 3.0, 1e-7]}
    return geopandas.GeoDataFrame(columns, geometry=points, crs="EPSG:9208")


def test_a_csv_is_read_as_it_is_written(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", 'id,tên\n1,"Cốc\nSan"\n\n2," Sa Pa, ""cũ"""\n')
    table = read_table(path)
    assert table.columns == ("id", "tên")
    assert list(table.rows()) == [
        {"id": "1", "tên": "Cốc\nSan"},
        {"id": "2", "tên": ' Sa Pa, "cũ"'},
    ]
    assert table.row(1) == {"id": "2", "tên": ' Sa Pa, "cũ"'}
    assert list(table.lines) == [2, 5]
    assert table.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (table.name, len(table), table.points, table.crs) == ("a.csv", 2, None, None)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    rows = [["a", "b", "c"], ["1", "x", "3"], ["2", "y", "4"]]
    text = "\n".join(delimiter.join(row) for row in rows)
    assert read_table(written(tmp_path, "a.csv", text)).columns == ("a", "b", "c")


def test_a_decimal_comma_is_no_delimiter() -> None:
    assert sniff_delimiter("x;y\n103,97;22,48\n104,01;22,50\n") == ";"


def test_a_comma_in_an_address_is_no_delimiter() -> None:
    assert sniff_delimiter("id;địa chỉ\n1;Thôn 1, xã A, tỉnh B\n2;Thôn 2, xã A, tỉnh B\n") == ";"


def test_a_delimiter_that_the_file_declares_is_obeyed(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "a.csv", "sep=;\r\na;b\r\n1,5;2\r\n"))
    assert table.row(0) == {"a": "1,5", "b": "2"}
    assert list(table.lines) == [3]


def test_one_column_is_a_table(tmp_path: Path) -> None:
    assert read_table(written(tmp_path, "a.csv", "tên\nSa Pa\nCốc San\n"))["tên"] == [
        "Sa Pa",
        "Cốc San",
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_every_unicode_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    text = "id,tên xã\n1,Mường Khương\n2,Cốc San\n"
    if encoding == "utf-16-be":
        text = "\ufeff" + text
    table = read_table(written(tmp_path, "a.csv", text.encode(encoding)))
    assert table.columns == ("id", "tên xã")
    assert table["tên xã"] == ["Mường Khương", "Cốc San"]


def test_values_and_names_are_nfc(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "a.csv", "te\u0302n\nLa\u0300o Cai\n"))
    assert table["tên"] == ["Lào Cai"]


def test_a_gzipped_file_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv.gz", gzip.compress("tên\nSa Pa\n".encode()))
    assert read_table(path)["tên"] == ["Sa Pa"]


def test_a_broken_gzip_is_reported(tmp_path: Path) -> None:
    broken = gzip.compress("tên\nSa Pa\n".encode())[:-4]
    assert "gzip" in fault(tmp_path, broken, "a.csv.gz")


def test_an_old_encoding_is_converted_and_reported(tmp_path: Path) -> None:
    text = "id,Tên xã,Huyện\n1,Mường Khương,Bảo Thắng\n2,Cốc San,Bát Xát\n3,Trịnh Tường,Văn Bàn\n"
    table = read_table(written(tmp_path, "a.csv", to_tcvn3(text)))
    assert table.columns == ("id", "Tên xã", "Huyện")
    assert table["Tên xã"] == ["Mường Khương", "Cốc San", "Trịnh Tường"]
    assert {note.column for note in table.notes} == {None, "Tên xã", "Huyện"}


def test_empty_fields_that_spreadsheets_leave_are_no_columns(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "a.csv", "a,b,,\n1,2,,\n3,4\n,,,\n"))
    assert table.columns == ("a", "b") and len(table) == 2


def test_a_table_without_records_is_a_table(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "a.csv", "a,b\n"))
    assert len(table) == 0 and table["a"] == [] and list(table.rows()) == []


def test_a_record_of_another_width_is_a_fault_of_its_own(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "a.csv", "a,b\n1,2\n\n1,2,3\n4\n5,6\n"))
    assert list(table.lines) == [2, 4, 5, 6] and table["b"] == ["2", "2,3", "", "6"]
    assert set(table.faults) == {1, 2}
    assert "3 fields where the header has 2" in table.faults[1]
    with pytest.raises(BadFile, match=r"a.csv: dòng / line 4: .*3 fields"):
        require_whole_records(table)


def test_a_file_whose_records_mostly_have_another_width_is_reported_with_the_line(
    tmp_path: Path,
) -> None:
    message = fault(tmp_path, "a,b\n\n1,2,3\n1,2,4\n1,2\n")
    assert "line 3: " in message and "3 fields where the header has 2" in message


CLEAN = [f"{n},{n}.5,n{n}" for n in range(2, 30)]  # each on the line of its number


def read_lines(folder: Path, lines: list[str], end: str = "\n") -> RawTable:
    (folder / "a.csv").write_bytes(end.join(["id,val,note", *lines, ""]).encode())
    return read_table(folder / "a.csv")


@pytest.mark.parametrize("at", [0, 9, len(CLEAN) - 1])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("torn", "first"),
    [
        ('9,"9.5,n9', "9"),  # left open
        ('9,9.5,"n9', "9"),
        ('"9,9.5,n9', "9,9.5,n9"),
        ('9,"9".5,n9', "9"),  # goes on behind its end
        ('9,"a "b" c",n9', "9"),
        ("9,9\0.5,n9", "9"),
    ],
)
def test_what_one_line_does_wrong_is_the_fault_of_its_record_alone(
    tmp_path: Path, at: int, end: str, torn: str, first: str
) -> None:
    table = read_lines(tmp_path, [*CLEAN[:at], torn, *CLEAN[at:]][: len(CLEAN)], end)
    assert list(table.faults) == [at]
    assert list(table.lines) == list(range(2, len(CLEAN) + 2))
    assert table["id"][at].startswith(first)
    good = [f"{row['id']},{row['val']},{row['note']}" for row in table.rows()]
    assert good[:at] + good[at + 1 :] == CLEAN[: len(CLEAN) - 1]


def test_a_quote_that_closes_in_a_later_line_takes_no_record_with_it(tmp_path: Path) -> None:
    lines = ['2,2.5,"open', "3,3.5,n3", "4,4.5,n4", '5,"5.5",n5', "6,6.5,n6", "7,7.5,n7"]
    table = read_lines(tmp_path, lines)
    assert list(table.faults) == [0] and "not closed" in table.faults[0]
    assert table["id"] == ["2", "3", "4", "5", "6", "7"]
    # A field that closes by chance makes a record of another width, which is cut where it began.
    table = read_lines(tmp_path, ['2,"2.5,n2', "3,3.5,n3", '4,4.5,"', "5,5.5,n5", "6,6.5,n6"])
    assert {table["id"][row] for row in table.faults} == {"2", "4"}
    assert table["id"] == ["2", "3", "4", "5", "6"]


def test_lines_of_a_field_stay_with_it_where_none_is_a_record(tmp_path: Path) -> None:
    lines = ['2,2.5,"one\ntwo, and three\nfour"', '3,"one\ntwo"', *CLEAN[5:]]
    table = read_lines(tmp_path, lines)
    assert list(table.faults) == [1] and list(table.lines)[:3] == [2, 5, 7]
    assert table["note"][0] == "one\ntwo, and three\nfour"
    assert "one\ntwo" in table["val"][1]


def test_where_most_lines_are_torn_the_file_is_reported_with_the_first(tmp_path: Path) -> None:
    message = fault(tmp_path, 'a,b\n1,2\n3,"x\n4,"y\n5,"z\n')
    assert "line 3: " in message and "a quoted field is not closed" in message
    assert "a column's name holds a NUL byte" in fault(tmp_path, b"a,b\0\n1,2\n3,4\n")


def test_many_lost_quotes_take_linear_time(tmp_path: Path) -> None:
    """Each is read up to the next quote, never to the end again and again."""
    lines = [f'{n},"lost,n{n}' if n % 3 == 0 else f"{n},1.5,n{n}" for n in range(40_000)]
    began = time.process_time()
    table = read_lines(tmp_path, lines)
    assert time.process_time() - began < 10
    assert len(table) == 40_000 and len(table.faults) == len(range(0, 40_000, 3))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("a,,c\n1,2,3\n", "column 2 has no name"),
        ("a,b,a\n1,2,3\n", "columns 1 and 3 are both named “a”"),
        ("a,a \n1,2\n", "two columns are named “a”"),
        ("1,103.97,22.48\n2,104.01,22.5\n", "is a value and not a column's name"),
        ("<!DOCTYPE html><html></html>", "is a web page"),
        (b"%PDF-1.7 ...", "is a PDF file"),
        (b"PK\x03\x04...", "is a ZIP/XLSX file"),
        (b"\x89PNG\r\n", "is a PNG file"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_reported(tmp_path: Path, content: str | bytes, told: str) -> None:
    assert told in fault(tmp_path, content)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="there is no file"):
        read_table(tmp_path / "no.csv")


def test_an_old_workbook_is_refused_with_the_remedy(tmp_path: Path) -> None:
    assert "save it as .xlsx" in fault(tmp_path, b"\xd0\xcf\x11\xe0", "a.xls")


def test_a_missing_column_names_those_that_are_nearly_called_so(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "a.csv", "Mã báo cáo,kinh_do,Vĩ độ\n1,2,3\n"))
    require_columns(table, ["kinh_do"])
    with pytest.raises(BadFile) as caught:
        require_columns(table, ["ma bao cao", "kinh độ", "report"])
    message = str(caught.value)
    assert message.startswith("a.csv: ")
    assert "no column “ma bao cao”; ý là / meant may be “Mã báo cáo”" in message
    assert "meant may be “kinh_do”" in message
    assert "no column “report”. Các cột có" in message


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1),
            st.text(st.characters(codec="utf-8", exclude_characters="\0\r")),
        ),
        max_size=10,
    )
)  # fmt: skip
def test_what_a_spreadsheet_writes_is_what_is_read(records: list[tuple[str, str]]) -> None:
    frame = pd.DataFrame(records, columns=["name", "text"])
    parsed = parse_delimited(frame.to_csv(index=False, lineterminator="\n"))
    assert parsed.header == ["name", "text"]
    assert list(zip(*parsed.cells, strict=True)) == records


def to_tcvn3_lines(record: str) -> bytes:
    line = to_tcvn3(record.replace(", xã", " xã"))
    return b"".join(line.replace(b"{0}", b"%d" % i) for i in range(100_000))


def test_geojson_gives_points_and_says_what_its_properties_say(tmp_path: Path) -> None:
    features = [
        {
            "type": "Feature",
            "id": 7,
            "properties": {"tên": "Cốc San", "số": 1.50, "có": True, "mã": "007"},
            "geometry": {"type": "Point", "coordinates": [103.9, 22.4, 12]},
        },
        {"type": "Feature", "properties": None, "geometry": None},
    ]
    content = json.dumps({"type": "FeatureCollection", "features": features})
    table = read_table(written(tmp_path, "a.geojson", content))
    assert table.row(0) == {"tên": "Cốc San", "số": "1.5", "có": "true", "mã": "007", "id": "7"}
    assert table.row(1) == {"tên": "", "số": "", "có": "", "mã": "", "id": ""}
    assert table.crs == "EPSG:4326"
    assert table.points is not None
    np.testing.assert_array_equal(table.points, [[103.9, np.nan], [22.4, np.nan]])


def test_geojson_of_another_crs_says_so(tmp_path: Path, communes: geopandas.GeoDataFrame) -> None:
    communes.to_file(tmp_path / "a.geojson")
    assert read_table(tmp_path / "a.geojson").crs == "EPSG:9208"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"type": "FeatureCollection", "features": [', "is no valid JSON"),
        ('{"type": "Feature"}', "is no GeoJSON FeatureCollection"),
        ("[1, 2]", "is no GeoJSON FeatureCollection"),
        ('{"features": []}', "holds no feature"),
        ('{"features": [{"geometry": {"type": "Point"}}]}', "feature 1: its “geometry”"),
        ('{"features": [3]}', "feature 1: its “properties”"),
    ],
)
def test_what_is_no_geojson_is_reported(tmp_path: Path, content: str, told: str) -> None:
    assert told in fault(tmp_path, content, "a.geojson")


def zipped(folder: Path, stem: str) -> Path:
    path = folder / f"{stem}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for part in folder.glob(f"{stem}.*"):
            if part != path:
                archive.write(part, f"dữ liệu/{part.name}")
    return path


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".zip", ".geojson", ".xlsx"])
def test_every_format_gives_the_same_table(
    tmp_path: Path, communes: geopandas.GeoDataFrame, suffix: str
) -> None:
    path = tmp_path / f"a{suffix}"
    if suffix == ".zip":
        communes.to_file(tmp_path / "a.shp")
        zipped(tmp_path, "a")
    elif suffix == ".xlsx":
        pyogrio.write_dataframe(communes.drop(columns="geometry"), path)
    else:
        communes.to_file(path)
    table = read_table(path)
    assert (table["ten"], table["so"]) == (COMMUNES, ["1", "2", "3", "4"])
    assert table["cao"][:3] == ["1.5", "", "3"] and float(table["cao"][3]) == 1e-7
    assert table.notes == ()
    if suffix != ".xlsx":
        assert table.crs == "EPSG:9208" and table.points is not None
        np.testing.assert_allclose(table.points[0], 419735.65 + 1000 * np.arange(4))


def test_a_multipoint_of_one_part_is_a_point(tmp_path: Path) -> None:
    parts = [[(1, 2)], [(1, 2), (3, 4)]]
    shapes = [shapely.MultiPoint(one) for one in parts] + [shapely.box(0, 0, 1, 1), None]
    frame = geopandas.GeoDataFrame({"a": range(4)}, geometry=shapes, crs=4326)
    frame.to_file(tmp_path / "a.gpkg", engine="pyogrio")
    points = read_table(tmp_path / "a.gpkg").points
    assert points is not None
    np.testing.assert_array_equal(points, [[1, np.nan, np.nan, np.nan], [2] + [np.nan] * 3])


def test_dates_of_a_geopackage_are_iso_8601(tmp_path: Path) -> None:
    times = pd.to_datetime(["2024-09-05T14:30:00Z", "2024-09-06T00:00:00Z"])
    frame = geopandas.GeoDataFrame(
        {"luc": times, "ngay": times.date}, geometry=[shapely.Point(1, 1)] * 2, crs=4326
    )
    frame.to_file(tmp_path / "a.gpkg")
    table = read_table(tmp_path / "a.gpkg")
    instants = [pd.Timestamp(text) for text in table["luc"]]
    assert instants == list(times)
    assert table["ngay"][0].startswith("2024-09-05")


def old_shapefile(folder: Path, names: list[str], field: str) -> Path:
    """A shapefile whose attributes are TCVN3, as programs of 2005 wrote them, without .cpg."""
    points = [shapely.Point(i, i) for i in range(len(names))]
    values = [to_tcvn3(name).decode("iso-8859-1") for name in names]
    column = to_tcvn3(field).decode("iso-8859-1")
    frame = geopandas.GeoDataFrame({column: values}, geometry=points)
    frame.to_file(folder / "cu.shp", encoding="ISO-8859-1")
    (folder / "cu.cpg").unlink()
    return folder / "cu.shp"


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
def test_an_old_shapefile_loses_no_letter_of_values_or_names(tmp_path: Path) -> None:
    names = ["Xã Cốc Lầu", "Xã Nậm Xé", "Xã Bản Mế", "Phường Pha Lò", "Thị trấn Phố Lu"]
    table = read_table(old_shapefile(tmp_path, names, "Tên xã"))
    assert table.cells == {"Tên xã": names}
    assert table.crs is None


def test_the_datum_of_a_prj_is_read_and_not_guessed(
    tmp_path: Path, communes: geopandas.GeoDataFrame
) -> None:
    """GDAL may say EPSG:9208 only when the file's datum is VN-2000, whatever it is called."""
    communes.to_file(tmp_path / "a.shp")
    projection = (tmp_path / "a.prj").read_text()
    (tmp_path / "a.prj").write_text(projection.replace("D_Vietnam_2000", "D_WGS_1984"))
    crs = read_table(tmp_path / "a.shp").crs
    assert crs is not None and crs.startswith("PROJCS")
    with pytest.raises(AmbiguousInput, match="--assume-crs EPSG:9208 "):
        check_points([419735.65], [2486912.78], crs, BBox(103.5, 21.3, 105.1, 22.9))


def test_a_shapefile_without_its_attributes_is_reported(
    tmp_path: Path, communes: geopandas.GeoDataFrame
) -> None:
    communes.to_file(tmp_path / "a.shp")
    (tmp_path / "a.dbf").unlink()
    with pytest.raises(BadFile, match=r"a.shp: .*lacks a.dbf"):
        read_table(tmp_path / "a.shp")


def test_a_zip_without_a_shapefile_is_reported(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt", "x")
    with pytest.raises(BadFile, match="the zip holds 0"):
        read_table(tmp_path / "a.zip")


def test_a_file_that_is_not_what_it_is_called_is_reported(tmp_path: Path) -> None:
    for name in ("a.gpkg", "a.xlsx", "a.zip"):
        assert name in fault(tmp_path, b"not at all", name)


def test_several_tables_are_a_question_that_an_option_answers(
    tmp_path: Path, communes: geopandas.GeoDataFrame
) -> None:
    path = tmp_path / "a.gpkg"
    communes.to_file(path, layer="xa")
    communes.head(2).to_file(path, layer="phuong")
    with pytest.raises(AmbiguousInput, match="--table: “xa”, “phuong”"):
        read_table(path)
    assert len(read_table(path, table="phuong")) == 2
    with pytest.raises(BadFile, match="there is no table “huyen”"):
        read_table(path, table="huyen")


def workbook(folder: Path, columns: dict[str, list[object]]) -> RawTable:
    pyogrio.write_dataframe(pd.DataFrame(columns), folder / "a.xlsx")
    return read_table(folder / "a.xlsx")


def test_lines_of_a_workbook_are_its_rows_and_blank_rows_are_none(tmp_path: Path) -> None:
    table = workbook(tmp_path, {"ma": [1, None, 3, None], "ten": ["x", None, "z", None]})
    assert list(table.lines) == [2, 4]
    assert table["ten"] == ["x", "z"]


def test_the_first_row_of_a_workbook_of_text_names_its_columns(tmp_path: Path) -> None:
    table = workbook(tmp_path, {"Mã": ["007", "008"], "Tên xã": ["Bát Xát", "Cốc San"]})
    assert table.cells == {"Mã": ["007", "008"], "Tên xã": ["Bát Xát", "Cốc San"]}


def test_days_of_a_workbook_have_no_time_of_day_and_times_have(tmp_path: Path) -> None:
    days = pd.to_datetime(["2024-09-05", "2024-09-06", None])
    times = pd.to_datetime(["2024-09-05 14:30", "2024-09-06 00:00", None])
    table = workbook(tmp_path, {"ngay": list(days), "luc": list(times), "so": [1, 2, 3]})
    assert table["ngay"] == ["2024-09-05", "2024-09-06", ""]
    assert table["luc"] == ["2024-09-05T14:30:00", "2024-09-06T00:00:00", ""]


def test_real_files_are_read_whole(shared: Path) -> None:
    counts = {
        "nasa_glc_vietnam.csv": 116,
        "noaa_isd_stations_vietnam.csv": 102,
        "wri_power_plants_vietnam.csv": 304,
        "geonames_cities500_vn.csv": 893,
        "chicago_sanitation_complaints.csv.gz": 74_401,
        "nyc311_animal_abuse.csv.gz": 4_969,
    }
    tables = {name: read_table(shared / "data" / name) for name in counts}
    assert {name: len(table) for name, table in tables.items()} == counts
    assert mended(tables["wri_power_plants_vietnam.csv"]) >= {"Kon Dỡng", "Na Tẩu", "Nam Mở"}
    assert "Nghệ An" in mended(tables["nasa_glc_vietnam.csv"])
    assert tables["geonames_cities500_vn.csv"].notes == ()


def mended(table: RawTable) -> set[str]:
    return {after for note in table.notes if not note.lost for _, after in note.examples}
