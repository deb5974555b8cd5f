"""Reader of files of records: tables of text as in the file, with the line of each record.

Formats: CSV, TSV and other delimited text (also .gz); GeoJSON, GeoJSON sequences and NDJSON;
spreadsheets (gis.intake.sheets); the formats of GIS programs (gis.intake.geofiles); extracts of
GeoNames and OpenStreetMap (gis.intake.extracts); and zip archives of one of these. All values are
text in NFC; `notes` list the conversions that this needed. A child process reads binary formats,
within bounds.
"""

import gzip
import hashlib
import io
import re
import tempfile
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from itertools import chain
from pathlib import Path, PurePosixPath

import numpy as np
import shapely
from numpy.typing import NDArray

from gis.errors import AmbiguousInput, BadFile
from gis.intake import extracts, geofiles, geojson, sheets
from gis.intake.archives import data_members, open_archive, take_out
from gis.intake.choice import choose_table
from gis.intake.confined import run_confined
from gis.intake.delimited import parse_delimited
from gis.intake.encodings import Decoded, EncodingNote, decode_columns, decode_file
from gis.intake.layout import FOUND, MAX_COLUMNS, Layout, LayoutNote
from gis.text import search_key

DELIMITED = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
SEQUENCES = (".geojsonl", ".geojsons", ".ndjson", ".jsonl")
GEOJSON = (".geojson", ".json", ".geojson.gz", *SEQUENCES, *(f"{each}.gz" for each in SEQUENCES))
ARCHIVES = (".zip", ".kmz")
FORMATS = (*DELIMITED, *GEOJSON, *sheets.SUFFIXES, *geofiles.FORMATS)
_PACKED = tuple(each for each in FORMATS if ".txt" not in each)  # a readme is no table
_NAMES = ", ".join(dict.fromkeys(chain(FORMATS, ARCHIVES)))
_DBF_NAME = 10
ERROR_VALUES = frozenset(
    {"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#SPILL!", "#CALC!"}
    | {f"Err:{number}" for number in range(501, 541)}  # as LibreOffice shows others
)
MAX_UNPACKED_BYTES = 2**30
_MAX_TEXT_BYTES = 2**30
_CONFINED_FROM_BYTES = 4 * 2**20
_WEB_PAGE = re.compile(rb"\s*<(!doctype|html|\?xml)", re.IGNORECASE)
_BINARY = {
    b"PK\x03\x04": "ZIP/XLSX",
    b"%PDF": "PDF",
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"\xd0\xcf\x11\xe0": "XLS",
    b"SQLite format 3": "SQLite/GeoPackage",
}

type Note = EncodingNote | LayoutNote


@dataclass(frozen=True, slots=True)
class RawTable:
    """n records as text.

    `cells` holds n values for each of `columns`, in NFC, "" where the file has nothing; `lines`
    are the 1-based lines of the records (of a GeoJSON or a binary format: their numbers).
    `geometry` holds n shapely geometries or None, in the axis order x (east), y (north), of a
    format that has them, and `crs` the CRS that the file declares: `EPSG:…` or WKT. `unread` has,
    by 0-based row, the text of each geometry that could not be read, `faults` what is wrong with a
    record as such, such as its number of fields. `letters` are those by which a spreadsheet names
    its columns. `short_names`: the format keeps ten characters of
    each column's name.
    """

    name: str
    sha256: str
    columns: tuple[str, ...]
    cells: dict[str, list[str]]
    lines: Sequence[int]
    notes: tuple[Note, ...] = ()
    geometry: NDArray[np.object_] | None = None
    crs: str | None = None
    unread: Mapping[int, str] = field(default_factory=dict)
    faults: Mapping[int, str] = field(default_factory=dict)
    letters: Mapping[str, str] = field(default_factory=dict)
    short_names: bool = False

    def __len__(self) -> int:
        return len(self.lines)

    def __getitem__(self, column: str) -> list[str]:
        return self.cells[column]

    def value_faults(self, columns: Iterable[str]) -> Iterator[tuple[int, str]]:
        """The rows of errors of a spreadsheet, such as #N/A, in these columns, and what they are.

        A table that was exported from one has them as text.
        """
        for column in columns:
            values = self.cells.get(column, ())
            if ERROR_VALUES.isdisjoint(values):
                continue
            for row in (row for row, value in enumerate(values) if value in ERROR_VALUES):
                cell = f" {self.letters[column]}{self.lines[row]}" if column in self.letters else ""
                why = (
                    f"ô{cell} có lỗi {values[row]} của bảng tính; hãy ghi giá trị / the cell{cell} "
                    f"holds an error of a spreadsheet, {values[row]}; write the value"
                )
                yield row, f"{column}: {why}"

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


def read_table(
    path: Path, *, encoding: str | None = None, table: str | None = None, layout: Layout = FOUND
) -> RawTable:
    """All records of a file.

    `encoding` answers a question about the encoding of the file's text (one of
    `gis.intake.encodings.ENCODINGS`), `table` names one of several in a workbook, GeoPackage or
    zip, `layout` says where the names of columns and the footer are, and how fields are divided.
    Raises BadFile, naming file
    and line, when the file has not the format of its name, and AmbiguousInput when its text has
    more than one reading or it holds several tables.
    """
    if not path.is_file():
        raise BadFile(f"không có tệp {path} / there is no file {path}")
    try:
        read = _read(path, encoding, table, layout)
        sha256 = _sha256(path)
    except (BadFile, AmbiguousInput) as error:
        error.args = (f"{path.name}: {error}",)
        raise
    return replace(read, name=path.name, sha256=sha256)


def require_whole_records(table: RawTable) -> None:
    """Raises BadFile where a record is not whole, for callers who take all records or none."""
    for row, fault in table.faults.items():
        raise BadFile(f"{table.name}: dòng / line {table.lines[row]}: {fault}")


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
    if not table.short_names:
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


def _read(path: Path, encoding: str | None, table: str | None, layout: Layout) -> RawTable:
    name = path.name.lower()
    if path.is_file() and not path.stat().st_size:
        raise BadFile("tệp trống / the file is empty")
    if name.endswith(extracts.OSM) and table in (None, *extracts.OSM_TABLES):
        return _extract(_openstreetmap(path, table))
    if name.endswith(ARCHIVES):
        return _archived(path, encoding, table, layout)
    if name.endswith(DELIMITED):
        return _delimited(_unzipped(_content(path), name), encoding, layout)
    if name.endswith(GEOJSON):
        sequence = name.removesuffix(".gz").endswith(SEQUENCES)
        return _json(_unzipped(_content(path), name), encoding, sequence=sequence)
    if name.endswith(sheets.SUFFIXES):
        return _sheet(path, table, layout)
    if geofiles.geo_suffix(name):
        return _geofile(path, encoding, table)
    raise _unknown_format(path)


def _archived(path: Path, encoding: str | None, table: str | None, layout: Layout) -> RawTable:
    """The only table of a zip archive, or `table`: a member, or `member:table` in a member."""
    with open_archive(path) as archive, tempfile.TemporaryDirectory() as folder:
        members = data_members(archive, _PACKED, geofiles.FOLDERS)
        main = [name for name in members if name.lower() == "doc.kml"]
        members = main if path.suffix.lower() == ".kmz" and main else members
        if not members:
            raise BadFile(f"zip có 0 tệp đọc được / the zip holds 0 files that are read; {_NAMES}")
        member, inner = _chosen_member(members, table)
        taken = take_out(archive, member, Path(folder))
        try:
            return _read(taken, encoding, inner, layout)
        except AmbiguousInput as question:
            if len(members) == 1 or "--table" not in str(question):
                raise
            raise AmbiguousInput(
                str(question).replace("“", f"“{member}:") + f" (trong / in {member})"
            ) from None


def _chosen_member(members: Sequence[str], table: str | None) -> tuple[str, str | None]:
    if table is None or len(members) == 1:
        inner = None if table in members or table == _stem(members[0]) else table
        return choose_table(members, None), inner
    member, _, inner = table.partition(":")
    by_stem = {_stem(each): each for each in reversed(members)}
    return choose_table(members, by_stem.get(member, member)), inner or None


def _stem(member: str) -> str:
    return str(PurePosixPath(member).with_suffix(""))


def _content(path: Path) -> bytes:
    """The bytes of a file that stays as it is while it is read."""
    size = path.stat().st_size
    if size > _MAX_TEXT_BYTES:
        raise BadFile("lớn hơn 1 GiB; hãy chia nhỏ / is larger than 1 GiB; split it")
    with path.open("rb") as file:
        content = file.read(size + 1)
    if len(content) != size or path.stat().st_size != size:
        raise BadFile(
            "tệp đang được ghi; hãy đợi ghi xong rồi nạp lại / "
            "is being written; wait until it is complete and load it again"
        )
    return content


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _table(
    decoded: Decoded,
    lines: Sequence[int],
    geometry: NDArray[np.object_] | None = None,
    crs: str | None = None,
) -> RawTable:
    if len(decoded.columns) > MAX_COLUMNS:
        raise BadFile(
            f"có {len(decoded.columns)} cột, nhiều nhất {MAX_COLUMNS} / holds "
            f"{len(decoded.columns)} columns, at most {MAX_COLUMNS} are read"
        )
    if any("\0" in name for name in decoded.columns):
        raise BadFile("tên cột có byte NUL / a column's name holds a NUL byte")
    if len(decoded.cells) < len(decoded.columns):
        repeated = next(column for column in decoded.columns if decoded.columns.count(column) > 1)
        raise BadFile(
            f"hai cột cùng tên “{repeated}”; hãy đặt tên khác nhau / "
            f"two columns are named “{repeated}”; give each column a name of its own"
        )
    table = RawTable("", "", decoded.columns, decoded.cells, lines, decoded.notes, geometry, crs)
    return replace(table, faults=nul_faults(table))


def nul_faults(table: RawTable) -> dict[int, str]:
    """Faults of records with a NUL, which no database keeps; it is shown as ␀ from here on."""
    faults = {}
    for column, cells in table.cells.items():
        for row, value in enumerate(cells):
            if "\0" in value:
                cells[row] = value.replace("\0", "␀")
                faults[row] = f"{column}: có byte NUL / holds a NUL byte, which text does not hold"
    return faults


def _unzipped(content: bytes, name: str) -> bytes:
    if not name.endswith(".gz"):
        return content
    try:
        with gzip.open(io.BytesIO(content)) as file:
            plain = file.read(MAX_UNPACKED_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise BadFile(
            "không giải nén được gzip; hãy nén lại bằng gzip / "
            f"is no complete gzip file ({error}); compress it again with gzip"
        ) from None
    if len(plain) > MAX_UNPACKED_BYTES:
        raise BadFile("giải nén ra quá 1 GiB; hãy chia nhỏ / unpacks to more than 1 GiB; split it")
    return plain


def _delimited(content: bytes, encoding: str | None, layout: Layout) -> RawTable:
    refuse_other_kinds(content)
    text, decoded = decode_file(content)
    if extracts.is_geonames(text):
        return _extract(extracts.read_geonames(text))
    parsed = parse_delimited(text, layout)
    decoded_columns = decode_columns(
        parsed.header, parsed.cells, decoded=decoded, encoding=encoding
    )
    table = _table(decoded_columns, parsed.lines)
    return replace(
        table, notes=(*parsed.notes, *table.notes), faults={**table.faults, **parsed.faults}
    )


def _json(content: bytes, encoding: str | None, *, sequence: bool) -> RawTable:
    """GeoJSON or a sequence; of a large one, which may take fifty times its size, in a child."""
    if len(content) < _CONFINED_FROM_BYTES:
        document = geojson.parse_geojson(content, sequence=sequence)
    else:
        with tempfile.NamedTemporaryFile() as copy:
            copy.write(content)
            copy.flush()
            plain = run_confined(geojson.read_plain, copy.name, sequence, size=len(content))
        document = geojson.from_plain(plain)
    decoded = decode_columns(document.columns, document.cells, decoded=True, encoding=encoding)
    table = _table(decoded, document.lines, document.geometry, document.crs)
    return replace(table, unread=document.unread, faults={**table.faults, **document.faults})


def _sheet(path: Path, table: str | None, layout: Layout) -> RawTable:
    sheet = sheets.read_sheet(path, table, layout)
    read = _table(decode_columns(sheet.columns, sheet.cells, decoded=True), sheet.lines)
    notes, faults = (*sheet.notes, *read.notes), {**read.faults, **sheet.faults}
    letters = {unicodedata.normalize("NFC", name): each for name, each in sheet.letters.items()}
    return replace(read, notes=notes, faults=faults, letters=letters)


def _geofile(path: Path, encoding: str | None, table: str | None) -> RawTable:
    file = geofiles.read_geofile(path, table)
    decoded = decode_columns(file.columns, file.cells, decoded=file.decoded, encoding=encoding)
    read = _table(decoded, file.lines, file.geometry, file.crs)
    return replace(read, unread=file.unread, short_names=path.suffix.lower() == ".shp")


def _openstreetmap(path: Path, table: str | None) -> extracts.Extract:
    """The named things of one kind; of which, is asked. Other tables are those of GDAL."""
    with geofiles.plain_source(path) as source:
        if table is None:
            return extracts.read_osm(source, table)
        plain = run_confined(extracts.read_plain, str(source), table, size=path.stat().st_size)
        return extracts.from_plain(plain)


def _extract(extract: extracts.Extract) -> RawTable:
    crs = None if extract.geometry is None else "EPSG:4326"
    numbers = range(1, len(extract) + 1)
    columns = tuple(extract.cells)
    return RawTable("", "", columns, extract.cells, numbers, geometry=extract.geometry, crs=crs)


def refuse_other_kinds(content: bytes) -> None:
    """Raises BadFile for the beginning of a file that is no text, or a web page."""
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


def _unknown_format(path: Path) -> BadFile:
    return BadFile(
        f"không đọc định dạng “{path.suffix}”; đọc được / "
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
