"""Files made to take the service down, or to lead it elsewhere, are refused within bounds."""

import gzip
import os
import resource
import stat
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gis.errors import BadFile
from gis.intake import confined
from gis.intake.confined import run_confined
from gis.intake.tables import read_table
from tests.workbooks import write_xlsx

_SECONDS, _MEGABYTES = 60, 150
FILES = Path(__file__).parents[2] / "fixtures" / "intake"
LAUGHS = "<!DOCTYPE x [<!ENTITY a 'haha'>" + "".join(
    f"<!ENTITY {chr(98 + i)} '{f'&{chr(97 + i)};' * 10}'>" for i in range(10)
) + "]>"  # fmt: skip
KML = '<kml xmlns="http://www.opengis.net/kml/2.2"><Document><name>&k;</name></Document></kml>'
NETWORK = (
    '<gml:FeatureCollection xmlns:gml="http://www.opengis.net/gml" xmlns:xsi='
    '"http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://a {url}">'
    "<gml:featureMember><a><x>1</x></a></gml:featureMember></gml:FeatureCollection>"
)


@contextmanager
def within_bounds() -> Iterator[None]:
    """Neither long nor large, here and in children that are done."""
    begin, memory = time.monotonic(), _peak()
    yield
    assert time.monotonic() - begin < _SECONDS
    assert _peak() - memory < _MEGABYTES


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def refused(path: Path) -> str:
    with within_bounds(), pytest.raises(BadFile) as caught:
        read_table(path)
    assert str(caught.value).startswith(path.name)
    return str(caught.value)


def text_file(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def zipped(path: Path, members: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def bomb(path: Path, name: str, *, gigabytes: int, start: bytes = b"") -> Path:
    """A member that unpacks to gigabytes of zeros or spaces, from a few megabytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open(name, "w", force_zip64=True) as member:
            member.write(start)
        info = archive.getinfo(name)
        info.file_size = gigabytes * 2**30  # as it says of itself; no need to pack as much
    return path


def test_entities_that_grow_are_refused(tmp_path: Path) -> None:
    for name in ("a.kml", "a.gml", "a.gpx", "a.osm"):
        assert "DOCTYPE" in refused(
            text_file(tmp_path / name, f"<?xml version='1.0'?>{LAUGHS}{KML}")
        )
    in_16_bits = tmp_path / "b.kml"
    in_16_bits.write_bytes(
        (f"<?xml version='1.0' encoding='utf-16'?>{LAUGHS}{KML}").encode("utf-16")
    )
    assert "DOCTYPE" in refused(in_16_bits)
    assert "DOCTYPE" in refused(zipped(tmp_path / "a.kmz", {"doc.kml": LAUGHS + KML}))


def test_entities_in_a_workbook_are_refused(tmp_path: Path) -> None:
    sheet = f'<?xml version="1.0"?>{LAUGHS}<worksheet><sheetData/></worksheet>'
    path = write_xlsx(
        tmp_path / "a.xlsx", {"S": [["a"], [1]]}, parts={"xl/worksheets/sheet1.xml": sheet}
    )
    assert "DOCTYPE" in refused(path)


def test_archives_that_unpack_to_gigabytes_are_refused(tmp_path: Path) -> None:
    assert "4 GiB" in refused(bomb(tmp_path / "a.zip", "a.csv", gigabytes=5))
    assert "4 GiB" in refused(bomb(tmp_path / "a.kmz", "doc.kml", gigabytes=5))
    assert "1 GiB" in refused(bomb(tmp_path / "a.xlsx", "xl/worksheets/sheet1.xml", gigabytes=2))
    assert "1 GiB" in refused(bomb(tmp_path / "a.ods", "content.xml", gigabytes=2))


def test_a_member_that_is_larger_than_it_says_gives_no_more(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.csv": "a,b\n" + "1,2\n" * 100_000})
    content = path.read_bytes().replace(
        len("a,b\n" + "1,2\n" * 100_000).to_bytes(4, "little"), (8).to_bytes(4, "little")
    )
    path.write_bytes(content)
    assert "zip" in refused(path)


def test_a_gzip_that_unpacks_to_gigabytes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gis.intake.tables.MAX_UNPACKED_BYTES", 2**20)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 2**20))
    assert "1 GiB" in refused(tmp_path / "a.csv.gz")


@pytest.mark.parametrize(
    "name", ["../a.csv", "/etc/a.csv", "b/../../a.csv", "C:\\a.csv", "..\\a.csv", "\\a.csv"]
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        member = zipfile.ZipInfo("x")
        member.filename = name
        archive.writestr(member, "a,b\n1,2\n")
    assert "leads elsewhere" in refused(path)
    assert sorted(tmp_path.parent.glob("a.csv")) == []


def test_links_locked_members_and_archives_in_archives_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("a.csv")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert "a link" in refused(tmp_path / "link.zip")
    locked = zipped(tmp_path / "locked.zip", {"a.csv": "a,b\n1,2\n"})
    content = bytearray(locked.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    locked.write_bytes(content)
    assert "password" in refused(locked)
    inner = zipped(tmp_path / "inner.zip", {"a.csv": "a,b\n1,2\n"}).read_bytes()
    assert "zip in the zip" in refused(zipped(tmp_path / "outer.zip", {"inner.zip": inner}))
    assert "10000" in refused(
        zipped(tmp_path / "many.zip", {f"{i}.csv": "" for i in range(10_001)})
    )


@pytest.mark.parametrize(
    "name",
    ["/vsizip/a.zip/a.csv", "/vsicurl/http://127.0.0.1/a.gpkg", "http://127.0.0.1:9/a.gpkg",
     "s3://a/a.parquet", "/vsistdin/", "/dev/zero", "/proc/self/environ", "zip:///etc/a.shp", "."],
)  # fmt: skip
def test_names_that_libraries_give_a_meaning_to_are_files_or_nothing(name: str) -> None:
    with within_bounds(), pytest.raises(BadFile, match=r"there is no file|is not read|is empty"):
        read_table(Path(name))


def test_no_file_makes_the_reader_ask_the_network(tmp_path: Path) -> None:
    """Neither a schema that GML names, nor a driver that takes another's name."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a.xsd"
        text_file(tmp_path / "a.gml", NETWORK.replace("{url}", url))
        read_table(tmp_path / "a.gml")
        vrt = f"<OGRVRTDataSource><OGRVRTLayer name='a'><SrcDataSource>/vsicurl/{url}"
        vrt += "</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>"
        for name in ("a.kml", "a.gpkg", "a.fgb", "b.gml", "a.dxf", "a.osm.pbf"):
            refused(text_file(tmp_path / name, vrt))
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_mapinfo_table_of_other_tables_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.dat").write_bytes(b"x")
    for text in (
        '!table\nOpen Table "/etc/x" Hide\nCreate View a As Select *',
        "!table\nDefinition Table\n  Type LINKED",
    ):
        assert "refers to other tables" in refused(text_file(tmp_path / "a.tab", text))


def test_a_million_columns_are_refused(tmp_path: Path) -> None:
    names = ",".join(f"c{i}" for i in range(1_000_000))
    assert "1000000 columns" in refused(text_file(tmp_path / "a.csv", f"{names}\n{names}\n"))
    objects = "{" + ",".join(f'"c{i}":1' for i in range(5_000)) + "}"
    assert "5000 columns" in refused(text_file(tmp_path / "a.ndjson", objects))


def test_a_line_without_end_is_refused(tmp_path: Path) -> None:
    assert "not closed" in refused(text_file(tmp_path / "a.csv", 'a,b\n1,"' + "x" * (17 * 2**20)))
    nested = '{"type": "FeatureCollection", "features": ' + "[" * 100_000
    assert "no valid JSON" in refused(text_file(tmp_path / "a.geojson", nested))


def test_large_json_is_read_as_small_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = [read_table(FILES / name) for name in ("seq.geojson", "unclosed.geojson")]
    monkeypatch.setattr("gis.intake.tables._CONFINED_FROM_BYTES", 0)
    for whole, name in zip(small, ("seq.geojson", "unclosed.geojson"), strict=True):
        large = read_table(FILES / name)
        assert (large.cells, large.crs, large.unread) == (whole.cells, whole.crs, whole.unread)
        assert list(large.lines) == list(whole.lines)
        assert large.geometry is not None and whole.geometry is not None
        assert large.geometry.tolist() == whole.geometry.tolist()


def test_a_sheet_that_spans_the_whole_grid_is_refused(tmp_path: Path) -> None:
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    sheet = (
        f'<worksheet xmlns="{main}"><sheetData><row r="1"><c r="A1"><v>1</v></c></row>'
        '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData></worksheet>'
    )
    path = write_xlsx(
        tmp_path / "a.xlsx", {"S": [["a"]]}, parts={"xl/worksheets/sheet1.xml": sheet}
    )
    assert refused(path)


def test_a_file_that_grows_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = text_file(tmp_path / "a.csv", "a,b\n1,2\n")
    opened = Path.open

    def grow(self: Path, *arguments: str) -> object:
        with opened(path, "a") as file:
            file.write("3,4\n")
        return opened(self, *arguments)

    monkeypatch.setattr(Path, "open", grow)
    assert "is being written" in refused(path)


def eat_memory() -> list[str]:
    return [str(i) * 100 for i in range(10**9)]


def eat_time() -> None:
    while True:
        pass


def die() -> None:
    os.abort()


def tell_secrets() -> list[str]:
    return list(os.environ)


def fail() -> None:
    raise KeyError("x")


def give_an_object() -> object:
    return Path("/etc")


@pytest.fixture
def small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confined, "_SECONDS", 1)
    monkeypatch.setattr(confined, "_MEMORY_BYTES", 300 * 2**20)


@pytest.mark.usefixtures("small_bounds")
@pytest.mark.parametrize("function", [eat_memory, eat_time, die, fail, give_an_object])
def test_a_reader_that_goes_wrong_dies_alone(function: object) -> None:
    with within_bounds(), pytest.raises(BadFile):
        run_confined(function, size=0)  # type: ignore[arg-type]


def test_a_confined_reader_knows_no_setting_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIS_DATABASE_URL", "postgresql://a:secret@b/c")
    assert not any(name.startswith(("GIS_", "PG")) for name in run_confined(tell_secrets, size=0))
