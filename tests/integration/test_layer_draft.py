"""A layer file that is drafted from a file is right, and takes the file at once."""

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import geopandas
import pytest
import shapely
from typer.testing import CliRunner

from api.cli import command_line
from gis.access import Role, create_key
from gis.database.engine import Database
from gis.errors import BadFile
from gis.intake import chunks
from gis.intake.chunks import open_chunks
from layers.definition.catalogue import Catalogue, read_layer
from layers.definition.drafts import draft_layer
from layers.definition.model import FieldType, GeometryKind
from layers.ingest.load import LoadOptions, load_file
from layers.storage.sync import sync
from tests.integration.ogc_app import Client, client_of
from tests.workbooks import write_ods, write_xls, write_xlsx

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
    name, text = draft_layer(open_chunks(path))
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
        draft_layer(open_chunks(path))


REGISTER = [
    ["SỞ NÔNG NGHIỆP VÀ MÔI TRƯỜNG"],
    ["Danh sách công trình (dữ liệu mô phỏng)"],
    ["STT", "Mã công trình", "Xã, phường", "Vị trí", "", "Diện tích (ha)", "Sản lượng (tấn)"],
    ["", "", "", "Kinh độ", "Vĩ độ", "", ""],
    [1.0, "CT-01", "Xã Bãi Cát", 104.12, 22.05, 3.5, 120.25],
    [2.0, "CT-02", "", 104.13, 22.06, 4.5, 80.5],
    [3.0, "CT-03", "Xã Đồi Thông", 104.22, 22.05, 1.25, 7.75],
    ["Tổng cộng", "", "", "", "", 9.25, 208.5],
]
MERGED = ["D3:E3", "C5:C6"]
SHEET_OF_TEXT = [
    ["Mã công trình", "Xã, phường", "Kinh độ", "Vĩ độ", "Diện tích (ha)"],
    ["CT-01", ("Xã Bãi Cát", 2), "104,12", "22,05", "3,5"],
    ["CT-02", None, "104,13", "22,06", "1.204,25"],
    ["CT-03", "Xã Đồi Thông", "104,22", "22,05", "0,75"],
]


def write_shapes(path: Path, kind: str = "point", layer: str | None = None) -> Path:
    """Three records of one kind of shape with a code, a height and a name."""
    points = [shapely.Point(104.12 + n / 100, 22.05) for n in range(3)]
    shapes = {
        "point": points,
        "line": [shapely.LineString([(p.x, p.y), (p.x + 0.01, p.y)]) for p in points],
        "polygon": [p.buffer(0.004, quad_segs=2) for p in points],
    }[kind]
    columns = {"ma": ["A1", "A2", "A3"], "cao_do_m": [310.5, 320.25, 99.75],
               "ten": ["Một", "Hai", "Ba"]}  # fmt: skip
    frame = geopandas.GeoDataFrame(columns, geometry=shapes, crs="EPSG:4326")
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_file(path, **({"layer": layer} if layer else {}))
    return path


def write_shapefile(path: Path) -> Path:
    """A zip of a Shapefile without its .prj."""
    folder = path.with_suffix("")
    folder.mkdir()
    write_shapes(folder / "song.shp", "line")
    with zipfile.ZipFile(path, "w") as archive:
        for part in sorted(folder.iterdir()):
            if part.suffix in (".shp", ".shx", ".dbf", ".cpg"):
                archive.write(part, part.name)
    return path


def write_two_layers(path: Path) -> Path:
    write_shapes(path, "point", "cong")
    return write_shapes(path, "polygon", "rung")


def write_text(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text, encoding="utf-8")


POINTS_OF_KML = "".join(
    f"<Placemark><name>Điểm {n}</name><Point><coordinates>104.1{n},22.05,0</coordinates></Point>"
    "</Placemark>"
    for n in range(3)
)
KML = f'<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{POINTS_OF_KML}</Document></kml>'
WRONG_ROWS = (
    (
        "Mã,Kinh độ,Vĩ độ,Ngày,Cao độ m\n"
        + "".join(f"M{n},104°0{n}'30\"E,22.05,1{n}/09/2025,3{n}.5\n" for n in range(9))
        + "M9,sai,22.05,không rõ,cao\n"
    )
    .replace('30"', '30""')
    .replace("104°", '"104°')
    .replace("E,", 'E",')
)


@dataclass(frozen=True)
class Handed:
    """A file as a department hands it over, and what its draft says."""

    name: str
    write: Callable[[Path], object]
    added: int = 3
    geometry: str = "point"
    options: tuple[str, ...] = ()  # of `draft` and `load`
    answers: tuple[str, ...] = ()  # of `load`
    units: tuple[str, ...] = ()
    key: str = "ma"

    @property
    def layer_id(self) -> str:
        return self.name.replace(".", "_")


HANDED = [
    Handed("so.xlsx", lambda path: write_xlsx(path, {"Tháng 9": REGISTER}, merged=MERGED),
           units=("har", "t"), key="Mã công trình"),
    Handed("so.xls", lambda path: write_xls(path, REGISTER, merged=[(2, 2, 3, 4), (4, 5, 2, 2)]),
           units=("har", "t"), key="Mã công trình"),
    Handed("so.ods", lambda path: write_ods(path, SHEET_OF_TEXT), units=("har",),
           key="Mã công trình"),
    Handed("diem.kml", write_text(KML), key="Name"),
    Handed("vung.geojson", lambda path: write_shapes(path, "polygon"), geometry="polygon",
           units=("m",)),
    Handed("song.zip", write_shapefile, geometry="line", answers=("--assume-crs", "EPSG:4326"),
           units=("m",)),
    Handed("hai.gpkg", write_two_layers, geometry="polygon", options=("--table", "rung"),
           units=("m",)),
    Handed("diem.fgb", write_shapes, units=("m",)),
    Handed("diem.parquet", write_shapes, units=("m",)),
    Handed("wkt.csv", write_text(
        'ma,hinh\na,"POINT(104.12 22.05)"\nb,"POINT(104.13 22.05)"\nc,"POINT(104.14 22.05)"\n')),
    Handed("tuyen.csv", write_text(
        'ma,hinh\na,"LINESTRING(104.1 22.05, 104.12 22.05)"\n'
        'b,"LINESTRING(104.11 22.05, 104.12 22.06)"\nc,"LINESTRING(104.1 22.01, 104.12 22.02)"\n'),
        geometry="line"),
    Handed("cap.csv", write_text('ma;vi_tri\na;22.05, 104.12\nb;22.05, 104.13\nc;22.06, 104.14\n')),
    Handed("doi.csv", write_text("ma,X,Y\na,22.05,104.12\nb,22.05,104.13\nc,22.06,104.14\n")),
    Handed("sai.csv", write_text(WRONG_ROWS), added=9, key="Mã"),
    Handed("ndjson.ndjson", write_text(
        '{"ma": "a", "lon": 104.12, "lat": 22.05}\n{"ma": "b", "lon": 104.13, "lat": 22.05}\n'
        '{"ma": "c", "lon": 104.14, "lat": 22.05}\n')),
]  # fmt: skip


@dataclass(frozen=True)
class Desk:
    """All files drafted, checked, published and loaded as they are; and a client of the service."""

    folder: Path
    output: dict[str, str]
    client: Client


@pytest.fixture(scope="module")
def desk(postgres, toy_template, tmp_path_factory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    layers = folder / "layers"
    layers.mkdir()
    with postgres.opened(toy_template) as database, pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIS_DATABASE_URL", database.url.replace("+psycopg", ""))
        patch.setenv("GIS_LAYERS", str(layers))
        patch.setenv("GIS_HOME", str(folder / "home"))
        for handed in HANDED:
            path = folder / handed.name
            handed.write(path)
            out = layers / f"{handed.layer_id}.yaml"
            run("layers", "draft", str(path), "--out", str(out), *handed.options)
        assert f"{len(HANDED)} layer files are right" in run("layers", "check")
        run("layers", "sync")
        output = {
            handed.name: run("layers", "load", handed.layer_id, str(folder / handed.name),
                             *handed.options, *handed.answers)
            for handed in HANDED
        }  # fmt: skip
        yield from served(database, folder, output)


def served(database: Database, folder: Path, output: dict[str, str]) -> Iterator[Desk]:
    layers = [read_layer(path) for path in sorted((folder / "layers").glob("*.yaml"))]
    with database.writing() as connection:
        key = create_key(connection, "desk", Role.OPERATOR)
    with client_of(database, layers) as client:
        client.headers["X-API-Key"] = key
        yield Desk(folder, output, client)


def run(*words: str) -> str:
    done = CliRunner().invoke(command_line(), words, catch_exceptions=False)
    assert done.exit_code == 0, (words, done.output)
    return done.output


@pytest.mark.parametrize("handed", HANDED, ids=lambda handed: handed.name)
def test_a_draft_of_a_file_as_handed_over_goes_to_the_map_as_it_is(desk: Desk, handed: Handed):
    layer = read_layer(desk.folder / "layers" / f"{handed.layer_id}.yaml")
    assert (layer.geometry.value, layer.source.key) == (handed.geometry, handed.key)
    assert handed.key not in [field.column for field in layer.fields.values()]
    assert tuple(f.unit for f in layer.fields.values() if f.unit) == handed.units
    assert f"{'added':<15} {handed.added}\n" in desk.output[handed.name]
    items = desk.client.get(f"/ogc/collections/{handed.layer_id}/items").json()
    assert items["numberMatched"] == handed.added
    tile = desk.client.get(f"/ogc/collections/{handed.layer_id}/tiles/WebMercatorQuad/8/111/202")
    assert (tile.status_code, bool(tile.content)) == (200, handed.added > 0)
    assert layer.hexes is not None
    for resolution in layer.hexes.resolutions:
        zones = desk.client.get(
            f"/ogc/collections/{handed.layer_id}/dggs/H3/zones",
            params={"zone-level": resolution, "compact-zones": False, "f": "geojson"},
        ).json()
        counts = [zone["properties"]["count"] for zone in zones["features"]]
        points = handed.geometry == "point"
        assert sum(counts) == handed.added if points else sum(counts) >= handed.added


@pytest.mark.parametrize(
    ("name", "label", "unit"),
    [
        ("Diện tích (ha)", "Diện tích", "har"),
        ("Sản lượng [tấn]", "Sản lượng", "t"),
        ("Năng suất (tấn/ha)", "Năng suất", "t/har"),
        ("Cao độ m", "Cao độ", "m"),
        ("Lưu lượng, m³/s", "Lưu lượng", "m3/s"),
        ("Nhiệt độ (°C)", "Nhiệt độ", "Cel"),
        ("Số hộ (hộ)", "Số hộ (hộ)", None),
        ("Vốn (triệu đồng)", "Vốn (triệu đồng)", None),
        ("Mã số", "Mã số", None),
        ("m", "? m", None),
    ],
)
def test_units_are_proposed_from_names_of_columns(tmp_path, name, label, unit):
    path = tmp_path / "a.csv"
    path.write_text(f'ma,"{name}"\na,1.5\nb,2.25\n', encoding="utf-8")
    (field,) = drafted(path, tmp_path).fields.values()
    assert (field.label.vi, field.label.en, field.unit) == (label, f"? {label.strip('? ')}", unit)


LONG = "ma,so,ngay,gio,ten,ma_vung\n" + "".join(
    f"{n},{n}.5,{n % 28 + 1:02}/09/2025,2025-09-01,a{n},0{n}\n" for n in range(40)
)


@pytest.mark.parametrize(
    ("last", "types"),
    [
        ("", ["number", "date", "date", "text", "text"]),
        ("x,1.5,13/09/2025,2025-09-01,a,01\n", ["number", "date", "date", "text", "text"]),
        ("x,cao,13/09/2025,2025-09-01 10:30,a,01\n", ["text", "date", "datetime", "text", "text"]),
        ('x,"1,5",09/13/2025,2025-09-01,a,x\n', ["text", "text", "date", "text", "text"]),
    ],
)
def test_the_last_record_of_a_large_file_proves_as_much_as_the_first(
    tmp_path, monkeypatch, last, types
):
    path = tmp_path / "a.csv"
    path.write_text(LONG + last, encoding="utf-8")
    whole = drafted(path, tmp_path)
    layer = drafted_in_parts(path, tmp_path, monkeypatch)
    assert [field.type.value for field in layer.fields.values()] == types
    assert layer.fields == whole.fields
    assert layer.source == whole.source
    assert layer.source.key == "ma"


def drafted_in_parts(path, folder, monkeypatch):
    monkeypatch.setattr(chunks, "STREAMED_FROM_BYTES", 0)
    parts = open_chunks(path, rows=7)
    assert parts.whole is None
    name, text = draft_layer(parts)
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return read_layer(folder / f"{name}.yaml")


def test_a_key_that_comes_again_late_in_a_large_file_is_none(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text(LONG + "3,1.5,13/09/2025,2025-09-01,z,01\n", encoding="utf-8")
    whole = drafted(path, tmp_path)
    assert drafted_in_parts(path, tmp_path, monkeypatch).source.key == whole.source.key == "ten"


def test_a_number_of_the_row_is_the_key_only_where_nothing_else_is(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("STT,Tên,Xã\n1,Chợ,A\n2,Chợ,B\n3,Bến,A\n", encoding="utf-8")
    assert drafted(path, tmp_path).source.key == ("Tên", "Xã")
    path.write_text("STT,Tên\n1,Chợ\n2,Chợ\n", encoding="utf-8")
    assert drafted(path, tmp_path).source.key == "STT"


def test_what_is_nearly_a_number_or_a_date_is_said(tmp_path):
    path = tmp_path / "sai.csv"
    path.write_text(WRONG_ROWS, encoding="utf-8")
    layer = drafted(path, tmp_path)
    head = (tmp_path / "sai.yaml").read_text(encoding="utf-8").split("id:")[0]
    assert "# Cao độ m: 9/10 giá trị là số;" in head
    assert "# Ngày: 9/10 giá trị là ngày;" in head
    assert (layer.source.time.column, layer.source.time.format) == ("Ngày", "%d/%m/%Y")
    assert (layer.source.coordinates.x, layer.source.coordinates.y) == ("Kinh độ", "Vĩ độ")
