"""Parser of delimited text: header and records, with the line on which each record starts.

The text may be bytes read as ISO-8859-1, one character a byte: nothing here trims or splits at
what Python takes for white space, because 0x85 and 0xA0 are letters in VISCII.
"""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

from gis.errors import BadFile

DELIMITERS = ",;\t|"
SNIFFED_RECORDS = 50
_MAX_FIELD_LENGTH = 16 * 2**20  # an outline in WKT is long; a lost quote is longer
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
_DECIMAL = re.compile(r"[+-]?\d+[.,]\d+")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\b.*")
_YEAR = re.compile(r"(19|20)\d\d")


@dataclass(frozen=True, slots=True)
class DelimitedText:
    """Cells column by column; `lines` are the 1-based source lines of the records."""

    header: list[str]
    cells: list[list[str]]
    lines: list[int]
    delimiter: str


def parse_delimited(text: str) -> DelimitedText:
    """All records of a CSV, TSV or other delimited text.

    The delimiter is the one of `, ; tab |` that cuts most of the first records into as many
    fields as the header. Records without any content are not records; empty fields beyond the
    header, which spreadsheets leave, are not fields. Raises BadFile, naming the line, for quotes
    left open, a header that is missing or names a column twice, and records with another number
    of fields than the header.
    """
    declared = _SEPARATOR_LINE.match(text)
    delimiter = declared.group(1) if declared else sniff_delimiter(text)
    parsed = _records(text, delimiter, skip_first=declared is not None)
    header_line, header = next(parsed, (0, []))
    header = _without_empty_end(header)
    check_header(header, header_line)
    records: list[list[str]] = []
    lines: list[int] = []
    width = len(header)
    for line, record in parsed:
        if len(record) != width:
            record = _fitted_to(record, header, line, delimiter)
        records.append(record)
        lines.append(line)
    cells = [list(column) for column in zip(*records, strict=True)] or [[] for _ in header]
    return DelimitedText(header, cells, lines, delimiter)


def sniff_delimiter(text: str) -> str:
    """The delimiter under which most of the first records are as wide as the header."""
    return max(DELIMITERS, key=lambda delimiter: _agreement(text, delimiter))


def check_header(header: list[str], line: int) -> None:
    """Raises BadFile when there is none, or a column has no name, another's name, or is data."""
    if not header:
        raise BadFile(
            "tệp trống: dòng 1 phải là tên các cột, sau đó là các bản ghi / "
            "the file is empty: line 1 must name the columns, records follow it"
        )
    columns: dict[str, int] = {}
    for number, name in enumerate(header, start=1):
        if not name.strip(" \t"):
            raise _nameless(line, number)
        if name in columns:
            raise _named_twice(line, name, columns[name], number)
        columns[name] = number
    value = next((name for name in header if _is_value(name)), None)
    if value is not None:
        raise _no_header(line, value)


def _records(text: str, delimiter: str, *, skip_first: bool) -> Iterator[tuple[int, list[str]]]:
    """Each record that has content, with the line on which it starts."""
    csv.field_size_limit(_MAX_FIELD_LENGTH)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    before = 0
    try:
        if skip_first:
            next(reader)
            before = reader.line_num
        for record in reader:
            if any(record):
                yield before + 1, record
            before = reader.line_num
    except csv.Error as error:
        raise _bad_quotes(before + 1, error) from None


def _agreement(text: str, delimiter: str) -> tuple[float, int]:
    """Share of the first records that are as wide as the header, and that width."""
    widths = []
    try:
        for _, record in _records(text[: 2**20], delimiter, skip_first=False):
            widths.append(len(record))
            if len(widths) > SNIFFED_RECORDS:
                break
    except BadFile:
        pass  # a cut at 1 MiB, or a fault that the full reading will name
    if not widths or widths[0] == 1:
        return 0.0, 0
    return sum(width == widths[0] for width in widths) / len(widths), widths[0]


def _without_empty_end(fields: list[str]) -> list[str]:
    width = len(fields)
    while width and not fields[width - 1].strip(" \t"):
        width -= 1
    return fields[:width]


def _fitted_to(record: list[str], header: list[str], line: int, delimiter: str) -> list[str]:
    """The record cut to the header's width; BadFile when that would lose or lack a field."""
    if len(record) > len(header) and not any(record[len(header) :]):
        return record[: len(header)]
    name = {"\t": "tab"}.get(delimiter, delimiter)
    raise BadFile(
        f"dòng {line}: có {len(record)} trường, tiêu đề có {len(header)}; đặt trường chứa dấu "
        f'phân cách ({name}) trong dấu nháy kép ("), để trống trường thiếu giữa hai dấu / '
        f"line {line}: {len(record)} fields where the header has {len(header)}; "
        f'put a field that holds the delimiter ({name}) in double quotes ("), '
        "and fill missing fields with nothing between two delimiters"
    )


def _is_value(name: str) -> bool:
    if _DECIMAL.fullmatch(name) or _DATE.fullmatch(name):
        return True
    return name.isascii() and name.isdigit() and not _YEAR.fullmatch(name)


def _nameless(line: int, number: int) -> BadFile:
    return BadFile(
        f"dòng {line}: cột thứ {number} không có tên; hãy đặt tên cho mỗi cột / "
        f"line {line}: column {number} has no name; give each column a name"
    )


def _named_twice(line: int, name: str, first: int, second: int) -> BadFile:
    return BadFile(
        f"dòng {line}: cột {first} và cột {second} cùng tên “{name}”; hãy đặt tên khác nhau / "
        f"line {line}: columns {first} and {second} are both named “{name}”; "
        "give each column a name of its own"
    )


def _no_header(line: int, value: str) -> BadFile:
    return BadFile(
        f"dòng {line}: “{value}” là giá trị, không phải tên cột; hãy thêm dòng tên cột trước "
        "bản ghi đầu tiên / "
        f"line {line}: “{value}” is a value and not a column's name; "
        "put a line with the names of the columns before the first record"
    )


def _bad_quotes(line: int, error: csv.Error) -> BadFile:
    return BadFile(
        f'dòng {line}: trường trong dấu nháy kép không được đóng đúng; đóng mỗi dấu " mở trường, '
        'và viết dấu nháy bên trong thành "" / '
        f"line {line}: a quoted field is not closed as it should be ({error}); close "
        'each " that opens a field, and write a quote inside it twice ("")'
    )
