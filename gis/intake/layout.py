"""Place of a table on a sheet: titles above it, the rows that name its columns, the footer.

Registers have the name of the department above the table, names of columns in two rows, and sums
and signatures beneath. What is certain is found and noted, what is not is asked about; what an
option says is obeyed.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gis.errors import AmbiguousInput, BadFile, BadInput

HEAD_ROWS, TAIL_ROWS = 80, 40
MAX_COLUMNS = 4_096
_MAX_TITLES = 30
_MIN_COLUMNS = 3  # of a header below titles: of two, a title and a record look alike
_MAX_LISTED, _MAX_EXCERPT = 8, 60
_ROWS = re.compile(r"(\d{1,7})(?:\s*-\s*(\d{1,7}))?")
_TABS = ("tab", "\\t")
_NO_DELIMITERS = '"\r\n .-'
_NUMBERING = re.compile(r"[\[(]?(\d{1,3}|[A-ZĐ])[\])]?")
_SUMS = re.compile(r"(tổng( cộng| số)?|cộng|total|sum|grand total)\s*:?", re.IGNORECASE)
_FOOTER = re.compile(
    r"((tổng( cộng| số)|cộng|total|sum)\b|người (lập|ghi|báo cáo|duyệt|ký)|lập (bảng|biểu)\b"
    r"|thủ trưởng|giám đốc|phó giám đốc|chủ tịch|trưởng phòng|kế toán|nơi nhận|ký tên|\(ký"
    r"|(ghi chú|nguồn|note|source)\s*:|prepared by|signature|signed"
    r"|.{0,40},?\s*ngày\s*[\d.…_ ]*\s*tháng\s*[\d.…_ ]*\s*năm)",
    re.IGNORECASE,
)

type Row = Sequence[str]


@dataclass(frozen=True, slots=True)
class Layout:
    """What a person says of the place of a table; None: it is found.

    `header_row` are the first and the last of the 1-based rows that name the columns;
    `footer_rows` is the number of rows at the end that are no records; `delimiter` is the sign
    between the fields of delimited text.
    """

    header_row: tuple[int, int] | None = None
    footer_rows: int | None = None
    delimiter: str | None = None


FOUND = Layout()


@dataclass(frozen=True, slots=True)
class LayoutNote:
    """A note of rows that are no records; `text` is for people."""

    text: str
    column: None = None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Header:
    """The names of columns: `names[i]` is in the 0-based column `columns[i]`.

    `first_record` is the index of the first row that may be a record.
    """

    names: list[str]
    columns: list[int]
    first_record: int
    notes: tuple[LayoutNote, ...] = ()

    @property
    def width(self) -> int:
        return self.columns[-1] + 1 if self.columns else 0


def parse_layout(
    header_row: str | None = None, footer_rows: int | None = None, delimiter: str | None = None
) -> Layout:
    """The layout of options: `4`, or `4-5` for names in two rows; a sign, or `tab`.

    Raises BadInput.
    """
    sign = _parse_delimiter(delimiter)
    if header_row is None:
        return Layout(None, footer_rows, sign)
    match = _ROWS.fullmatch(header_row.strip())
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= first <= last <= first + 4:
        raise BadInput(
            f"--header-row “{header_row}”: hãy ghi số dòng, như 4, hoặc 4-5 / "
            "write the number of the row, such as 4, or 4-5 for names in two rows"
        )
    return Layout((first, last), footer_rows, sign)


def _parse_delimiter(text: str | None) -> str | None:
    if text is None:
        return None
    sign = "\t" if text in _TABS else text
    if len(sign) != 1 or not sign.isascii() or sign.isalnum() or sign in _NO_DELIMITERS:
        raise BadInput(
            f"--delimiter “{text}”: hãy ghi một dấu như ; hoặc | hoặc tab / "
            "write one sign such as ; or |, or tab"
        )
    return sign


def find_header(
    head: Sequence[Row],
    numbers: Sequence[int],
    layout: Layout,
    check: Callable[[list[str], int], None],
    is_value: Callable[[str], bool],
) -> Header:
    """The header among the first rows (without blank ones) and their 1-based `numbers`.

    `check` raises BadFile for names that cannot be (with their row), `is_value` tells a value from
    a name. Raises BadFile, and AmbiguousInput where the header is not certain.
    """
    if layout.header_row is not None:
        return _declared(head, numbers, layout.header_row)
    found = _certain(head, is_value)
    if found is not None:
        header = _header(head, numbers, *found)
        check(header.names, numbers[found[0]])
        return header
    if head and _count(head[0]) * 2 <= max(map(_count, head)) >= _MIN_COLUMNS:
        raise _question(head, numbers, is_value)
    row = list(head[0]) if head else []
    names = row[: max(_filled(row), default=-1) + 1]
    check(names, numbers[0] if numbers else 0)
    return Header(names, list(range(len(names))), 1)


def footer_start(
    tail: Sequence[Row], numbers: Sequence[int], width: int, layout: Layout, end: int
) -> tuple[int, LayoutNote | None]:
    """The index in the last rows at which the footer begins (their number: none), and a note.

    `width` is the number of columns, `end` the number of the last row of the sheet, blank or not.
    """
    if layout.footer_rows is not None:
        beyond = end - layout.footer_rows
        start = next((i for i, number in enumerate(numbers) if number > beyond), len(tail))
        return start, _footer_note(tail[start:], numbers[start:])
    start = len(tail)
    for i in range(len(tail) - 1, -1, -1):
        if _is_footer(tail[i], width):
            start = i
        elif _count(tail[i]) > 2 or _count(tail[i]) * 3 > width:
            break  # a record; else perhaps a name beneath a signature, if a footer is above it
    return start, _footer_note(tail[start:], numbers[start:])


def _count(row: Row) -> int:
    return sum(bool(cell.strip(" \t")) for cell in row)


def _is_footer(row: Row, width: int) -> bool:
    """True for sums and signatures: of a sum the first cells say so, others fill few cells."""
    cells = [cell.strip() for cell in row if cell.strip()]
    if any(map(_SUMS.fullmatch, cells[:2])):
        return True
    return bool(cells and _FOOTER.match(cells[0])) and len(cells) * 2 <= max(width, 2)


def _filled(row: Row) -> set[int]:
    return {i for i, cell in enumerate(row) if cell.strip(" \t")}


def _certain(head: Sequence[Row], is_value: Callable[[str], bool]) -> tuple[int, int] | None:
    """The indices of the first and the last row of names that certainly are such.

    Titles fill at most half of the columns; the first row that fills more is the header or none
    is certain.
    """
    for first in range(min(len(head), _MAX_TITLES)):
        names, used = _filled(head[first]), _used(head[first + 1 :])
        if not any(is_value(head[first][i]) for i in names):
            texts = {head[first][i] for i in names}
            complete = names >= used and len(texts) == len(names)
            if complete and (not first or len(names) >= _MIN_COLUMNS):
                return first, first
            if _are_two(head, first, is_value):
                return first, first + 1
        if len(names) * 2 > len(names | used):
            return None
    return None


def _used(rows: Sequence[Row]) -> set[int]:
    """The columns in which some row that is no footer has something."""
    return set[int]().union(
        *(filled for row in rows if not _is_footer(row, len(filled := _filled(row)) * 2))
    )


def _are_two(head: Sequence[Row], first: int, is_value: Callable[[str], bool]) -> bool:
    """True where the names stand in this row and the next: groups above, their parts beneath.

    The first part stands under the name of its group, the others to its right under nothing.
    """
    if first + 2 >= len(head):
        return False
    upper, lower = _filled(head[first]), _filled(head[first + 1])
    parts = lower - upper
    return (
        bool(parts and upper - lower)
        and all(part - 1 in lower for part in parts)
        and not any(is_value(head[first + 1][i]) for i in lower)
        and len(upper | lower) >= _MIN_COLUMNS
        and (upper | lower) >= _used(head[first + 2 :])
        and _filled(head[first + 2]) != lower  # else both are records with empty fields
    )


def _header(head: Sequence[Row], numbers: Sequence[int], first: int, last: int) -> Header:
    notes = []
    rows = f"{numbers[first]}" if first == last else f"{numbers[first]}-{numbers[last]}"
    if last:
        titles = "; ".join(_excerpt(row) for row in head[:first]) or "–"
        notes.append(
            LayoutNote(
                f"tên cột ở dòng {rows}, các dòng trên là tiêu đề (đổi bằng --header-row) / names "
                f"of columns in row {rows}, above are titles (--header-row changes that): {titles}"
            )
        )
    columns = sorted(set[int]().union(*map(_filled, head[first : last + 1])))
    names = _names(head[first : last + 1])
    below = last + 1
    if below < len(head) and _is_numbering(head[below], columns, framed=last > 0):
        number = numbers[below]
        notes.append(
            LayoutNote(f"dòng {number} chỉ đánh số cột / row {number} only numbers the columns")
        )
        below += 1
    return Header([names[i] for i in columns], columns, below, tuple(notes))


def _names(rows: Sequence[Row]) -> list[str]:
    """The name of each column: that in the lowest row which has one; where two columns have the
    same, with the name of its group before it."""
    if len(rows) == 1:
        return list(rows[0])
    width = max(map(len, rows))
    grid = [[row[i].strip() if i < len(row) else "" for i in range(width)] for row in rows]
    for upper, lower in pairwise(grid):
        for i in range(1, width):
            if lower[i] and not upper[i]:
                upper[i] = upper[i - 1]
    paths = [list(dict.fromkeys(filter(None, column))) for column in zip(*grid, strict=True)]
    lowest = [path[-1] if path else "" for path in paths]
    return [
        " ".join(path) if lowest.count(name) > 1 else name
        for path, name in zip(paths, lowest, strict=True)
    ]


def _declared(head: Sequence[Row], numbers: Sequence[int], declared: tuple[int, int]) -> Header:
    """The header in the rows that a person names: columns without a name are numbered, a name that
    comes again is too, so that nothing is lost."""
    within = [i for i, number in enumerate(numbers) if declared[0] <= number <= declared[1]]
    if not within:
        raise BadFile(
            f"dòng {declared[0]} trống hoặc không có trong {HEAD_ROWS} dòng đầu; hãy xem lại "
            f"--header-row / row {declared[0]} is blank, or none of the first {HEAD_ROWS}; check "
            "--header-row"
        )
    header = _header(head, numbers, within[0], within[-1])
    columns = sorted(set(header.columns) | _used(head[header.first_record :]))
    named = dict(zip(header.columns, header.names, strict=True))
    names: list[str] = []
    for column in columns:
        name = named.get(column, "").strip() or f"column_{column + 1}"
        again, number = name, 2
        while again in names:
            again, number = f"{name} ({number})", number + 1
        names.append(again)
    return Header(names, columns, header.first_record, header.notes)


def _is_numbering(row: Row, columns: Sequence[int], *, framed: bool) -> bool:
    """True for the row `(1) (2) (3)` that numbers the columns, or `A B 1 2 3` in a `framed` table,
    which has titles above or names in two rows: elsewhere it may be a record."""
    cells = [row[i].strip() for i in columns if i < len(row) and row[i].strip()]
    marks = [match[1] for cell in cells if (match := _NUMBERING.fullmatch(cell))]
    numbers = [int(mark) for mark in marks if mark.isdigit()]
    letters = len(marks) - len(numbers)
    in_order = bool(numbers) and numbers[0] in (1, letters + 1)
    in_order = in_order and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    whole = framed and len(cells) == len(columns) > _MIN_COLUMNS
    bracketed = len(cells) >= _MIN_COLUMNS and all(cell[0] in "[(" for cell in cells)
    return len(marks) == len(cells) and in_order and (whole or bracketed)


def _question(
    head: Sequence[Row], numbers: Sequence[int], is_value: Callable[[str], bool]
) -> AmbiguousInput:
    widest = max(map(_count, head))
    likely = min(
        (i for i, row in enumerate(head) if _count(row) * 2 > widest),
        key=lambda i: sum(map(is_value, filter(None, head[i]))),
    )
    listed = "\n".join(
        f"  {number}: {_excerpt(row)}"
        for number, row in list(zip(numbers, head, strict=True))[:_MAX_LISTED]
    )
    return AmbiguousInput(
        "không rõ dòng nào là tên cột; hãy khai báo bằng --header-row, có lẽ là --header-row "
        f"{numbers[likely]} / it is not certain which row names the columns; give it, perhaps as "
        f"--header-row {numbers[likely]} (4-5 for names in two rows). Các dòng / rows:\n{listed}"
    )


def _footer_note(rows: Sequence[Row], numbers: Sequence[int]) -> LayoutNote | None:
    if not rows:
        return None
    listed = "; ".join(_excerpt(row) for row in rows[:_MAX_LISTED])
    return LayoutNote(
        f"{len(rows)} dòng cuối, từ dòng {numbers[0]}, không phải bản ghi (đổi bằng --footer-rows)"
        f" / the last {len(rows)} rows, from row {numbers[0]}, are no records (--footer-rows "
        f"changes that): {listed}"
    )


def _excerpt(row: Row) -> str:
    text = " | ".join(cell.strip() for cell in row if cell.strip())
    return text if len(text) <= _MAX_EXCERPT else f"{text[: _MAX_EXCERPT - 1]}…"
