"""Parser of delimited text: header and records, with the line on which each record starts.

The text may be bytes read as ISO-8859-1, one character a byte: nothing here trims or splits at
what Python takes for white space, because 0x85 and 0xA0 are letters in VISCII.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from gis.errors import BadFile
from gis.intake.layout import (
    FOUND,
    HEAD_ROWS,
    MAX_COLUMNS,
    TAIL_ROWS,
    Header,
    Layout,
    LayoutNote,
    find_header,
    footer_start,
)

DELIMITERS = ",;\t|"
SNIFFED_RECORDS = 50
_MAX_RECORDS = 20_000_000
_MAX_FIELD_LENGTH = 16 * 2**20  # an outline in WKT is long; a lost quote is longer
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
_DECIMAL = re.compile(r"[+-]?\d+[.,]\d+")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\b.*")
_YEAR = re.compile(r"(19|20)\d\d")


@dataclass(frozen=True, slots=True)
class DelimitedText:
    """Cells column by column; `lines` are the 1-based source lines of the records.

    `faults` maps 0-based rows to what is wrong with their number of fields.
    """

    header: list[str]
    cells: list[list[str]]
    lines: list[int]
    delimiter: str
    faults: dict[int, str] = field(default_factory=dict)
    notes: tuple[LayoutNote, ...] = ()


def parse_delimited(text: str, layout: Layout = FOUND) -> DelimitedText:
    """All records of a CSV, TSV or other delimited text.

    The delimiter is the one of `, ; tab |` that cuts most of the first records into as many
    fields as the header. Records without any content are not records; empty fields beyond the
    header, which spreadsheets leave, are not fields. A record with another number of fields than
    the header is a fault of its row; what it has too many stays in its last field. `layout` says
    where the header and the footer are, where they are not found. Raises BadFile, naming the line,
    for quotes left open, a header that is missing or names a column twice, and where most records
    have another number of fields than the header; AmbiguousInput where the header is not certain.
    """
    declared = _SEPARATOR_LINE.match(text)
    delimiter = declared.group(1) if declared else sniff_delimiter(text)
    parsed = _records(text, delimiter, skip_first=declared is not None)
    head = list(islice(parsed, HEAD_ROWS))
    header = find_header(
        [record for _, record in head], [line for line, _ in head], layout, check_header, is_value
    )
    width, columns = header.width, header.columns
    records = [record for _, record in head[header.first_record :]]
    lines = [line for line, _ in head[header.first_record :]]
    for line, record in parsed:
        records.append(record)
        lines.append(line)
        if len(lines) > _MAX_RECORDS:
            raise BadFile(
                f"có hơn {_MAX_RECORDS} bản ghi; hãy chia nhỏ / "
                f"holds more than {_MAX_RECORDS} records; split it"
            )
    notes = [*header.notes, *_cut_footer(records, lines, width, layout, text)]
    ragged = [row for row, record in enumerate(records) if len(record) != width]
    faults = {row: fault for row in ragged if (fault := _fit(records, row, width, delimiter))}
    if len(faults) * 2 > len(records):
        row = next(iter(faults))
        raise BadFile(f"dòng / line {lines[row]}: {faults[row]}")
    cells = [list(column) for column in zip(*records, strict=True)] or [[] for _ in range(width)]
    faults |= _unnamed_faults(cells, header)
    named = [cells[column] for column in columns]
    return DelimitedText(header.names, named, lines, delimiter, faults, tuple(notes))


def _cut_footer(
    records: list[list[str]], lines: list[int], width: int, layout: Layout, text: str
) -> list[LayoutNote]:
    """Take the footer off the records; gives a note of it."""
    asked = layout.footer_rows
    tail = max(0, len(records) - (TAIL_ROWS if asked is None else max(TAIL_ROWS, asked)))
    end = text.count("\n") + (not text.endswith("\n")) if asked is not None else 0
    start, note = footer_start(records[tail:], lines[tail:], width, layout, end)
    del records[tail + start :], lines[tail + start :]
    return [note] if note else []


def _fit(records: list[list[str]], row: int, width: int, delimiter: str) -> str | None:
    """Give a record as many fields as the header has; gives the fault where it had others.

    Fields too many go into the last one, so that nothing is lost.
    """
    record = records[row]
    if len(record) > width and not any(record[width:]):
        records[row] = record[:width]
        return None
    fields = len(record)
    if fields > width:
        records[row] = [*record[: width - 1], delimiter.join(record[width - 1 :])]
    else:
        records[row] = record + [""] * (width - fields)
    name = {"\t": "tab"}.get(delimiter, delimiter)
    return (
        f"có {fields} trường, tiêu đề có {width}; đặt trường chứa dấu phân cách ({name}) trong dấu "
        f'nháy kép ("), để trống trường thiếu giữa hai dấu / {fields} fields where the header has '
        f'{width}; put a field that holds the delimiter ({name}) in double quotes ("), and fill '
        "missing fields with nothing between two delimiters"
    )


def _unnamed_faults(cells: Sequence[Sequence[str]], header: Header) -> dict[int, str]:
    """Faults of records with something in a column that has no name."""
    unnamed = set(range(header.width)) - set(header.columns)
    return {
        row: unnamed_value(value, column)
        for column in sorted(unnamed)
        for row, value in enumerate(cells[column])
        if value.strip()
    }


def unnamed_value(value: str, column: int) -> str:
    """The fault of a record with a value in the 0-based column, which has no name."""
    return (
        f"“{value[:80]}” ở cột thứ {column + 1} không có tên; hãy đặt tên cho cột / "
        f"stands in column {column + 1}, which has no name; give the column a name"
    )


def sniff_delimiter(text: str) -> str:
    """The delimiter under which most of the first records are as wide as the header.

    Where titles stand above the header, under which most are as wide as each other.
    """
    widths = {delimiter: _widths(text, delimiter) for delimiter in DELIMITERS}
    best = max(DELIMITERS, key=lambda delimiter: _agreement(widths[delimiter]))
    if _agreement(widths[best])[0] >= 0.5:
        return best
    return max(DELIMITERS, key=lambda delimiter: _agreement(_titles_cut(widths[delimiter])))


def check_header(header: list[str], line: int) -> None:
    """Raises BadFile when there is none, or a column has no name, another's name, or is data."""
    if not header:
        raise BadFile(
            "tệp trống: dòng 1 phải là tên các cột, sau đó là các bản ghi / "
            "the file is empty: line 1 must name the columns, records follow it"
        )
    if len(header) > MAX_COLUMNS:
        raise _too_wide(len(header))
    columns: dict[str, int] = {}
    for number, name in enumerate(header, start=1):
        if not name.strip(" \t"):
            raise _nameless(line, number)
        if name in columns:
            raise _named_twice(line, name, columns[name], number)
        columns[name] = number
    value = next((name for name in header if is_value(name)), None)
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
            if len(record) > MAX_COLUMNS:
                raise _too_wide(len(record))
            if any(record):
                yield before + 1, record
            before = reader.line_num
    except csv.Error as error:
        raise _bad_quotes(before + 1, error) from None


def _widths(text: str, delimiter: str) -> list[int]:
    """The numbers of fields of the first records."""
    widths = []
    try:
        for _, record in _records(text[: 2**20], delimiter, skip_first=False):
            widths.append(len(record))
            if len(widths) > SNIFFED_RECORDS:
                break
    except BadFile:
        pass  # a cut at 1 MiB, or a fault that the full reading will name
    return widths


def _agreement(widths: Sequence[int]) -> tuple[float, int]:
    """Share of the first records that are as wide as the header, and that width."""
    if not widths or widths[0] == 1:
        return 0.0, 0
    return sum(width == widths[0] for width in widths) / len(widths), widths[0]


def _titles_cut(widths: Sequence[int]) -> Sequence[int]:
    """The widths from the first record on that is as wide as most of those with several fields."""
    several = Counter(width for width in widths if width > 1)
    if not several:
        return ()
    return widths[widths.index(several.most_common(1)[0][0]) :]


def is_value(name: str) -> bool:
    """True for a number or a date, which is no name of a column; a year may be one."""
    if _DECIMAL.fullmatch(name) or _DATE.fullmatch(name):
        return True
    return name.isascii() and name.isdigit() and not _YEAR.fullmatch(name)


def _too_wide(columns: int) -> BadFile:
    return BadFile(
        f"có {columns} cột, nhiều nhất {MAX_COLUMNS}; có phải bảng đã bị xoay ngang? / "
        f"holds {columns} columns, at most {MAX_COLUMNS} are read; is the table transposed?"
    )


def _nameless(line: int, number: int) -> BadFile:
    return BadFile(
        f"dòng {line}: cột thứ {number} không có tên; hãy đặt tên cho mỗi cột, hoặc chỉ dòng tên "
        f"cột bằng --header-row / line {line}: column {number} has no name; give each column a "
        "name, or say which row names them: --header-row"
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
        "put a line with the names of the columns before the first record, or say which row "
        "names them: --header-row"
    )


def _bad_quotes(line: int, error: csv.Error) -> BadFile:
    return BadFile(
        f'dòng {line}: trường trong dấu nháy kép không được đóng đúng; đóng mỗi dấu " mở trường, '
        'và viết dấu nháy bên trong thành "" / '
        f"line {line}: a quoted field is not closed as it should be ({error}); close "
        'each " that opens a field, and write a quote inside it twice ("")'
    )
