"""Files of records in chunks: large delimited text is streamed, any other file is read whole.

A chunk is a table like that of the whole file, so that a file of any length takes the memory of
one chunk. Only text in UTF-8 is streamed, packed by gzip or not; of other encodings the whole
column is evidence.
"""

import codecs
import gzip
import hashlib
import unicodedata
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, chain
from pathlib import Path
from typing import TextIO, cast

import numpy as np

from gis.errors import AmbiguousInput, BadFile
from gis.intake import extracts
from gis.intake.delimited import (
    DelimitedBlock,
    DelimitedHead,
    named_columns,
    read_head,
    records_below,
    require_mostly_whole,
    tail_rows,
)
from gis.intake.encodings import Encoding, decode_columns
from gis.intake.layout import FOUND, Layout, LayoutNote, footer_start
from gis.intake.tables import (
    DELIMITED,
    MAX_UNPACKED_BYTES,
    RawTable,
    nul_faults,
    read_table,
    refuse_other_kinds,
)

ROWS = 20_000
STREAMED_FROM_BYTES = 8 * 2**20
_STREAMED = DELIMITED
_PACKED_TO = 8  # of the bytes of a text, gzip leaves about one
_HEAD_CHARACTERS = 2**20
_BLOCK_BYTES = 2**20
_SAMPLE = 500  # values beyond ASCII of a column and chunk whose encoding is looked at


@dataclass(frozen=True, slots=True)
class StreamedText:
    """A file of delimited text in UTF-8: where its records begin, and the line of its footer."""

    path: Path
    head: DelimitedHead
    footer_line: int | None = None
    notes: tuple[LayoutNote, ...] = ()

    def blocks(self, rows: int) -> Iterator[DelimitedBlock]:
        """Its records, some `rows` at a time; raises BadFile."""
        with _open_text(self.path) as file:
            for block in records_below(file, self.head, rows):
                last = block.lines[-1]
                if self.footer_line is not None and last >= self.footer_line:
                    block = block.until(self.footer_line)
                if block.lines:
                    yield block


class TableChunks:
    """The records of a file as tables of at most `rows` records, as often as they are asked for.

    `text` None: the records of `whole`.
    """

    def __init__(self, text: StreamedText | None, whole: RawTable | None, rows: int = ROWS) -> None:
        self.text = text
        self.whole = whole
        self.rows = rows
        self._state: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        return self.text.path.name if self.text else self._read.name

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
        assert self.text is not None
        return self.text.path

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
        assert self.text is not None
        notes = self.text.notes
        for block in self.text.blocks(self.rows):
            yield replace(_table_of(self.name, self.text.head, block), notes=notes)
            notes = ()


def _table_of(name: str, head: DelimitedHead, block: DelimitedBlock) -> RawTable:
    names = tuple(unicodedata.normalize("NFC", name.strip()) for name in head.header.names)
    cells, unnamed = named_columns([_normal(field) for field in block.fields], head.header)
    table = RawTable(
        name=name,
        sha256="",
        columns=names,
        cells=dict(zip(names, cells, strict=True)),
        lines=block.lines,
        faults=block.faults | unnamed,
    )
    holds_nul = any("\0" in value for value in map("".join, cells))
    return replace(table, faults={**nul_faults(table), **table.faults}) if holds_nul else table


def open_chunks(
    path: Path,
    *,
    encoding: str | None = None,
    table: str | None = None,
    layout: Layout = FOUND,
    rows: int = ROWS,
) -> TableChunks:
    """The records of a file, in chunks; arguments and errors are those of `read_table`."""
    text = _streamed_text(path, encoding, layout)
    if text is not None:
        return TableChunks(text, None, rows)
    whole = read_table(path, encoding=encoding, table=table, layout=layout)
    return TableChunks(None, whole, rows)


def chosen_rows(table: RawTable, rows: Sequence[int]) -> RawTable:
    """The records of a table at some rows, in their order."""
    places = {row: place for place, row in enumerate(rows)}

    def within(texts: Mapping[int, str]) -> dict[int, str]:
        return {places[row]: text for row, text in texts.items() if row in places}

    return replace(
        table,
        cells={column: [cells[row] for row in rows] for column, cells in table.cells.items()},
        lines=[table.lines[row] for row in rows],
        geometry=None if table.geometry is None else table.geometry[list(rows)],
        unread=within(table.unread),
        faults=within(table.faults),
    )


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


def _streamed_text(path: Path, encoding: str | None, layout: Layout) -> StreamedText | None:
    """Large text in UTF-8 whose columns need no conversion, as far as samples show; else None.

    Raises BadFile where most of its records have a fault.
    """
    if not path.name.lower().endswith(_STREAMED) or encoding not in (None, Encoding.UTF_8):
        return None
    least = STREAMED_FROM_BYTES // (_PACKED_TO if _is_packed(path) else 1)
    if not path.is_file() or path.stat().st_size < least or not _is_utf_8(path):
        return None
    try:
        with _open_text(path) as file:
            start = _whole_lines(file.read(_HEAD_CHARACTERS))
        refuse_other_kinds(start.encode())
        head = read_head(start, layout)
    except (BadFile, AmbiguousInput):
        return None  # the reader of whole files says what is wrong, or knows better
    names = {name.strip() for name in head.header.names}
    if extracts.is_geonames(start) or len(names) < len(head.header.names) or "\0" in "".join(names):
        return None
    try:
        return _with_footer(StreamedText(path, head), layout)
    except BadFile as error:
        error.args = (f"{path.name}: {error}",)
        raise


def _with_footer(text: StreamedText, layout: Layout) -> StreamedText | None:
    """The text with its notes and its footer; None where a column is of an old encoding."""
    rows = tail_rows(layout)
    tail: deque[tuple[int, list[str]]] = deque(maxlen=rows)
    faults: dict[int, str] = {}
    records = faulty = 0
    for block in text.blocks(ROWS):
        table = _table_of(text.path.name, text.head, block)
        if not _is_unicode(table):
            return None
        tail.extend(block.last(rows))
        records, faulty = records + len(table), faulty + len(block.faults)
        few = list(block.faults.items())
        faults |= {block.lines[row]: fault for row, fault in chain(few[:1], few[-rows:])}
    lines = [line for line, _ in tail]
    end = 0 if layout.footer_rows is None else _count_lines(text.path)
    width = text.head.header.width
    start, note = footer_start([record for _, record in tail], lines, width, layout, end)
    footer = set(lines[start:])
    require_mostly_whole(
        records - len(footer),
        faulty - len(footer & faults.keys()),
        {line: fault for line, fault in faults.items() if line not in footer},
    )
    notes = (*text.head.header.notes, *([note] if note else []))
    return replace(text, footer_line=lines[start] if footer else None, notes=notes)


def _count_lines(path: Path) -> int:
    with _open_text(path, newline="\n") as file:
        return sum(1 for _ in file)


def _is_packed(path: Path) -> bool:
    return path.name.lower().endswith(".gz")


def _open_text(path: Path, newline: str = "") -> TextIO:
    if _is_packed(path):
        return cast(TextIO, gzip.open(path, "rt", encoding="utf-8-sig", newline=newline))
    return path.open(encoding="utf-8-sig", newline=newline)


def _is_utf_8(path: Path) -> bool:
    """False for other text too that the reader of whole files refuses: torn or far too long."""
    decoder, unpacked = codecs.getincrementaldecoder("utf-8")(), 0
    try:
        with gzip.open(path) if _is_packed(path) else path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                decoder.decode(block)
                unpacked += len(block)
                if _is_packed(path) and unpacked > MAX_UNPACKED_BYTES:
                    return False
        decoder.decode(b"", final=True)
    except (UnicodeDecodeError, OSError, EOFError, zlib.error):
        return False
    return True


def _is_unicode(chunk: RawTable) -> bool:
    """False where a column holds letters of an old encoding, or lost ones."""
    for column in chunk.columns:
        text = "".join(chunk[column])
        if text.isascii() and "?" not in text:
            continue
        distinct = set(chunk[column])
        odd = sorted(value for value in distinct if not value.isascii() or "?" in value)
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
