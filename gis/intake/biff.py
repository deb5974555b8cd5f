"""Reader of the error cells of old workbooks (.xls), which calamine leaves empty.

An .xls is a compound file (MS-CFB) with a stream of records (MS-XLS, BIFF8). Of a file that is not
as it should be nothing is read here: calamine, which reads all else, says so.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

_ENTRY = 128  # bytes, of a directory
_LAST_SECTOR = 0xFFFFFFFA
_SMALL = 4096  # bytes; shorter streams are kept in another way, and are no workbooks
_BOUND_SHEET, _BEGIN, _END, _BOOLEAN_OR_ERROR, _FORMULA = 0x0085, 0x0809, 0x000A, 0x0205, 0x0006
_ERRORS = {
    0x00: "#NULL!", 0x07: "#DIV/0!", 0x0F: "#VALUE!", 0x17: "#REF!", 0x1D: "#NAME?", 0x24: "#NUM!",
    0x2A: "#N/A",
}  # fmt: skip


def error_cells(path: Path, sheet: str) -> dict[tuple[int, int], str]:
    """The errors of a sheet, such as `#N/A`, by 0-based row and column."""
    try:
        stream = _workbook(path.read_bytes())
        return dict(_errors(stream, _position(stream, sheet)))
    except (struct.error, IndexError, KeyError, ValueError):
        return {}


def _workbook(content: bytes) -> bytes:
    """The stream of the workbook."""
    size = 1 << struct.unpack_from("<H", content, 30)[0]

    def sector(number: int) -> bytes:
        return content[(number + 1) * size : (number + 2) * size]

    first_directory, first_table = (struct.unpack_from("<I", content, at)[0] for at in (48, 68))
    tables = [n for n in struct.unpack_from("<109I", content, 76) if n < _LAST_SECTOR]
    more = first_table
    while more < _LAST_SECTOR and len(tables) * size <= len(content):
        numbers = struct.unpack(f"<{size // 4}I", sector(more))
        tables += [n for n in numbers[:-1] if n < _LAST_SECTOR]
        more = numbers[-1]
    following = [n for table in tables for n in struct.unpack(f"<{size // 4}I", sector(table))]

    def chain(start: int) -> bytes:
        parts, number = list[bytes](), start
        while number < _LAST_SECTOR and len(parts) <= len(following):
            parts.append(sector(number))
            number = following[number]
        return b"".join(parts)

    directory = chain(first_directory)
    for at in range(0, len(directory), _ENTRY):
        length = struct.unpack_from("<H", directory, at + 64)[0]
        name = directory[at : at + max(0, length - 2)].decode("utf-16-le")
        start, count = struct.unpack_from("<IQ", directory, at + 116)
        if name in ("Workbook", "Book") and count >= _SMALL:
            return chain(start)[:count]
    raise KeyError("Workbook")


def _records(stream: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    while at + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, at)
        yield kind, stream[at + 4 : at + 4 + length]
        at += 4 + length


def _position(stream: bytes, sheet: str) -> int:
    for kind, body in _records(stream, 0):
        if kind == _BOUND_SHEET:
            text = body[8:].decode("utf-16-le" if body[7] & 1 else "latin-1")
            if text == sheet:
                return int(struct.unpack_from("<I", body)[0])
    raise KeyError(sheet)


def _errors(stream: bytes, position: int) -> Iterator[tuple[tuple[int, int], str]]:
    depth = 0
    for kind, body in _records(stream, position):
        depth += (kind == _BEGIN) - (kind == _END)
        if not depth:
            return
        if kind == _BOOLEAN_OR_ERROR and body[7]:
            code = body[6]
        elif kind == _FORMULA and body[12:14] == b"\xff\xff" and body[6] == 2:
            code = body[8]
        else:
            continue
        if depth == 1:
            yield struct.unpack_from("<HH", body), _ERRORS.get(code, "#N/A")
