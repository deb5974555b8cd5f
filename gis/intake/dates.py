"""Parser of dates by a declared or proven format; ambiguous dates are asked about, not guessed."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from gis.errors import AmbiguousInput, BadInput

ISO_8601 = "ISO 8601"
_MIDNIGHT = time()
_HAS_TIME = re.compile(r"%[HIMSfpTXcsR]")
_ZONE = re.compile(r"([+-])(\d\d):?(\d\d)")
_TIME = r"(?P<hour>\d{1,2})\s*(?:[:hg]|giờ)\s*(?:(?P<minute>\d{2})(?::(?P<second>\d{2}))?)?p?h?"
_HALF = r"(?P<half>AM|PM|SA|CH)"  # SA, CH: sáng, chiều, as Vietnamese Windows writes them
_CLOCK = rf"{_TIME}(?:\.\d+)?(?:\s*{_HALF})?"
_NUMERIC = (
    r"(?P<first>\d{1,2})(?P<mark>[/.-])(?P<second_part>\d{1,2})(?P=mark)(?P<year>\d{4}|\d{2})"
)
_DAY_FIRST_WORDS = re.compile(
    rf"(?:{_CLOCK}[\s,]*)?(?:ngày\s+)?(?P<first>\d{{1,2}})\s+tháng\s+(?P<second_part>\d{{1,2}})"
    r"[\s,]+(?:năm\s+)?(?P<year>\d{4})",
    re.IGNORECASE,
)
_DATE_TIME = re.compile(rf"{_NUMERIC}(?:[\s,T]+{_CLOCK})?", re.IGNORECASE)
_TIME_DATE = re.compile(rf"{_CLOCK}[\s,]+(?:ngày\s+)?{_NUMERIC}", re.IGNORECASE)
_YEAR_FIRST = re.compile(
    r"(?P<year>\d{4})(?P<mark>[-/.]?)(?P<month>\d{2})(?P=mark)(?P<day>\d{2})"
    r"(?:[T ](?P<clock>\d{2}:?\d{2}(?::?\d{2}(?:[.,]\d+)?)?)\s*(?P<zone>Z|[+-]\d{2}(?::?\d{2})?)?)?"
)


class DateOrder(StrEnum):
    DAY_FIRST = "dd/mm"
    MONTH_FIRST = "mm/dd"


FORMATS = {DateOrder.DAY_FIRST: "%d/%m/%Y", DateOrder.MONTH_FIRST: "%m/%d/%Y"}


@dataclass(frozen=True, slots=True)
class DateColumn:
    """The instants of a column, each with a zone; None where there is none or it is a fault.

    `day_precision` is true where the source gave a day and no time of day; the instant is then
    the start of that day. `faults` maps 0-based rows to messages. `format` is the format by which
    the values were read, `proof` the value that proved it.
    """

    instants: list[datetime | None]
    day_precision: NDArray[np.bool_]
    faults: dict[int, str]
    format: str
    proof: str | None = None


@dataclass(slots=True)
class _DateParts:
    """One value as parts, before the order of day and month is known."""

    first: int
    second: int
    year: int
    short_year: bool
    clock: time | None
    mark: str
    orders: frozenset[DateOrder] = field(default_factory=frozenset)


type _Parsed = tuple[datetime, bool] | str


def parse_dates(
    values: Iterable[str | None],
    format: str | None = None,
    zone: str = "+07:00",
    *,
    column: str = "date",
) -> DateColumn:
    """Instants of a column of text.

    `format` is a strptime format, or None: then the values must be year-first (ISO 8601), name
    the month in Vietnamese words, or at least one must prove the order of day and month. A
    year-first value is read as such under any format. `zone` holds for values that name none.
    Empty values give None and no fault.

    Raises AmbiguousInput when day and month can be exchanged in every value, when values prove
    both orders, when years have two digits, or when no value at all fits the declared format;
    BadInput for an unknown `zone`.
    """
    texts = [_clean(value) for value in values]
    distinct = sorted({text for text in texts if text})
    home = parse_zone(zone)
    if format is not None and format != ISO_8601:
        parsed = {text: _by_format(text, format, home) for text in distinct}
        _ask_if_nothing_fits(column, format, parsed)
        return _column(texts, parsed, format, None)
    readings = {text: _parts_of(text) for text in distinct}
    order, proof = _order(column, [(t, r) for t, r in readings.items() if r])
    parsed = {text: _resolve(text, reading, order, home) for text, reading in readings.items()}
    return _column(texts, parsed, FORMATS[order] if order else ISO_8601, proof)


def parse_zone(zone: str) -> tzinfo:
    """The fixed offset of `+07:00` or `Z`; raises BadInput."""
    if zone == "Z":
        return UTC
    match = _ZONE.fullmatch(zone)
    if match is None:
        raise BadInput(
            f"không hiểu múi giờ “{zone}”; hãy ghi độ lệch như +07:00 / "
            f"time zone “{zone}” is unknown; write an offset such as +07:00"
        )
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return timezone(-offset if match[1] == "-" else offset)


def _clean(value: str | None) -> str:
    return value.strip() if isinstance(value, str) else ""


def _column(
    texts: Sequence[str], parsed: dict[str, _Parsed], format: str, proof: str | None
) -> DateColumn:
    instants: list[datetime | None] = []
    faults: dict[int, str] = {}
    days = np.zeros(len(texts), dtype=np.bool_)
    for row, text in enumerate(texts):
        result = parsed.get(text)
        if isinstance(result, tuple):
            instants.append(result[0])
            days[row] = result[1]
            continue
        instants.append(None)
        if result is not None:
            faults[row] = result
    return DateColumn(instants, days, faults, format, proof)


def _by_format(text: str, format: str, home: tzinfo) -> _Parsed:
    try:
        instant = datetime.strptime(text, format)
    except ValueError:
        if _YEAR_FIRST.fullmatch(text):  # as spreadsheets and databases give their own dates
            return _year_first(text, home)
        return f"“{text}”: không theo dạng {format} / is not a date of the form {format}"
    return _zoned(instant, home), _HAS_TIME.search(format) is None


def _zoned(instant: datetime, home: tzinfo) -> datetime:
    return instant if instant.tzinfo else instant.replace(tzinfo=home)


def _ask_if_nothing_fits(column: str, format: str, parsed: dict[str, _Parsed]) -> None:
    if parsed and all(isinstance(result, str) for result in parsed.values()):
        raise AmbiguousInput(
            f"cột “{column}”: không giá trị nào theo dạng {format}, ví dụ {_examples(parsed)}; "
            "hãy khai báo dạng đúng bằng --date-format / "
            f"column “{column}”: none of its values has the form {format}; give the form they "
            f"have with --date-format, such as --date-format '{FORMATS[DateOrder.DAY_FIRST]}'"
        )


def _parts_of(text: str) -> _DateParts | None:
    """The parts of a value with day and month before the year; None for other forms."""
    for pattern in (_DATE_TIME, _TIME_DATE, _DAY_FIRST_WORDS):
        match = pattern.fullmatch(text)
        if match is not None:
            return _parts_of_match(match, words=pattern is _DAY_FIRST_WORDS)
    return None


def _parts_of_match(match: re.Match[str], *, words: bool) -> _DateParts | None:
    try:
        clock = _clock(match)
    except ValueError:
        return None
    year = match["year"]
    reading = _DateParts(
        int(match["first"]), int(match["second_part"]), int(year), len(year) == 2, clock,
        "" if words else match["mark"],
    )  # fmt: skip
    possible = {DateOrder.DAY_FIRST} if words else set(DateOrder)
    reading.orders = frozenset(order for order in possible if _day(reading, order) is not None)
    return reading


def _clock(match: re.Match[str]) -> time | None:
    if match["hour"] is None:
        return None
    hour, half = int(match["hour"]), (match["half"] or "").upper()
    if half and not 1 <= hour <= 12:
        raise ValueError(half)
    if half:
        hour = hour % 12 + (12 if half in ("PM", "CH") else 0)
    return time(hour, int(match["minute"] or 0), int(match["second"] or 0))


def _day(reading: _DateParts, order: DateOrder) -> datetime | None:
    day, month = reading.first, reading.second
    if order is DateOrder.MONTH_FIRST:
        day, month = month, day
    try:
        clock = reading.clock or _MIDNIGHT
        return datetime(reading.year, month, day, clock.hour, clock.minute, clock.second)
    except ValueError:
        return None


def _order(
    column: str, readings: Sequence[tuple[str, _DateParts]]
) -> tuple[DateOrder | None, str | None]:
    """The order that the values prove, with the value that proves it; raises AmbiguousInput."""
    marked = [(text, reading) for text, reading in readings if reading.mark]
    short = [text for text, reading in marked if reading.short_year]
    if short:
        raise AmbiguousInput(_question(column, short, _SHORT_YEARS, year="%y"))
    proofs = {_proven_order(reading): text for text, reading in reversed(marked)}
    proofs.pop(None, None)
    if len(proofs) == 2:
        raise AmbiguousInput(
            f"cột “{column}” có cả hai thứ tự: “{proofs[DateOrder.DAY_FIRST]}” là dd/mm, "
            f"“{proofs[DateOrder.MONTH_FIRST]}” là mm/dd; {_answer('%Y')} / "
            f"column “{column}” holds values that prove opposite orders; say which is right, "
            "and the others become faults of their rows"
        )
    if proofs:
        return next(iter(proofs.items()))
    undecided = [text for text, reading in marked if reading.orders and _is_exchangeable(reading)]
    if undecided:
        raise AmbiguousInput(_question(column, undecided, _BOTH_ORDERS))
    return (DateOrder.DAY_FIRST if marked else None), None


def _proven_order(reading: _DateParts) -> DateOrder | None:
    return next(iter(reading.orders)) if len(reading.orders) == 1 else None


def _is_exchangeable(reading: _DateParts) -> bool:
    return reading.first != reading.second


def _resolve(
    text: str, reading: _DateParts | None, order: DateOrder | None, home: tzinfo
) -> _Parsed:
    if reading is None:
        return _year_first(text, home)
    if not reading.mark:
        order = DateOrder.DAY_FIRST
    instant = _day(reading, order) if order else None
    if instant is None:
        return f"“{text}”: không có ngày này / is no day, read as {order or DateOrder.DAY_FIRST}"
    return instant.replace(tzinfo=home), reading.clock is None


def _year_first(text: str, home: tzinfo) -> _Parsed:
    match = _YEAR_FIRST.fullmatch(text)
    if match is None:
        return f"“{text}”: không phải ngày / is not a date; 2024-09-05, 2024-09-05T14:30:00+07:00"
    try:
        day = datetime(int(match["year"]), int(match["month"]), int(match["day"]))
        clock = time.fromisoformat(match["clock"].replace(",", ".")) if match["clock"] else None
    except ValueError:
        return f"“{text}”: không có ngày, giờ này / is no day or time, read as year-month-day"
    zone = match["zone"]
    instant = datetime.combine(day, clock or time())
    return instant.replace(tzinfo=_written_zone(zone) if zone else home), clock is None


def _written_zone(zone: str) -> tzinfo:
    return parse_zone(zone if len(zone) != 3 else f"{zone}:00")


_BOTH_ORDERS = ("đọc được cả dd/mm và mm/dd", "can be read as dd/mm and as mm/dd")
_SHORT_YEARS = ("năm chỉ có hai chữ số", "have years of two digits")


def _question(
    column: str, values: Sequence[str], problem: tuple[str, str], *, year: str = "%Y"
) -> str:
    vi, en = problem
    return (
        f"cột “{column}”: {vi}, ví dụ {_examples(values)}; {_answer(year)} / "
        f"column “{column}”: its values {en}; say which it is"
    )


def _answer(year: str) -> str:
    return (
        f"hãy khai báo --date-format '%d/%m/{year}' hoặc (or) --date-format '%m/%d/{year}', "
        "hay `format` trong tệp lớp (in the layer file)"
    )


def _examples(values: Iterable[str]) -> str:
    return ", ".join(f"“{value}”" for value in list(values)[:3])
