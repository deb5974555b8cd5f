"""Reader of spreadsheets (.xlsx, .xlsm, .xls, .xlsb, .ods): one sheet as columns of text.

calamine reads them in a child process (see gis.intake.confined): numbers with all their digits,
times whatever their format, days since 1904. The value of vertically merged cells counts for each
of their rows.
"""

import io
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from xml.parsers import expat

from gis.errors import BadFile
from gis.intake.archives import BROKEN, check_members, open_archive
from gis.intake.biff import error_cells
from gis.intake.choice import choose_table
from gis.intake.confined import run_confined
from gis.intake.delimited import check_header, is_value, unnamed_value
from gis.intake.layout import (
    FOUND,
    HEAD_ROWS,
    TAIL_ROWS,
    Layout,
    LayoutNote,
    find_header,
    footer_start,
)
from gis.intake.texts import value_text
from gis.intake.xml_prolog import root_element

SUFFIXES = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
_ZIPPED = (".xlsx", ".xlsm", ".xlsb", ".ods")
_OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # of .xls, and of a locked .xlsx
_MAX_CELLS = 20_000_000
_MAX_PART_BYTES = 2**30

_EXACT_IN_DOUBLE = 2**53
_ERROR = b't="e"'
_PLACE = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_LONG = re.compile(r"-?\d{16,400}")

type Cells = dict[tuple[int, int], str]  # by 0-based row and column
type Range = tuple[int, int, int, int]  # first row, first column, last row, last column


@dataclass(frozen=True, slots=True)
class Sheet:
    """Cells column by column; `lines` are the row numbers that the spreadsheet shows.

    `faults` maps 0-based rows to what is wrong with them, `letters` columns to those by which the
    spreadsheet names them.
    """

    columns: list[str]
    cells: list[list[str]]
    lines: Sequence[int]
    notes: tuple[LayoutNote, ...]
    faults: dict[int, str]
    letters: dict[str, str]


def read_sheet(path: Path, table: str | None, layout: Layout = FOUND) -> Sheet:
    """All records of the workbook's only sheet that holds something and is shown, or of `table`.

    Raises BadFile; AmbiguousInput where several sheets hold something and none is named, or the
    header is not certain.
    """
    _require_workbook(path)
    raw = run_confined(read_by_calamine, str(path.resolve()), table, size=path.stat().st_size)
    rows, first_row = raw["rows"], raw["first_row"]
    filled = [i for i, row in enumerate(rows) if any(cell.strip() for cell in row)]
    if not filled:
        raise BadFile("trang tính trống / the sheet is empty")
    head = [rows[i] for i in filled[:HEAD_ROWS]]
    numbers = [first_row + i for i in filled]
    header = find_header(head, numbers[:HEAD_ROWS], layout, check_header, is_value)
    records, lines = filled[header.first_record :], numbers[header.first_record :]
    asked = layout.footer_rows
    tail = max(0, len(records) - (TAIL_ROWS if asked is None else max(TAIL_ROWS, asked)))
    start, note = footer_start(
        [rows[i] for i in records[tail:]], lines[tail:], header.width, layout, numbers[-1]
    )
    records, lines = records[: tail + start], lines[: tail + start]
    _fill_merged(rows, raw["merged"], set(records))
    faults = {
        row: unnamed_value(column)
        for row, i in enumerate(records)
        for column, cell in enumerate(rows[i])
        if cell and column not in header.columns and cell.strip()
    }
    cells = [[rows[i][column] for i in records] for column in header.columns]
    notes = (*header.notes, *([note] if note else []))
    names = [name.strip() for name in header.names]
    letters = [_letters(raw["first_column"] + column) for column in header.columns]
    by_name = dict(zip(names, letters, strict=True))
    return Sheet(names, cells, lines, notes, faults, by_name)


def _require_workbook(path: Path) -> None:
    """Raises BadFile for what is no workbook, is locked, or unpacks to more than is read."""
    with path.open("rb") as file:
        start = file.read(len(_OLD))
    if not path.name.lower().endswith(_ZIPPED):
        if start != _OLD and not start.startswith((b"\x09\x08", b"\x09\x04", b"\x09\x02", b"PK")):
            raise _no_workbook()
        return
    if start == _OLD:
        raise BadFile(
            "tệp có mật khẩu (hoặc là .xls); hãy bỏ mật khẩu và lưu lại / "
            "has a password (or is an .xls); take it off and save it again"
        )
    try:
        _check_parts(path)
    except BadFile as error:
        raise BadFile(f"{error} (sổ tính / workbook)") from None


def _check_parts(path: Path) -> None:
    """Raises BadFile where a part is too large or declares entities."""
    with open_archive(path) as archive:
        parts = archive.infolist()
        check_members(parts)
        large = next((part for part in parts if part.file_size > _MAX_PART_BYTES), None)
        if large is not None:
            raise BadFile(
                f"phần “{large.filename[:80]}” giải nén ra quá 1 GiB; hãy chia nhỏ / "
                "a part unpacks to more than 1 GiB; split it"
            )
        for part in parts:
            if part.filename.endswith((".xml", ".rels")):
                with archive.open(part) as file:
                    root_element(io.BytesIO(file.read(65_536)))


def _fill_merged(rows: list[list[str]], merged: Sequence[Range], records: set[int]) -> None:
    """Repeat the value of merged cells in each row of theirs that is a record."""
    for first, column, last, _ in merged:
        if last > first and 0 <= first < len(rows) and column < len(rows[first]):
            for row in range(first + 1, min(last + 1, len(rows))):
                if row in records and first in records:
                    rows[row][column] = rows[first][column]


# What follows runs in the child process.


def read_by_calamine(source: str, table: str | None) -> dict[str, Any]:
    """The rows of a sheet as plain values; raises as `read_sheet`."""
    import python_calamine

    try:
        workbook = python_calamine.CalamineWorkbook.from_path(source)
        sheet = _chosen_sheet(workbook, table)
        if sheet.height * sheet.width > _MAX_CELLS:
            raise BadFile(
                f"trang tính trải trên {sheet.height} × {sheet.width} ô; hãy xóa các dòng, cột "
                f"trống / the sheet spans {sheet.height} × {sheet.width} cells; delete its empty "
                "rows and columns"
            )
        values = sheet.to_python(skip_empty_area=True)
        if source.lower().endswith(".ods"):
            merged, errors = _of_open_document(source, sheet.name)
        else:
            merged, errors = [(*a, *b) for a, b in sheet.merged_cell_ranges or ()], {}
        _restore_text(source, sheet, values, errors)
    except python_calamine.PasswordError:
        raise BadFile("tệp có mật khẩu; hãy bỏ mật khẩu / has a password; take it off") from None
    except (python_calamine.CalamineError, OSError, ValueError, OverflowError) as error:
        raise BadFile(
            f"không đọc được: {str(error)[:300]}; hãy lưu lại bằng Excel hoặc LibreOffice / cannot "
            "be read; save it again with Excel or LibreOffice"
        ) from None
    top, left = sheet.start or (0, 0)
    columns = [_texts(column) for column in zip(*values, strict=True)]
    return {
        "rows": [list(row) for row in zip(*columns, strict=True)],
        "first_row": top + 1,
        "first_column": left,
        "merged": [[a - top, b - left, c - top, d - left] for a, b, c, d in merged],
    }


def _restore_text(source: str, sheet: Any, values: list[list[Any]], errors: Cells) -> None:
    """Put back as they are written what calamine does not give: whole numbers beyond 2^53, of
    which it makes doubles, and errors such as #N/A, which it leaves empty.
    """
    top, left = sheet.start or (0, 0)
    for (row, column), text in {**errors, **_written(source, sheet, values)}.items():
        if 0 <= row - top < len(values) and 0 <= column - left < len(values[0]):
            values[row - top][column - left] = text


def _written(source: str, sheet: Any, values: list[list[Any]]) -> Cells:
    if source.lower().endswith(".xls"):
        return error_cells(Path(source), sheet.name)
    if not source.lower().endswith((".xlsx", ".xlsm")):
        return {}
    large = any(
        type(value) is float and abs(value) >= _EXACT_IN_DOUBLE for row in values for value in row
    )
    with zipfile.ZipFile(source) as archive:
        part = _part_of(archive, sheet.name)
        if part is None or not (large or _holds_errors(archive, part)):
            return {}
        return _written_cells(archive, part)


def _holds_errors(archive: zipfile.ZipFile, part: str) -> bool:
    end = b""
    with archive.open(part) as file:
        while block := file.read(2**20):
            if _ERROR in end + block:
                return True
            end = block[-len(_ERROR) :]
    return False


def _written_cells(archive: zipfile.ZipFile, part: str) -> Cells:
    """Errors, and whole numbers of more than 15 digits, by 0-based row and column."""
    written: Cells = {}
    place, kind = "", "n"
    texts: list[str] | None = None

    def begin(tag: str, attributes: dict[str, str]) -> None:
        nonlocal place, kind, texts
        if tag == "c":
            place, kind = attributes.get("r", ""), attributes.get("t", "n")
        texts = [] if tag == "v" and kind in ("n", "e") else None

    def end(tag: str) -> None:
        nonlocal texts
        text, match = "".join(texts or ()), _PLACE.fullmatch(place)
        if tag == "v" and match and (kind == "e" or _LONG.fullmatch(text)):
            written[int(match[2]) - 1, _column_number(match[1])] = text
        texts = None

    def read(text: str) -> None:
        if texts is not None:
            texts.append(text)

    _parse(archive, part, begin, end, read)
    return written


def _part_of(archive: zipfile.ZipFile, name: str) -> str | None:
    """The part of a workbook that holds the sheet of this name."""
    sheets: dict[str, str] = {}
    targets: dict[str, str] = {}

    def begin(tag: str, attributes: dict[str, str]) -> None:
        if tag == "sheet":
            local = {key.rsplit(":", 1)[-1]: value for key, value in attributes.items()}
            sheets[local.get("name", "")] = local.get("id", "")
        elif tag == "Relationship":
            targets[attributes.get("Id", "")] = attributes.get("Target", "")

    for part in ("xl/workbook.xml", "xl/_rels/workbook.xml.rels"):
        if part in archive.namelist():
            _parse(archive, part, begin)
    target = targets.get(sheets.get(name, ""), "")
    part = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
    return part if part in archive.namelist() else None


def _parse(
    archive: zipfile.ZipFile,
    part: str,
    begin: Callable[[str, dict[str, str]], object],
    end: Callable[[str], object] = lambda tag: None,
    text: Callable[[str], object] = lambda text: None,
) -> None:
    """Parse a part, element by element, names without their prefix; raises BadFile."""
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda tag, given: begin(tag.rsplit(":", 1)[-1], given)
    parser.EndElementHandler = lambda tag: end(tag.rsplit(":", 1)[-1])
    parser.CharacterDataHandler = text
    try:
        with archive.open(part) as file:
            parser.ParseFile(file)
    except (expat.ExpatError, *BROKEN, KeyError) as error:
        raise BadFile(f"{part}: {error}") from None


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _texts(values: Sequence[Any]) -> list[str]:
    """The texts of a column; its days are times where one of them has a time of day.

    calamine gives midnight as a day.
    """
    timed = any(type(value) is datetime for value in values)
    return [
        value_text(datetime.combine(value, time()) if timed and type(value) is date else value)
        for value in values
    ]


def _chosen_sheet(workbook: Any, table: str | None) -> Any:
    """The sheet that is named, else the only one that is shown and holds something."""
    names = [about.name for about in workbook.sheets_metadata if _is_sheet(about)]
    if table is None and len(names) > 1:
        shown = [
            about.name
            for about in workbook.sheets_metadata
            if _is_sheet(about) and str(about.visible).endswith(".Visible")
        ]
        filled = [name for name in shown if workbook.get_sheet_by_name(name).height]
        names = filled or shown or names
    return workbook.get_sheet_by_name(choose_table(names, table))


def _is_sheet(about: Any) -> bool:
    return str(about.typ).endswith(".WorkSheet")


def _of_open_document(source: str, name: str) -> tuple[list[Range], Cells]:
    """The merged cells and the errors of a sheet of an OpenDocument file, which calamine does not
    give.
    """
    merged: list[Range] = []
    errors: Cells = {}
    row = column = 0
    within = False
    repeats = 1
    texts: list[str] | None = None  # of an error

    def begin(tag: str, attributes: dict[str, str]) -> None:
        nonlocal row, column, within, repeats, texts
        if tag == "table":
            within, row = attributes.get("table:name") == name, 0
        elif within and tag == "table-row":
            column, repeats = 0, _times(attributes, "table:number-rows-repeated")
        elif within and tag in ("table-cell", "covered-table-cell"):
            rows = _times(attributes, "table:number-rows-spanned")
            columns = _times(attributes, "table:number-columns-spanned")
            if rows > 1 or columns > 1:
                merged.append((row, column, row + rows - 1, column + columns - 1))
            texts = [] if attributes.get("calcext:value-type") == "error" else None
            column += _times(attributes, "table:number-columns-repeated")

    def end(tag: str) -> None:
        nonlocal row, within, texts
        if tag == "table-cell" and texts is not None:
            errors[row, column - 1] = "".join(texts).strip() or "#N/A"
            texts = None
        elif within and tag == "table-row":
            row += repeats
        elif tag == "table":
            within = False

    def read(text: str) -> None:
        if texts is not None:
            texts.append(text)

    with zipfile.ZipFile(source) as archive:
        _parse(archive, "content.xml", begin, end, read)
    return merged, errors


def _letters(column: int) -> str:
    """The letters of a 0-based column: A, …, Z, AA."""
    beyond, last = divmod(column, 26)
    return (_letters(beyond - 1) if beyond else "") + chr(ord("A") + last)


def _times(attributes: dict[str, str], name: str) -> int:
    text = attributes.get(name, "1")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 1


def _no_workbook() -> BadFile:
    return BadFile(
        "không phải sổ tính; hãy lưu thành .xlsx bằng Excel hoặc LibreOffice / "
        "is no workbook; save it as .xlsx with Excel or LibreOffice"
    )
