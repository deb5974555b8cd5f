"""Files of records in chunks: large delimited text is streamed, any other file is read whole.

A chunk is a table like that of the whole file, so that a file of any length takes the memory of
one chunk. Only text in UTF-8 is streamed; of other encodings the whole column is evidence. So is
the whole of a file with titles, a footer, or records of another number of fields than its header.
"""

import codecs
import csv
import hashlib
import io
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import accumulate, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from gis.errors import AmbiguousInput, BadFile
from gis.intake import extracts
from gis.intake.delimited import parse_delimited
from gis.intake.encodings import Encoding, decode_columns
from gis.intake.layout import FOUND, TAIL_ROWS, Layout, footer_start
from gis.intake.tables import RawTable, read_table, refuse_other_kinds

ROWS = 50_000
STREAMED_FROM_BYTES = 8 * 2**20
_STREAMED = (".csv", ".tsv", ".txt")
_HEAD_CHARACTERS = 2**20
_BLOCK_BYTES = 2**20
_SAMPLE = 500  # values beyond ASCII of a column and chunk whose encoding is looked at
_MAX_FIELD_LENGTH = 16 * 2**20


class TableChunks:
    """The records of a file as tables of at most `rows` records, as often as they are asked for.

    `path` None: the records of `whole`.
    """

    def __init__(self, path: Path | None, whole: RawTable | None, rows: int = ROWS) -> None:
        self.path = path
        self.whole = whole
        self.rows = rows
        self._state: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        return self.path.name if self.path else self._read.name

    @cached_property
    def sha256(self) -> str:
        if self.whole is not None:
            return self.whole.sha256
        with self._file.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def __iter__(self) -> Iterator[RawTable]:
        """The chunks from the beginning, at least one. Raises BadFile, which names the line."""
        if self.whole is None:
            self._refuse_if_written()
            yield from self._stream()
            self._refuse_if_written()
            return
        for start in range(0, len(self.whole), self.rows) or (0,):
            yield part_of(self.whole, slice(start, start + self.rows))

    @property
    def _file(self) -> Path:
        assert self.path is not None
        return self.path

    @property
    def _read(self) -> RawTable:
        assert self.whole is not None
        return self.whole

    def _refuse_if_written(self) -> None:
        """Raises BadFile where the file is no longer what it was when it was read first."""
        status = self._file.stat()
        state = (status.st_size, status.st_mtime_ns)
        if self._state not in (None, state):
            raise BadFile(
                f"{self.name}: tệp đang được ghi; hãy đợi ghi xong rồi nạp lại / "
                "is being written; wait until it is complete and load it again"
            )
        self._state = state

    def _stream(self) -> Iterator[RawTable]:
        csv.field_size_limit(_MAX_FIELD_LENGTH)
        with self._file.open(encoding="utf-8-sig", newline="") as file:
            head = parse_delimited(_whole_lines(file.read(_HEAD_CHARACTERS)))
            file.seek(0)
            header = [unicodedata.normalize("NFC", name.strip()) for name in head.header]
            # From the line of the first record on, what stands above it is no record.
            for _ in range(head.lines[0] - 1):
                file.readline()
            reader = csv.reader(file, delimiter=head.delimiter, strict=True)
            for lines, records in self._records(reader, head.lines[0] - 1, len(header)):
                cells = [_normal(list(column)) for column in zip(*records, strict=True)]
                yield RawTable(
                    name=self.name,
                    sha256="",
                    columns=tuple(header),
                    cells=dict(zip(header, cells, strict=True)),
                    lines=lines,
                )

    def _records(
        self, reader: Any, before: int, width: int
    ) -> Iterator[tuple[Sequence[int], list[list[str]]]]:
        """Records of `width` fields, chunk by chunk, with the line on which each starts."""
        while True:
            first = before + reader.line_num + 1
            try:
                records = list(islice(reader, self.rows))
            except csv.Error as error:
                raise BadFile(_bad_quotes(before + reader.line_num, error)) from None
            if not records:
                return
            lines: Sequence[int] = range(first, first + len(records))
            single_lines = before + reader.line_num == lines[-1]
            even = single_lines and set(map(len, records)) == {width}
            if not (even and all(map(itemgetter(0), records))):
                lines, records = self._uneven(records, first, width)
            if records:
                yield lines, records

    def _uneven(
        self, records: list[list[str]], first: int, width: int
    ) -> tuple[Sequence[int], list[list[str]]]:
        """The same of records of several lines, without content or with empty fields beyond."""
        lines, fitting, line = [], [], first
        for record in records:
            if any(record):
                if len(record) < width or any(record[width:]):
                    raise BadFile(_ragged(self.name, line, len(record), width))
                lines.append(line)
                fitting.append(record[:width])
            line += max(1, 1 + sum(_line_ends(field) for field in record))
        return lines, fitting


def open_chunks(
    path: Path,
    *,
    encoding: str | None = None,
    table: str | None = None,
    layout: Layout = FOUND,
    rows: int = ROWS,
) -> TableChunks:
    """The records of a file, in chunks; arguments and errors are those of `read_table`."""
    if layout == FOUND and _is_streamed(path, encoding):
        return TableChunks(path, None, rows)
    whole = read_table(path, encoding=encoding, table=table, layout=layout)
    return TableChunks(None, whole, rows)


def part_of(table: RawTable, rows: slice) -> RawTable:
    """Some of a table's records, in their order."""
    taken = range(len(table))[rows]

    def within(texts: Mapping[int, str]) -> dict[int, str]:
        return {taken.index(row): text for row, text in texts.items() if row in taken}

    return replace(
        table,
        cells={column: cells[rows] for column, cells in table.cells.items()},
        lines=table.lines[rows],
        geometry=None if table.geometry is None else table.geometry[rows],
        unread=within(table.unread),
        faults=within(table.faults),
    )


def joined(parts: Sequence[RawTable]) -> RawTable:
    """The records of several parts of one table, in their order; a column may lack in some."""
    starts = list(accumulate((len(part) for part in parts), initial=0))
    geometries = [part.geometry for part in parts if part.geometry is not None]
    columns = tuple(dict.fromkeys(column for part in parts for column in part.columns))

    def of_all(texts: Iterable[Mapping[int, str]]) -> dict[int, str]:
        together = zip(starts, texts, strict=False)
        return {start + row: text for start, each in together for row, text in each.items()}

    return replace(
        parts[0],
        columns=columns,
        cells={
            column: [
                value for part in parts for value in part.cells.get(column) or [""] * len(part)
            ]
            for column in columns
        },
        lines=[line for part in parts for line in part.lines],
        geometry=np.concatenate(geometries) if geometries else None,
        unread=of_all(part.unread for part in parts),
        faults=of_all(part.faults for part in parts),
    )


def _is_streamed(path: Path, encoding: str | None) -> bool:
    """True for large text in UTF-8 whose columns need no conversion, as far as samples show, and
    whose lines are its header and its records alone.
    """
    if not path.name.lower().endswith(_STREAMED) or encoding not in (None, Encoding.UTF_8):
        return False
    if not path.is_file() or path.stat().st_size < STREAMED_FROM_BYTES or not _is_utf_8(path):
        return False
    try:
        return _is_plain(path) and _has_records_alone(TableChunks(path, None))
    except (BadFile, AmbiguousInput, IndexError):
        return False  # the reader of whole files says what is wrong, or knows better


def _is_plain(path: Path) -> bool:
    """False for a file that begins like one of another kind, or with titles."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        text = _whole_lines(file.read(_HEAD_CHARACTERS))
    refuse_other_kinds(text.encode())
    head = parse_delimited(text)
    return not (extracts.is_geonames(text) or head.notes or head.faults)


def _has_records_alone(chunks: TableChunks) -> bool:
    tail: list[RawTable] = []
    for chunk in chunks:
        if not _is_unicode(chunk):
            return False
        tail.append(part_of(chunk, slice(-TAIL_ROWS, None)))
        while len(tail) > 1 and sum(map(len, tail[1:])) >= TAIL_ROWS:
            del tail[0]
    last = part_of(joined(tail), slice(-TAIL_ROWS, None))
    records = [list(record.values()) for record in last.rows()]
    _, footer = footer_start(records, last.lines, len(last.columns), FOUND, 0)
    return footer is None


def _is_utf_8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        try:
            while block := file.read(_BLOCK_BYTES):
                if b"\0" in block:
                    return False
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _is_unicode(chunk: RawTable) -> bool:
    """False where a column holds letters of an old encoding, or lost ones."""
    for column in chunk.columns:
        text = "".join(chunk[column])
        if text.isascii() and "?" not in text:
            continue
        odd = sorted({value for value in chunk[column] if not value.isascii() or "?" in value})
        sample = odd[:: len(odd) // _SAMPLE + 1]
        if decode_columns([column], [sample], decoded=True).notes:
            return False
    return True


def _normal(values: list[str]) -> list[str]:
    text = "\n".join(values)
    if text.isascii() or unicodedata.is_normalized("NFC", text):
        return values
    return [unicodedata.normalize("NFC", value) for value in values]


def _whole_lines(text: str) -> str:
    """The text up to its last line end that is outside of quotes."""
    if len(text) < _HEAD_CHARACTERS:
        return text
    end = len(text)
    while end > 0:
        end = text.rfind("\n", 0, end)
        if text.count('"', 0, end) % 2 == 0:
            break
    return text[: end + 1]


def _line_ends(field: str) -> int:
    return len(io.StringIO(field, newline=None).read().split("\n")) - 1 if field else 0


def _ragged(name: str, line: int, fields: int, width: int) -> str:
    return f"{name}: line {line}: {fields} fields where the header has {width}"


def _bad_quotes(line: int, error: csv.Error) -> str:
    return f"line {line}: a quoted field is not closed as it should be ({error})"
