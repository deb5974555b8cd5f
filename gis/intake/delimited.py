"""Parser of delimited text: header and records, with the line on which each record starts.

The text may be bytes read as ISO-8859-1, one character a byte: nothing here trims or splits at
what Python takes for white space, because 0x85 and 0xA0 are letters in VISCII.
"""

import csv
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Self

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
_BLOCK_ROWS = 50_000
_MAX_RECORDS = 20_000_000
_MAX_FIELD_LENGTH = 16 * 2**20  # an outline in WKT is long; a lost quote is longer
_MAX_TORN = 2**20  # characters that are kept of a record whose quotes do not close
_BYTE_ORDER_MARK = "\ufeff"
_ODD_DELIMITERS = ('"', "\r")
_MAX_BLOCK_BYTES = 2**30  # of a block of lines, which is parsed as one
# A line whose quotes open and close whole fields, in the words of RE2; `,` is the delimiter.
_EVEN_LINE = r'\A(?:[^,"\r\n]*|"(?:[^"\r\n]|"")*")(?:,(?:[^,"\r\n]*|"(?:[^"\r\n]|"")*"))*\r?\n?\z'
_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
_DECIMAL = re.compile(r"[+-]?\d+[.,]\d+")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\b.*")
_YEAR = re.compile(r"(19|20)\d\d")


@dataclass(frozen=True, slots=True)
class DelimitedText:
    """Cells column by column; `lines` are the 1-based source lines of the records.

    `faults` maps 0-based rows to what is wrong with their fields as such.
    """

    header: list[str]
    cells: list[list[str]]
    lines: list[int]
    delimiter: str
    faults: dict[int, str] = field(default_factory=dict)
    notes: tuple[LayoutNote, ...] = ()


@dataclass(frozen=True, slots=True)
class DelimitedHead:
    """The header of a delimited text, and the line on which its first record may start."""

    header: Header
    delimiter: str
    first_line: int


@dataclass(frozen=True, slots=True)
class DelimitedBlock:
    """Records field by field, as many fields as the header; their lines, and faults by 0-based
    row."""

    lines: Sequence[int]
    fields: list[list[str]]
    faults: dict[int, str]

    def until(self, line: int) -> "DelimitedBlock":
        """The records that start before a line."""
        kept = sum(each < line for each in self.lines)
        faults = {row: fault for row, fault in self.faults.items() if row < kept}
        fields = [field[:kept] for field in self.fields]
        return DelimitedBlock(self.lines[:kept], fields, faults)

    def last(self, rows: int) -> list[tuple[int, list[str]]]:
        """The lines and records of the last, so many at most."""
        records = zip(*(field[-rows:] for field in self.fields), strict=True)
        return list(zip(self.lines[-rows:], map(list, records), strict=True))


class NumberedLines:
    """Physical lines, the first of which has the number `first`; some may be given back.

    `taken` are those that were iterated over since it was cleared.
    """

    def __init__(self, lines: Iterable[str], first: int) -> None:
        self.next_number = first
        self.taken: list[str] = []
        self._lines = iter(lines)
        self._ahead: deque[str] = deque()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._ahead.popleft() if self._ahead else next(self._lines)
        self.next_number += 1
        self.taken.append(line)
        return line

    def take(self, number: int) -> list[str]:
        """So many lines at once, which are not noted as taken; fewer at the end."""
        ahead = [self._ahead.popleft() for _ in range(min(number, len(self._ahead)))]
        lines = [*ahead, *islice(self._lines, number - len(ahead))]
        self.next_number += len(lines)
        return lines

    def give_back(self, lines: list[str]) -> None:
        self._ahead.extendleft(reversed(lines))
        self.next_number -= len(lines)


class DelimitedLines:
    """The records of physical lines.

    A record with another number of fields than `width` (None: any) is a fault of its row; what it
    has too many stays in its last field. So is one whose quotes do not close: it ends where the
    next line is a whole record by itself, so that a lost quote takes no other records with it.
    Records without any content are not records; empty fields beyond the width, which spreadsheets
    leave, are not fields.
    """

    def __init__(self, lines: NumberedLines, delimiter: str, width: int | None = None) -> None:
        csv.field_size_limit(_MAX_FIELD_LENGTH)
        self._lines = lines
        self._delimiter = delimiter
        self._width = width
        self._reader = csv.reader(lines, delimiter=delimiter, strict=True)

    def blocks(self, rows: int = _BLOCK_ROWS) -> Iterator[DelimitedBlock]:
        """The records, so many at a time at most; raises BadFile for too many columns."""
        while block := self._lines.take(rows):
            even = self._even(block)
            if even is not None:
                beyond = self._lines.next_number
                yield DelimitedBlock(range(beyond - len(block), beyond), even, {})
                continue
            self._lines.give_back(block)
            numbers, records, faults = list[int](), list[list[str]](), dict[int, str]()
            while len(records) < rows and (record := self.take()) is not None:
                line, fields, fault = record
                if any(fields):
                    if fault:
                        faults[len(records)] = fault
                    numbers.append(line)
                    records.append(fields)
            if records:
                columns = list(map(list, zip(*records, strict=True)))
                yield DelimitedBlock(numbers, columns, faults)

    def take(self) -> tuple[int, list[str], str | None] | None:
        """The line, the fields and the fault of the next record; None at the end."""
        start = self._lines.next_number
        self._lines.taken.clear()
        try:
            fields = next(self._reader)
        except StopIteration:
            return None
        except csv.Error as error:
            return start, self._fitted(self._torn())[0], _bad_quotes(error)
        if len(fields) > MAX_COLUMNS:
            raise _too_wide(len(fields))
        fitted, fault = self._fitted(fields)
        lines = len(self._lines.taken)
        if fault and lines > 1 and self._resumes_at() < lines:
            return start, self._fitted(self._torn())[0], _bad_quotes("it takes other lines with it")
        return start, fitted, fault

    def _even(self, block: list[str]) -> list[list[str]] | None:
        """The fields of lines each of which is a record without a fault; else None.

        Arrow takes a tenth of the time of the module csv, but reads on where quotes are not closed
        as they should be: lines with quotes are matched before.
        """
        import pyarrow as pa
        from pyarrow import compute as pc
        from pyarrow import csv as arrow_csv

        text = "".join(block)
        odd = "\0" in text or text[0] == _BYTE_ORDER_MARK or self._delimiter in _ODD_DELIMITERS
        if odd or not self._delimiter.isascii() or max(map(len, block)) > _MAX_FIELD_LENGTH:
            return None
        names = [str(number) for number in range(self._width or 0)]
        even_line = _EVEN_LINE.replace(",", re.escape(self._delimiter))
        try:
            if '"' in text:
                lines = pa.array(block, pa.string())
                if not pc.all(pc.match_substring_regex(lines, even_line)).as_py():
                    return None
            table = arrow_csv.read_csv(
                pa.py_buffer(text.encode()),
                read_options=arrow_csv.ReadOptions(
                    use_threads=False, column_names=names, block_size=_MAX_BLOCK_BYTES
                ),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=self._delimiter, ignore_empty_lines=False
                ),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
                ),
            )
        except (pa.ArrowException, UnicodeEncodeError):
            return None
        if table.num_rows != len(block):
            return None
        fields = [column.to_pylist() for column in table.columns]
        return fields if all(fields[0]) else None

    def _torn(self) -> list[str]:
        """The fields of the lines that were taken, up to where a record starts anew."""
        end = self._resumes_at()
        first, *more = self._lines.taken[:end]
        self._lines.give_back(self._lines.taken[end:])
        fields = next(csv.reader([first[:_MAX_TORN]], delimiter=self._delimiter), [""])
        fields[-1] = "".join([fields[-1], *more])[:_MAX_TORN].rstrip("\r\n")
        return fields

    def _resumes_at(self) -> int:
        """The index in the taken lines of the first that is a whole record; their number, if none.

        Where the width is not known, or is one, no line tells.
        """
        lines = self._lines.taken
        if self._width is None or self._width == 1:
            return 1
        for index in range(1, len(lines)):
            try:
                record = next(csv.reader([lines[index]], delimiter=self._delimiter, strict=True))
            except csv.Error:
                continue
            if len(record) == self._width:
                return index
        return len(lines)

    def _fitted(self, record: list[str]) -> tuple[list[str], str | None]:
        """The record with as many fields as the header, and its fault where it had others."""
        fields, width = len(record), self._width
        if width is None or fields == width:
            return record, None
        if fields > width and not any(record[width:]):
            return record[:width], None
        if not any(record):
            return record, None
        if fields > width:
            fitted = [*record[: width - 1], self._delimiter.join(record[width - 1 :])]
        else:
            fitted = record + [""] * (width - fields)
        name = {"\t": "tab"}.get(self._delimiter, self._delimiter)
        return fitted, (
            f"có {fields} trường, tiêu đề có {width}; đặt trường chứa dấu phân cách ({name}) trong "
            f'dấu nháy kép ("), để trống trường thiếu giữa hai dấu / {fields} fields where the '
            f"header has {width}; put a field that holds the delimiter ({name}) in double quotes "
            '("), and fill missing fields with nothing between two delimiters'
        )


def parse_delimited(text: str, layout: Layout = FOUND) -> DelimitedText:
    """All records of a CSV, TSV or other delimited text (see DelimitedLines).

    The delimiter is the one of `, ; tab |` that cuts most of the first records into as many
    fields as the header. `layout` says where the header and the footer are, and which the delimiter
    is, where they are not found. Raises BadFile, naming the line, for a header that is missing or
    names a column twice, and where most records have a fault; AmbiguousInput where the header is
    not certain.
    """
    head = read_head(text, layout)
    width = head.header.width
    lines, faults = list[int](), dict[int, str]()
    cells: list[list[str]] = [[] for _ in range(width)]
    tail = deque[tuple[int, list[str]]](maxlen=tail_rows(layout))
    for block in records_below(_lines(text), head):
        faults |= {len(lines) + row: fault for row, fault in block.faults.items()}
        lines += block.lines
        for column, values in zip(cells, block.fields, strict=True):
            column += values
        tail.extend(block.last(tail_rows(layout)))
        if len(lines) > _MAX_RECORDS:
            raise BadFile(
                f"có hơn {_MAX_RECORDS} bản ghi; hãy chia nhỏ / "
                f"holds more than {_MAX_RECORDS} records; split it"
            )
    asked = layout.footer_rows
    end = text.count("\n") + (not text.endswith("\n")) if asked is not None else 0
    start, note = footer_start(
        [record for _, record in tail], [line for line, _ in tail], width, layout, end
    )
    kept = len(lines) - len(tail) + start
    del lines[kept:]
    for column in cells:
        del column[kept:]
    faults = {row: fault for row, fault in faults.items() if row < kept}
    require_mostly_whole(kept, len(faults), {lines[row]: faults[row] for row in faults})
    named, unnamed = named_columns(cells, head.header)
    notes = (*head.header.notes, *([note] if note else []))
    return DelimitedText(head.header.names, named, lines, head.delimiter, faults | unnamed, notes)


def read_head(text: str, layout: Layout = FOUND) -> DelimitedHead:
    """The header and delimiter of a text, by its beginning; raises as `parse_delimited`."""
    declared = _SEPARATOR_LINE.match(text)
    given = layout.delimiter or (declared and declared.group(1))
    delimiter = given or sniff_delimiter(text)
    first = list(islice(_records(text, delimiter, skip_first=declared is not None), HEAD_ROWS))
    header = find_header(
        [record for _, record in first], [line for line, _ in first], layout, check_header, is_value
    )
    if header.first_record < len(first):
        return DelimitedHead(header, delimiter, first[header.first_record][0])
    return DelimitedHead(header, delimiter, sum(1 for _ in _lines(text)) + 1)


def records_below(
    lines: Iterable[str], head: DelimitedHead, rows: int = _BLOCK_ROWS
) -> Iterator[DelimitedBlock]:
    """The records of all lines of a text, but for its header and what is above it."""
    below = NumberedLines(islice(lines, head.first_line - 1, None), head.first_line)
    return DelimitedLines(below, head.delimiter, head.header.width).blocks(rows)


def tail_rows(layout: Layout) -> int:
    """The number of last records among which the footer is."""
    return max(TAIL_ROWS, layout.footer_rows or 0)


def require_mostly_whole(records: int, faulty: int, first: dict[int, str]) -> None:
    """Raises BadFile where most records have a fault; `first` are some faults, by their line."""
    if faulty * 2 > records:
        line, fault = next(iter(first.items()))
        raise BadFile(f"dòng / line {line}: {fault}")


def named_columns(
    cells: Sequence[list[str]], header: Header
) -> tuple[list[list[str]], dict[int, str]]:
    """The columns that have names, and faults of records with something in one without."""
    faults = {
        row: unnamed_value(column)
        for column in sorted(set(range(header.width)) - set(header.columns))
        for row, value in enumerate(cells[column])
        if value.strip()
    }
    return [cells[column] for column in header.columns], faults


def unnamed_value(column: int) -> str:
    """The fault of a record with a value in the 0-based column, which has no name.

    The value is not quoted: nobody has said that it is not personal.
    """
    return (
        f"có giá trị ở cột thứ {column + 1} không có tên; hãy đặt tên cho cột / "
        f"a value stands in column {column + 1}, which has no name; give the column a name"
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


def _lines(text: str) -> Iterator[str]:
    """The lines of a text with their ends; StringIO would take four bytes a character."""
    return (line[0] for line in _LINE.finditer(text))


def _records(text: str, delimiter: str, *, skip_first: bool) -> Iterator[tuple[int, list[str]]]:
    """Each record that has content, with the line on which it starts, of whatever width."""
    lines = _lines(text)
    if skip_first:
        next(lines)
    records = DelimitedLines(NumberedLines(lines, 2 if skip_first else 1), delimiter)
    while (record := records.take()) is not None:
        line, fields, _ = record
        if any(fields):
            yield line, fields


def _widths(text: str, delimiter: str) -> list[int]:
    """The numbers of fields of the first records."""
    records = _records(text[: 2**20], delimiter, skip_first=False)
    try:
        return [len(record) for _, record in islice(records, SNIFFED_RECORDS + 1)]
    except BadFile:
        return []  # too many columns, which the full reading will name


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


def _bad_quotes(error: object) -> str:
    return (
        'trường trong dấu nháy kép không được đóng đúng; đóng mỗi dấu " mở trường, và viết dấu '
        f'nháy bên trong thành "" / a quoted field is not closed as it should be ({error}); close '
        'each " that opens a field, and write a quote inside it twice ("")'
    )
