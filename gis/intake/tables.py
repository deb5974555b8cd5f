"""Reader of files of records: tables of text as in the file, with the line of each record.

Formats: CSV, TSV and other delimited text (also .gz), GeoJSON, GeoPackage, Shapefile (also in a
zip), XLSX. All values are text in NFC; `notes` list the conversions that this needed.
"""

import gzip
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.errors import AmbiguousInput, BadFile
from gis.intake import geofiles, geojson
from gis.intake.delimited import parse_delimited
from gis.intake.encodings import Decoded, EncodingNote, decode_columns, decode_file
from gis.text import search_key

DELIMITED = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
GEOJSON = (".geojson", ".json", ".geojson.gz")
GDAL = (".gpkg", ".shp", ".zip", ".xlsx")
_SHAPEFILES, _DBF_NAME = (".shp", ".zip"), 10
_NAMES = ".csv, .tsv, .txt, .csv.gz, .geojson, .gpkg, .shp, .zip (shapefile), .xlsx"
_MAX_UNPACKED_BYTES = 2**30
_WEB_PAGE = re.compile(rb"\s*<(!doctype|html|\?xml)", re.IGNORECASE)
_BINARY = {
    b"PK\x03\x04": "ZIP/XLSX",
    b"%PDF": "PDF",
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"\xd0\xcf\x11\xe0": "XLS",
    b"SQLite format 3": "SQLite/GeoPackage",
}


@dataclass(frozen=True, slots=True)
class RawTable:
    """n records as text.

    `cells` holds n values for each of `columns`, in NFC, "" where the file has nothing; `lines`
    are the 1-based lines of the records (of a GeoJSON or a binary format: their numbers).
    `geometry` holds n shapely geometries or None, in the axis order x (east), y (north), of a
    format that has them, and `crs` the CRS that the file declares: `EPSG:…` or WKT. `unread` has,
    by 0-based row, the text of each geometry that could not be read.
    """

    name: str
    sha256: str
    columns: tuple[str, ...]
    cells: dict[str, list[str]]
    lines: Sequence[int]
    notes: tuple[EncodingNote, ...] = ()
    geometry: NDArray[np.object_] | None = None
    crs: str | None = None
    unread: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, column: str) -> list[str]:
        return self.cells[column]

    def row(self, i: int) -> dict[str, str]:
        """The i-th record."""
        return {column: self.cells[column][i] for column in self.columns}

    def rows(self) -> Iterator[dict[str, str]]:
        for values in zip(*(self.cells[column] for column in self.columns), strict=True):
            yield dict(zip(self.columns, values, strict=True))

    @property
    def points(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """x and y of the geometries that are one point, NaN of others; None without geometry."""
        if self.geometry is None:
            return None
        single = shapely.get_num_geometries(self.geometry) == 1
        points = np.where(single, shapely.get_geometry(self.geometry, 0), None)
        return shapely.get_x(points), shapely.get_y(points)


def read_table(path: Path, *, encoding: str | None = None, table: str | None = None) -> RawTable:
    """All records of a file.

    `encoding` answers a question about the encoding of the file's text (one of
    `gis.intake.encodings.ENCODINGS`), `table` names one of several in a GeoPackage or workbook.
    Raises BadFile, naming file and line, when the file has not the format of its name, and
    AmbiguousInput when its text has more than one reading or it holds several tables.
    """
    if not path.is_file():
        raise BadFile(f"không có tệp {path} / there is no file {path}")
    try:
        return _read(path, encoding, table)
    except (BadFile, AmbiguousInput) as error:
        error.args = (f"{path.name}: {error}",)
        raise


def require_columns(table: RawTable, names: Iterable[str]) -> None:
    """Raises BadFile when a column is missing; it names columns with similar names."""
    missing = [name for name in names if name not in table.cells]
    if missing:
        faults = "; ".join(_missing_column(name, table.columns) for name in missing)
        columns = ", ".join(f"“{column}”" for column in table.columns)
        raise BadFile(f"{table.name}: {faults}. Các cột có / columns are: {columns}")


def restore_full_names(table: RawTable, names: Iterable[str]) -> RawTable:
    """A shapefile's table with full names of columns: DBF keeps ten characters of each.

    `names` are the full names to restore; a name is restored when no other begins alike.
    """
    if not table.name.lower().endswith(_SHAPEFILES):
        return table
    cut: dict[str, list[str]] = {}
    for name in names:
        cut.setdefault(name[:_DBF_NAME], []).append(name)
    full = {
        column: cut[column][0]
        for column in table.columns
        if len(cut.get(column, ())) == 1 and cut[column][0] not in table.columns
    }
    return replace(
        table,
        columns=tuple(full.get(column, column) for column in table.columns),
        cells={full.get(column, column): cells for column, cells in table.cells.items()},
    )


def _read(path: Path, encoding: str | None, table: str | None) -> RawTable:
    content = path.read_bytes()
    if not content:
        raise BadFile("tệp trống / the file is empty")
    sha256 = hashlib.sha256(content).hexdigest()
    name = path.name.lower()
    if name.endswith(DELIMITED):
        return _delimited(path.name, sha256, _unzipped(content, name), encoding)
    if name.endswith(GEOJSON):
        return _geojson(path.name, sha256, _unzipped(content, name), encoding)
    if name.endswith(GDAL):
        return _geofile(path, sha256, encoding, table)
    raise _unknown_format(path)


def _table(
    name: str,
    sha256: str,
    decoded: Decoded,
    lines: Sequence[int],
    geometry: NDArray[np.object_] | None = None,
    crs: str | None = None,
) -> RawTable:
    if len(decoded.cells) < len(decoded.columns):
        repeated = next(column for column in decoded.columns if decoded.columns.count(column) > 1)
        raise BadFile(
            f"hai cột cùng tên “{repeated}”; hãy đặt tên khác nhau / "
            f"two columns are named “{repeated}”; give each column a name of its own"
        )
    return RawTable(
        name, sha256, decoded.columns, decoded.cells, lines, decoded.notes, geometry, crs
    )


def _unzipped(content: bytes, name: str) -> bytes:
    if not name.endswith(".gz"):
        return content
    try:
        with gzip.open(io.BytesIO(content)) as file:
            plain = file.read(_MAX_UNPACKED_BYTES + 1)
    except (OSError, EOFError) as error:
        raise BadFile(
            "không giải nén được gzip; hãy nén lại bằng gzip / "
            f"is no complete gzip file ({error}); compress it again with gzip"
        ) from None
    if len(plain) > _MAX_UNPACKED_BYTES:
        raise BadFile("giải nén ra quá 1 GiB; hãy chia nhỏ / unpacks to more than 1 GiB; split it")
    return plain


def _delimited(name: str, sha256: str, content: bytes, encoding: str | None) -> RawTable:
    _refuse_other_kinds(content)
    text, decoded = decode_file(content)
    _refuse_nul(text)
    parsed = parse_delimited(text)
    decoded_columns = decode_columns(
        parsed.header, parsed.cells, decoded=decoded, encoding=encoding
    )
    return _table(name, sha256, decoded_columns, parsed.lines)


def _geojson(name: str, sha256: str, content: bytes, encoding: str | None) -> RawTable:
    document = geojson.parse_geojson(content)
    decoded = decode_columns(document.columns, document.cells, decoded=True, encoding=encoding)
    numbers = range(1, len(document.geometry) + 1)
    table = _table(name, sha256, decoded, numbers, document.geometry, document.crs)
    return replace(table, unread=document.unread)


def _geofile(path: Path, sha256: str, encoding: str | None, table: str | None) -> RawTable:
    file = geofiles.read_geofile(path, table)
    decoded = decode_columns(file.columns, file.cells, decoded=file.decoded, encoding=encoding)
    return _table(path.name, sha256, decoded, file.lines, file.geometry, file.crs)


def _refuse_other_kinds(content: bytes) -> None:
    if _WEB_PAGE.match(content):
        raise BadFile(
            "là trang web hoặc XML, không phải bảng; hãy tải lại tệp dữ liệu / "
            "is a web page or XML and no table; download the data itself again"
        )
    for start, kind in _BINARY.items():
        if content.startswith(start):
            raise BadFile(
                f"là tệp {kind}, không phải văn bản; hãy lưu thành CSV UTF-8 hoặc sửa đuôi tệp / "
                f"is a {kind} file and no text; save it as CSV in UTF-8, or mend its extension"
            )


def _refuse_nul(text: str) -> None:
    at = text.find("\0")
    if at >= 0:
        line = text.count("\n", 0, at) + 1
        raise BadFile(
            f"dòng {line}: có byte NUL (0x00), văn bản không chứa; hãy lưu lại thành CSV UTF-8 / "
            f"line {line}: a NUL byte (0x00), which text does not hold; "
            "save the file again as CSV in UTF-8"
        )


def _unknown_format(path: Path) -> BadFile:
    hint = {
        ".xls": "lưu thành .xlsx / save it as .xlsx",
        ".tab": "xuất sang GeoPackage / export it to GeoPackage",
        ".kml": "xuất sang GeoPackage / export it to GeoPackage",
    }.get(path.suffix.lower(), "dùng / use")
    return BadFile(
        f"không đọc định dạng “{path.suffix}”; {hint}; đọc được / "
        f"the format “{path.suffix}” is not read; read are: {_NAMES}"
    )


def _missing_column(name: str, columns: Sequence[str]) -> str:
    similar = near_names(name, columns)
    if not similar:
        return f"không có cột “{name}” / there is no column “{name}”"
    guess = " / ".join(f"“{column}”" for column in similar)
    return f"không có cột “{name}” / there is no column “{name}”; ý là / meant may be {guess}"


def near_names(name: str, columns: Sequence[str]) -> list[str]:
    """At most three columns whose names are nearly the same, without case and diacritics."""
    keys = {column_key(column): column for column in columns}
    return [keys[key] for key in get_close_matches(column_key(name), list(keys), n=3, cutoff=0.6)]


def column_key(name: str) -> str:
    """The name without case, diacritics and punctuation."""
    return re.sub(r"[\W_]+", " ", search_key(name)).strip()
