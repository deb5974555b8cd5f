"""A layer file that is drafted from a file is right, and takes the file at once."""

import geopandas
import pytest
import shapely

from gis.errors import BadFile
from gis.intake.tables import read_table
from layers.definition.catalogue import Catalogue, read_layer
from layers.definition.draft import draft_layer
from layers.definition.model import FieldType, GeometryKind
from layers.ingest.load import LoadOptions, load_file
from layers.storage.sync import sync

WELLS = (
    "Số đăng ký;X (m);Y (m);Xã;Ngày khoan;Độ sâu (m);Mã vùng;Chủ giếng;Liên hệ;Đã kiểm tra;"
    "limit;id\n"
    "GK-001;2439366,02;427552,21;;05/09/2024;45,5;02;Nguyễn Văn A;0912345678;có;1;7\n"
    "GK-002;2439322,05;427874,20;;25/09/2024;1.028,0;03;Trần Thị B;0987654321;không;1;7\n"
)
FILES = {
    "giếng khoan (1).csv": WELLS,
    "degrees.csv": "code,lon,lat,when\n1,104.15,22.05,2026-03-01T10:00:00+07:00\n2,104.15,22.06,\n",
    "2026 words.csv": 'Mã,Địa chỉ,Ghi chú\n1,"Thôn 1, xã Đồi Thông",x\n2,,y\n',
    "doubtful.csv": (
        "n,a,b,lon,lat\n1,1.234,03/04/2026,104.15,22.05\n1,2.345,05/06/2026,104.1,22.05\n"
    ),
    "nowhere.csv": "name,no\nMột,yes\nHai,no\n",
}


def drafted(path, folder):
    name, text = draft_layer(read_table(path))
    written = folder / f"{name}.yaml"
    written.write_text(text, encoding="utf-8")
    return read_layer(written)


@pytest.mark.parametrize("name", FILES)
def test_a_draft_is_right_and_takes_its_file_at_once(toy_province, tmp_path, name):
    path = tmp_path / name
    path.write_text(FILES[name], encoding="utf-8")
    layer = drafted(path, tmp_path)
    with toy_province.writing() as connection:
        sync(connection, Catalogue((layer,), {layer.id: "1"}))
    report = load_file(toy_province, layer, path, LoadOptions("tests", "tests", dry_run=True))
    faults = {"no_place", "outside", "unclear_address"}  # of the records, not of the draft
    assert report.read == 2
    assert set(report.reasons) <= faults, report.reasons


def test_types_are_proven_and_personal_columns_are_marked(tmp_path):
    path = tmp_path / "giếng khoan (1).csv"
    path.write_text(WELLS, encoding="utf-8")
    layer = drafted(path, tmp_path)
    assert (layer.id, layer.source.key, layer.access.read) == (
        "gieng_khoan_1", "Số đăng ký", "department",
    )  # fmt: skip
    point = layer.source.coordinates
    assert (point.x, point.y, point.crs) == ("Y (m)", "X (m)", "EPSG:9208")
    assert layer.source.time.column == "Ngày khoan"
    fields = {field.column: field for field in layer.fields.values()}
    assert (fields["Độ sâu (m)"].type, fields["Độ sâu (m)"].format) == (
        FieldType.NUMBER, "decimal_comma",
    )  # fmt: skip
    assert (fields["Ngày khoan"].type, fields["Ngày khoan"].format) == (FieldType.DATE, "%d/%m/%Y")
    assert fields["Mã vùng"].type is FieldType.TEXT
    assert fields["Đã kiểm tra"].type is FieldType.BOOLEAN
    assert {column for column, field in fields.items() if field.personal} == {
        "Chủ giếng", "Liên hệ",
    }  # fmt: skip
    assert not {"id", "limit"} & set(layer.fields)


def test_what_no_value_proves_stays_text(tmp_path):
    path = tmp_path / "doubtful.csv"
    path.write_text(FILES["doubtful.csv"], encoding="utf-8")
    layer = drafted(path, tmp_path)
    assert {layer.fields["a"].type, layer.fields["b"].type} == {FieldType.TEXT}


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        (shapely.Point(104.15, 22.05), GeometryKind.POINT),
        (shapely.LineString([(104.15, 22.05), (104.16, 22.06)]), GeometryKind.LINE),
        (shapely.box(104.15, 22.05, 104.16, 22.06), GeometryKind.POLYGON),
    ],
)
def test_a_file_with_geometries_gives_their_kind(toy_province, tmp_path, shape, kind):
    path = tmp_path / "shapes.gpkg"
    frame = geopandas.GeoDataFrame({"ma": ["a"]}, geometry=[shape], crs="EPSG:4326")
    frame.to_file(path)
    layer = drafted(path, tmp_path)
    assert layer.geometry is kind
    with toy_province.writing() as connection:
        sync(connection, Catalogue((layer,), {layer.id: "1"}))
    assert load_file(toy_province, layer, path, LoadOptions("tests", "tests")).added == 1


def test_no_personal_column_becomes_the_key(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("CCCD,Họ tên\n012345678901,A\n012345678902,B\n", encoding="utf-8")
    with pytest.raises(BadFile, match="every column looks personal"):
        draft_layer(read_table(path))
