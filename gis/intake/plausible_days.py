"""Plausible days of a column: what programs write for no date, and slips of the year, are faults.

Years before 1800 and after 2100 are faults of the value itself (gis.intake.dates). Where most
values of a column are implausible the column is read wrongly: that is one question.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import numpy as np
from numpy.typing import NDArray

from gis.clock import HERE
from gis.errors import AmbiguousInput
from gis.intake.dates import FORMATS, ISO_8601, DateWord, parse_dates, utc_array

type Days = NDArray[np.datetime64]
type Mask = NDArray[np.bool_]

USUAL_FIRST = date(1950, 1, 1)
_OFFSET = np.timedelta64(HERE.utcoffset(None))
# Zero and one of spreadsheets, by 1900 and by 1904; zero of SQL Server; the last day before the
# epoch of Unix, in zones west of Greenwich, and its first.
_OF_PROGRAMS = np.array(
    ["1899-12-30", "1899-12-31", "1900-01-01", "1904-01-01", "1904-01-02", "1969-12-31",
     "1970-01-01"], "datetime64[D]",
)  # fmt: skip
_AFTER_THOSE = date(1970, 1, 2)
_LEAST_ASKED = 3  # of fewer values each says by itself what is wrong with it
_TRIED = 200  # values, of a column that is asked about


@dataclass(frozen=True, slots=True)
class DayBounds:
    """The first and the last day that a column may hold, both included.

    `declared`: a person wrote the first one, and means any day from it on.
    """

    first: date
    last: date
    declared: bool = False

    @property
    def sure(self) -> tuple[datetime, datetime]:
        """The instants from which and before which a day is plausible without a closer look."""
        first = self.first if self.declared else max(self.first, _AFTER_THOSE)
        end = self.last + timedelta(days=1)
        return datetime.combine(first, time(), HERE), datetime.combine(end, time(), HERE)


@dataclass(frozen=True, slots=True)
class DayRule:
    """A kind of days that are none: their mask, why, with what to do, and days that it holds for,
    by the usual bounds."""

    holds: Callable[[Days, DayBounds], Mask]
    why: str
    examples: tuple[str, ...]


# The first one that holds for a day counts.
RULES: dict[str, DayRule] = {
    "of a program": DayRule(
        lambda days, bounds: np.isin(days, _OF_PROGRAMS) & (not bounds.declared),
        "“{day}” là ngày mà phần mềm ghi thay cho ô trống; hãy ghi đúng ngày hoặc để trống (nếu "
        "đúng là ngày ấy: ghi `earliest` trong tệp lớp) / is what programs write for no date: give "
        "the day or leave it empty, or, if it is meant, write `earliest` into the layer file",
        ("1899-12-30", "1900-01-01", "1904-01-01", "1970-01-01"),
    ),
    "too early": DayRule(
        lambda days, bounds: days < np.datetime64(bounds.first),
        "“{day}” quá sớm, {vi} / is too early: {en}",
        ("1800-01-01", "1925-06-01", "1949-12-31"),
    ),
    "too late": DayRule(
        lambda days, bounds: days > np.datetime64(bounds.last),
        "“{day}” quá xa về sau, {vi} / is too far ahead: {en}",
        ("2099-12-31", "2068-12-25", "2100-01-01"),
    ),
}
_VI = "phải trong {first} … {last}; hãy sửa ngày, hoặc đổi `earliest`, `ahead_days` trong tệp lớp"
_EN = "give a day in {first} … {last}, or change `earliest`, `ahead_days` in the layer file"


def days_of(utc: NDArray[np.datetime64]) -> Days:
    """The day of each instant (UTC, NaT where there is none) in the country."""
    return (utc + _OFFSET).astype("datetime64[D]")


def implausible_days(days: Days, bounds: DayBounds) -> dict[int, str]:
    """By row, why a day is none; NaT is no fault."""
    faults: dict[int, str] = {}
    vi, en = (words.format(first=bounds.first, last=bounds.last) for words in (_VI, _EN))
    for rule in RULES.values():
        for row in np.flatnonzero(rule.holds(days, bounds)).tolist():
            faults.setdefault(row, rule.why.format(day=days[row], vi=vi, en=en))
    return faults


def implausible_instants(instants: Sequence[datetime | None], bounds: DayBounds) -> dict[int, str]:
    """As `implausible_days`, of instants with zones."""
    given = [instant for instant in instants if instant is not None]
    begin, end = bounds.sure
    if not given or (min(given) >= begin and max(given) < end):
        return {}
    return implausible_days(days_of(utc_array(instants)), bounds)


def ask_about_days(
    column: str,
    values: Sequence[str],
    implausible: Collection[int],
    bounds: DayBounds,
    format: str | None,
    zone: str = "+07:00",
) -> None:
    """Raises AmbiguousInput where most values of a column, at the rows `implausible`, are no
    plausible days; `format` is that by which they were read.
    """
    given = sum(map(bool, values))
    if len(implausible) < _LEAST_ASKED or 2 * len(implausible) <= given:
        return
    distinct = list(dict.fromkeys(value for value in values if value))[:_TRIED]
    words = [word for word in DateWord if _makes_plausible(word, distinct, bounds, zone)]
    answers = "".join(f"--date-format {word}, hoặc (or) " for word in words)
    examples = ", ".join(f"“{values[row]}”" for row in sorted(implausible)[:3])
    raise AmbiguousInput(
        f"cột “{column}”: {len(implausible)}/{given} giá trị không thể là ngày thật, ví dụ "
        f"{examples}; phải trong {bounds.first} … {bounds.last}; hãy xem lại cột, đổi `earliest`, "
        f"`ahead_days` trong tệp lớp nếu các ngày ấy đúng, hoặc khai báo {answers}--date-format "
        f"{_same(format)} để đưa chúng vào cách ly / column “{column}”: most of its days cannot be "
        "meant; check the column, change `earliest`, `ahead_days` in the layer file if they are, "
        "or say how they are written; the last answer sends them to quarantine"
    )


def _makes_plausible(word: DateWord, values: Sequence[str], bounds: DayBounds, zone: str) -> bool:
    read = parse_dates(values, word, zone, asks=False)
    faults = read.faults | implausible_instants(read.instants, bounds)
    return 2 * len(faults) < len(values)


def _same(format: str | None) -> str:
    """The answer that reads a column as it was read."""
    words = {order: DateWord.DAY_FIRST if "d/%m" in order else DateWord.MONTH_FIRST
             for order in FORMATS.values()}  # fmt: skip
    if format in (None, ISO_8601):
        return DateWord.ISO
    return words.get(format) or (format if format in tuple(DateWord) else f"'{format}'")
