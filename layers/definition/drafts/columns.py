"""Columns of a draft: the types that their values prove, and what there is to say of them."""

import re
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from gis.errors import AmbiguousInput
from gis.intake.chunks import TableChunks
from gis.intake.dates import ISO_8601, deciding_dates, parse_dates
from gis.intake.numbers import deciding_numbers, parse_numbers
from gis.intake.tables import RawTable, column_key
from gis.text import without_contacts
from layers.definition.model import FieldType

_WHOLE = re.compile(r"[+-]?(0|[1-9]\d{0,17})")
_BOOLEAN = {"true", "false", "yes", "no", "có", "không"}
# Of a column that is a truth, a whole number, or a code that begins with 0: each of its values is.
_PLAIN_TYPES: tuple[Callable[[str], object], ...] = (
    lambda value: value.casefold() in _BOOLEAN, _WHOLE.fullmatch, str.isdigit,
)  # fmt: skip
_IDENTITY = re.compile(r"(\d{9}|\d{12})")
_DRAWING = {"altitudemode", "draworder", "extrude", "tessellate", "visibility", "icon"}  # of KML
_PERSONAL = re.compile(
    r"\b(ho ten|ho va ten|ten chu|chu ho|chu gieng|nguoi|sdt|dien thoai|phone|mobile|e ?mail|"
    r"thu dien tu|cccd|cmnd|can cuoc|ho chieu|passport|ngay sinh|nam sinh|birth|tai khoan|owner|"
    r"reporter)\b"
)
_LOOKED_AT = 2_000  # values of a column that show what it clearly is not, or mostly is
_MOST = 0.8  # of them, that are enough
_TWO_READINGS = (
    "đọc được theo hai cách nên để là text; ghi `type` và `format` nếu biết / "
    "has two readings, so it stays text: write `type` and `format` where you know them"
)
_LATER = (
    "các bản ghi đầu là {type}, về sau thì không, nên để text / "
    "the first records are {type}, later ones are not, so it stays text"
)


@dataclass(frozen=True, slots=True)
class DraftedColumn:
    """What the values of a column prove, and what there is to say of it.

    `nearly_time`: the format of a text that is mostly dates; None inside: ISO 8601.
    """

    type: FieldType
    format: str | None = None
    personal: bool = False
    doubt: str = ""
    is_empty: bool = False
    nearly_time: tuple[str | None] | None = None

    @property
    def is_time(self) -> bool:
        return self.type in (FieldType.DATE, FieldType.DATETIME)


type _Reader = Callable[[str, Sequence[str]], DraftedColumn | None]


def drafted_columns(chunks: TableChunks) -> dict[str, DraftedColumn]:
    """What the values of each column prove, and what its name says."""
    if chunks.whole is not None:
        return _columns_of(chunks.whole)
    head, witnesses = dict[str, DraftedColumn](), dict[str, list[str]]()
    for part in chunks:
        head = head or _columns_of(part)
        for column in part.columns:
            given = [*witnesses.get(column, ()), *filter(None, part[column])]
            witnesses[column] = _witnesses(given, column)
    return {name: _with_head(_proven(name, witnesses[name]), head[name]) for name in head}


def _columns_of(table: RawTable) -> dict[str, DraftedColumn]:
    columns = {}
    for name in table.columns:
        if table.geometry is not None and name.casefold() in _DRAWING:
            continue
        given = given_values(table, name)
        personal = bool(given) and _is_personal(name, sample(given))
        columns[name] = (
            DraftedColumn(FieldType.TEXT, personal=True) if personal else _proven(name, given)
        )
    return columns


def _with_head(column: DraftedColumn, head: DraftedColumn) -> DraftedColumn:
    """A column of a large file, of which `head` are the first records, many enough to show what
    later ones refute.
    """
    if head.personal:
        return head
    if column.type is not FieldType.TEXT or not (head.doubt or head.type is not FieldType.TEXT):
        return replace(column, doubt="")
    nearly = (head.format,) if head.is_time else head.nearly_time
    return replace(column, doubt=head.doubt or _LATER.format(type=head.type), nearly_time=nearly)


def _witnesses(values: Sequence[str], column: str) -> list[str]:
    """A few of a column's values that prove the type of all of them."""
    refuting = (next((v for v in values if not holds(v)), None) for holds in _PLAIN_TYPES)
    kept = [*values[:1], *filter(None, refuting)]
    kept += [*deciding_numbers(values), *deciding_dates(values)]
    with suppress(AmbiguousInput):
        kept += [values[row] for row in list(parse_numbers(values, column=column).faults)[:1]]
    with suppress(AmbiguousInput):
        dates = parse_dates(values, column=column, asks=False)
        timed = np.flatnonzero(~dates.day_precision).tolist()
        kept += [values[row] for row in [*list(dates.faults)[:1], *timed[:1]]]
    return list(dict.fromkeys(kept))


def _proven(column: str, values: Sequence[str]) -> DraftedColumn:
    """The type of a column's values, empty ones left out, and its format."""
    boolean, whole, digits = (all(map(holds, values)) for holds in _PLAIN_TYPES)
    if not values or (digits and not whole):  # codes that begin with 0
        return DraftedColumn(FieldType.TEXT, is_empty=not values)
    if boolean or whole:
        return DraftedColumn(FieldType.BOOLEAN if boolean else FieldType.INTEGER)
    doubtful = DraftedColumn(FieldType.TEXT)
    for read in (_as_numbers, _as_dates):
        try:
            if _is_clearly_none(read, column, values):
                continue
            found = read(column, values)
        except AmbiguousInput:
            return DraftedColumn(FieldType.TEXT, doubt=_TWO_READINGS)
        if found is not None and not found.doubt:
            return found
        doubtful = found or doubtful
    return doubtful


def _as_numbers(column: str, values: Sequence[str]) -> DraftedColumn | None:
    """A column of numbers; a text that is nearly one; None for another."""
    parsed = parse_numbers(values, column=column)
    if _are_few(parsed.faults, values):
        return DraftedColumn(FieldType.TEXT, doubt=_doubt(parsed.faults, values, "số", "numbers"))
    if parsed.faults or parsed.notation is None:
        return None
    return DraftedColumn(FieldType.NUMBER, parsed.notation.value)


def _as_dates(column: str, values: Sequence[str]) -> DraftedColumn | None:
    """A column of days or instants; a text that is nearly one; None for another."""
    parsed = parse_dates(values, column=column, asks=False)
    format = None if parsed.format == ISO_8601 else parsed.format
    if _are_few(parsed.faults, values):
        doubt = _doubt(parsed.faults, values, "ngày", "dates")
        return DraftedColumn(FieldType.TEXT, doubt=doubt, nearly_time=(format,))
    if parsed.faults:
        return None
    if not parsed.day_precision.all():
        return DraftedColumn(FieldType.DATETIME)
    return DraftedColumn(FieldType.DATE, format)


def _is_clearly_none(read: _Reader, column: str, values: Sequence[str]) -> bool:
    """True for a long column of which a sample is neither read nor nearly read."""
    few = sample(values)
    if len(few) == len(values):
        return False
    with suppress(AmbiguousInput):
        return read(column, few) is None
    return False


def _are_few(faults: Collection[int], values: Sequence[str]) -> bool:
    return 0 < len(faults) <= (1 - _MOST) * len(values)


def _doubt(faults: Collection[int], values: Sequence[str], vi: str, en: str) -> str:
    good = f"{len(values) - len(faults)}/{len(values)}"
    return (
        f"{good} giá trị là {vi}; nếu cột là {vi} hãy sửa `type`, dòng sai sẽ vào khu cách ly / "
        f"{good} values are {en}: correct `type` if all should be, and the others go to quarantine"
    )


def _is_personal(column: str, values: Sequence[str]) -> bool:
    """True where the name says so, or most values are contacts or numbers of identity."""
    if _PERSONAL.search(column_key(column)):
        return True
    hidden = sum(
        without_contacts(value) != value or _IDENTITY.fullmatch(value) is not None
        for value in values
    )
    return bool(values) and 2 * hidden > len(values)


def mostly(holds: Callable[[str], object], values: Sequence[str]) -> bool:
    """True where most values hold, and there are any."""
    given = sample(values)
    return bool(given) and sum(map(bool, map(holds, given))) >= _MOST * len(given)


def given_values(table: RawTable, column: str) -> list[str]:
    """The values of a column, empty ones left out."""
    return [value for value in table[column] if value]


def sample(values: Sequence[str]) -> Sequence[str]:
    """At most `_LOOKED_AT` values, evenly spread."""
    return values[:: len(values) // (_LOOKED_AT + 1) + 1]
