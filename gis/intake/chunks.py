"""Files of records in chunks: large delimited text is streamed, any other file is read whole.

A chunk is a table like that of the whole file, so that a file of any length takes the memory of
one chunk. Delimited text is streamed in any encoding, packed by gzip or not; which encoding a
column has, a bounded number of its values decides (gis.intake.conversions).
"""

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
from typing import BinaryIO, TextIO, cast

import numpy as np

from gis.errors import AmbiguousInput, BadFile
from gis.intake import extracts
from gis.intake.charmaps import Encoding
from gis.intake.conversions import ColumnEvidence
from gis.intake.delimited import (
    DelimitedBlock,
    DelimitedHead,
    named_columns,
    read_head,
    records_below,
    require_mostly_whole,
    tail_rows,
)
from gis.intake.encodings import (
    BYTES,
    Decoder,
    has_lost_letters,
    settled_decoder,
    text_codec,
)
from gis.intake.layout import FOUND, Layout, footer_start
from gis.intake.tables import (
    DELIMITED,
    MAX_UNPACKED_BYTES,
    Note,
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
_BLOCK_CHARACTERS = 2**20
_START_BYTES = 1024  # of a file, by which its kind and codec are known


@dataclass(frozen=True, slots=True)
class StreamedText:
    """A file of delimited text: its codec, where its records begin, the line of its footer, and
    the conversion of its columns, None where no value needs any.
    """

    path: Path
    codec: str
    head: DelimitedHead
    footer_line: int | None = None
    decoder: Decoder | None = None
    notes: tuple[Note, ...] = ()

    @property
    def is_decoded(self) -> bool:
        return self.codec != BYTES

    def blocks(self, rows: int) -> Iterator[DelimitedBlock]:
        """Its records, some `rows` at a time; raises BadFile."""
        with _open_text(self.path, self.codec) as file:
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
            yield replace(_table_of(self.text, block), notes=notes)
            notes = ()


def _table_of(text: StreamedText, block: DelimitedBlock, *, tally: bool = False) -> RawTable:
    """The records of a block; `tally`: their conversion is noted."""
    cells, unnamed = named_columns(block.fields, text.head.header)
    if text.decoder is None:
        header = text.head.header.names
        names = tuple(unicodedata.normalize("NFC", name.strip()) for name in header)
        cells = [_normal(values) for values in cells]
    else:
        names, cells = text.decoder.names, text.decoder.decode(cells, tally=tally)
    table = RawTable(
        name=text.path.name,
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
    """Large text that is read in chunks; None for what the reader of whole files is to read.

    Raises BadFile where most of its records have a fault, AmbiguousInput where the encoding of a
    column is not certain, BadInput where `encoding` is unknown.
    """
    if not path.name.lower().endswith(_STREAMED):
        return None
    least = STREAMED_FROM_BYTES // (_PACKED_TO if _is_packed(path) else 1)
    if not path.is_file() or path.stat().st_size < least:
        return None
    codec = _codec_of(path)
    if codec is None:
        return None
    try:
        with _open_text(path, codec) as file:
            start = _whole_lines(file.read(_HEAD_CHARACTERS))
        refuse_other_kinds(start.encode(BYTES if codec == BYTES else "utf-8"))
        head = read_head(start, layout)
    except (BadFile, AmbiguousInput):
        return None  # the reader of whole files says what is wrong, or knows better
    names = {name.strip() for name in head.header.names}
    if extracts.is_geonames(start) or len(names) < len(head.header.names) or "\0" in "".join(names):
        return None
    try:
        return _surveyed(StreamedText(path, codec, head), encoding, layout)
    except (BadFile, AmbiguousInput) as error:
        error.args = (f"{path.name}: {error}",)
        raise


def _surveyed(text: StreamedText, encoding: str | None, layout: Layout) -> StreamedText | None:
    """The text with its footer, the conversion of its columns, and its notes; None where that
    gives two columns one name, which the reader of whole files refuses.
    """
    rows, header = tail_rows(layout), text.head.header
    tail: deque[tuple[int, list[str]]] = deque(maxlen=rows)
    faults: dict[int, str] = {}
    evidence = [ColumnEvidence(text.is_decoded) for _ in header.names]
    records = faulty = 0
    lost = False
    for block in text.blocks(ROWS):
        for seen, values in zip(evidence, named_columns(block.fields, header)[0], strict=True):
            joined = "\n".join(values)
            if not (text.is_decoded and joined.isascii()):
                seen.add(values)
            lost = lost or has_lost_letters(joined)
        tail.extend(block.last(rows))
        records, faulty = records + len(block.lines), faulty + len(block.faults)
        few = list(block.faults.items())
        faults |= {block.lines[row]: fault for row, fault in chain(few[:1], few[-rows:])}
    lines = [line for line, _ in tail]
    end = 0 if layout.footer_rows is None else _count_lines(text)
    start, note = footer_start([record for _, record in tail], lines, header.width, layout, end)
    footer = set(lines[start:])
    require_mostly_whole(
        records - len(footer),
        faulty - len(footer & faults.keys()),
        {line: fault for line, fault in faults.items() if line not in footer},
    )
    odd = [each.odd for each in evidence]
    decoder = settled_decoder(header.names, odd, decoded=text.is_decoded, encoding=encoding)
    if len({*decoder.names}) < len(decoder.names):
        return None
    text = replace(
        text,
        footer_line=lines[start] if footer else None,
        notes=(*header.notes, *([note] if note else [])),
    )
    return _noted(text, decoder, has_lost_letters=lost)


def _noted(text: StreamedText, decoder: Decoder, has_lost_letters: bool) -> StreamedText:
    """The text with the conversion of its columns, where a value needs one, and notes of it."""
    plain = all(each.encoding is Encoding.UTF_8 for each in decoder.conversions)
    if text.is_decoded and plain and not has_lost_letters:
        return text
    text = replace(text, decoder=decoder)
    for block in text.blocks(ROWS):
        _table_of(text, block, tally=True)
    return replace(text, notes=(*text.notes, *decoder.notes))


def _count_lines(text: StreamedText) -> int:
    with _open_text(text.path, text.codec, newline="\n") as file:
        return sum(1 for _ in file)


def _is_packed(path: Path) -> bool:
    return path.name.lower().endswith(".gz")


def _open_bytes(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path) if _is_packed(path) else path.open("rb"))


def _open_text(path: Path, codec: str, newline: str = "") -> TextIO:
    if _is_packed(path):
        return cast(TextIO, gzip.open(path, "rt", encoding=codec, newline=newline))
    return path.open(encoding=codec, newline=newline)


def _codec_of(path: Path) -> str | None:
    """The codec of a text, by all of it; None for a packed one that the reader of whole files
    refuses: torn or far too long.
    """
    try:
        if _is_packed(path) and not _is_bounded(path):
            return None
        with _open_bytes(path) as file:
            codec = text_codec(file.read(_START_BYTES))
        with _open_text(path, codec) as text:
            while text.read(_BLOCK_CHARACTERS):
                pass
    except UnicodeDecodeError:
        return BYTES
    except (OSError, EOFError, zlib.error):
        return None
    return codec


def _is_bounded(path: Path) -> bool:
    unpacked = 0
    with _open_bytes(path) as file:
        while block := file.read(_BLOCK_CHARACTERS):
            unpacked += len(block)
            if unpacked > MAX_UNPACKED_BYTES:
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
