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
# Years of what an office records; others are slips of typing, or years of the Buddhist era.
MIN_YEAR, MAX_YEAR = 1800, 2100
BUDDHIST_YEARS = 543
_MIDNIGHT = time()
_HAS_TIME = re.compile(r"%[HIMSfpTXcsR]")
_ZONE = re.compile(r"([+-])(\d\d):?(\d\d)")
_TIME = (
    r"(?P<hour>\d{1,2})\s*(?:[:hg]|giờ)\s*"
    r"(?:(?P<minute>\d{1,2})(?::(?P<second>\d{2}))?\s*(?:phút|ph|p|')?)?h?"
)
_HALF = r"(?P<half>AM|PM|SA|CH)"  # SA, CH: sáng, chiều, as Vietnamese Windows writes them
_CLOCK = rf"{_TIME}(?:\.\d+)?(?:\s*{_HALF})?"
_WEEKDAY = r"(?:(?:thứ\s+\w+|chủ nhật|t[2-7]|cn)\s*,?\s+)?"
_DAY = r"(?:lúc\s+)?(?:ngày\s+)?"
_NUMERIC = (
    r"(?P<first>\d{1,2})(?P<mark>[/.-])(?P<second_part>\d{1,2})(?P=mark)(?P<year>\d{4}|\d{2})"
)
_DAY_FIRST_WORDS = re.compile(
    rf"(?:(?:lúc\s+)?{_CLOCK}[\s,]*)?{_WEEKDAY}{_DAY}(?P<first>\d{{1,2}})\s+tháng\s+(?P<second_part>\d{{1,2}})"
    r"[\s,]+(?:năm\s+)?(?P<year>\d{4})",
    re.IGNORECASE,
)
_DATE_TIME = re.compile(
    rf"{_WEEKDAY}{_DAY}{_NUMERIC}(?:[\s,T]+(?:lúc\s+)?{_CLOCK})?", re.IGNORECASE
)
_TIME_DATE = re.compile(rf"(?:lúc\s+)?{_CLOCK}[\s,]+{_WEEKDAY}{_DAY}{_NUMERIC}", re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,13}(?:[.,]\d{1,12})?")
_YEAR_FIRST = re.compile(
    r"(?P<year>\d{4})(?P<mark>[-/.]?)(?P<month>\d{2})(?P=mark)(?P<day>\d{2})"
    r"(?:[T ](?P<clock>\d{2}:?\d{2}(?::?\d{2}(?:[.,]\d+)?)?)\s*(?P<zone>Z|[+-]\d{2}(?::?\d{2})?)?)?"
)
# In the words of RE2: a day, or a time whose zone is written or none.
_USUAL = (
    r"\A((19[0-9][0-9]|20[0-3][0-9])-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?)?\z"
)
_USUAL_ZONE = r"(Z|[+-][0-9]{2}:[0-9]{2})\z"
_DAY_LENGTH = 10


class DateOrder(StrEnum):
    DAY_FIRST = "dd/mm"
    MONTH_FIRST = "mm/dd"


FORMATS = {DateOrder.DAY_FIRST: "%d/%m/%Y", DateOrder.MONTH_FIRST: "%m/%d/%Y"}


class DateWord(StrEnum):
    """Words for ways of writing dates, which may stand in the place of a strptime format."""

    DAY_FIRST = "day-first"
    MONTH_FIRST = "month-first"
    BUDDHIST = "buddhist"  # day first, years of the Buddhist era
    EXCEL = "excel"  # days since 1899-12-30, as spreadsheets count
    EPOCH_S = "epoch-s"  # seconds since 1970, UTC
    EPOCH_MS = "epoch-ms"
    ISO = "iso"  # year first; what is not is a fault of its row


_ORDERS = {
    DateWord.DAY_FIRST: DateOrder.DAY_FIRST,
    DateWord.MONTH_FIRST: DateOrder.MONTH_FIRST,
    DateWord.BUDDHIST: DateOrder.DAY_FIRST,
}
_SECONDS = {DateWord.EPOCH_S: 1, DateWord.EPOCH_MS: 1_000}
_EXCEL_DAY_0 = datetime(1899, 12, 30)
_PROVING_YEARS = range(1990, 2101)  # of a bare number that is proposed to be a date


class ImplausibleYear(str):
    """Message on a value that is a date, of a year in which nothing can be."""

    __slots__ = ()


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


@dataclass(frozen=True, slots=True)
class InstantColumn:
    """The instants of a column in UTC, microseconds; NaT where there is none or it is a fault.

    `faults` maps 0-based rows to messages, `format` is that by which the values were read.
    """

    utc: NDArray[np.datetime64]
    faults: dict[int, str]
    format: str


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
    asks: bool = True,
    deciding: Sequence[str] | None = None,
) -> DateColumn:
    """Instants of a column of text.

    `format` is a strptime format, a DateWord, or None: then the values must be year-first (ISO
    8601), name the month in Vietnamese words, or at least one must prove the order of day and
    month. A year-first value is read as such under any format. `zone` holds for values that name
    none. Empty values give None and no fault; a year before 1800 or after 2100 is a fault.
    `deciding`: the values are a part of a column of which these decide (see `deciding_dates`).

    Raises AmbiguousInput when day and month can be exchanged in every value, when values prove
    both orders, when years have two digits, or when several values are there and none is a date
    in the declared format or at all (unless `asks` is false: then each is a fault of its row);
    BadInput for an unknown `zone`.
    """
    values = list(values)
    home = parse_zone(zone)
    if format in (None, ISO_8601) and _are_usual(deciding or ()):
        usual = _usual_column(values, home)
        if usual is not None:
            return usual
    texts = [_clean(value) for value in values]
    column_texts = texts if deciding is None else [*texts, *deciding]
    distinct = sorted({text for text in column_texts if text})
    if format is not None and format != ISO_8601:
        parsed = {text: _declared(text, format, home) for text in distinct}
        if asks and format != DateWord.ISO and not _any_read(parsed):
            raise _nothing_fits(column, format, distinct, home)
        return _column(texts, parsed, format, None)
    readings = {text: _parts_of(text) for text in distinct}
    order, proof = _order(column, [(t, r) for t, r in readings.items() if r], distinct)
    parsed = {text: _resolve(text, reading, order, home) for text, reading in readings.items()}
    several = sum(map(bool, texts if deciding is None else deciding)) > 1
    if asks and several and not _any_read(parsed):
        raise _nothing_fits(column, None, distinct, home)
    return _column(texts, parsed, FORMATS[order] if order else ISO_8601, proof)


def parse_instants(
    values: Sequence[str],
    format: str | None = None,
    zone: str = "+07:00",
    *,
    column: str = "date",
    asks: bool = True,
    deciding: Sequence[str] | None = None,
) -> InstantColumn:
    """The instants of a column as an array; arguments and errors are those of `parse_dates`."""
    home = parse_zone(zone)
    if format in (None, ISO_8601) and _are_usual(deciding or ()):
        utc = _usual_instants(values, home)
        if utc is not None:
            return InstantColumn(utc, {}, ISO_8601)
    read = parse_dates(values, format, zone, column=column, asks=asks, deciding=deciding)
    return InstantColumn(utc_array(read.instants), read.faults, read.format)


def utc_array(instants: Iterable[datetime | None]) -> NDArray[np.datetime64]:
    """Instants with zones as an array in UTC, NaT for None."""
    naive = [each and each.astimezone(UTC).replace(tzinfo=None) for each in instants]
    return np.array(naive, "datetime64[us]")


def deciding_dates(values: Iterable[str | None], format: str | None = None) -> list[str]:
    """The few values of a column that decide how it is read: the least of each kind.

    A kind are those that prove one order of day and month, those of short years, those that fit
    both orders, and those that are no date; by a `format`, those that fit it and those that do
    not. The only one is there twice where the column has several. Those of a whole column are
    those of what its parts give.
    """
    values = list(values)
    declared = format if format != ISO_8601 else None
    if declared is None and _are_usual(values):
        read = next((text for text in values if text and _is_read(_year_first(text, UTC))), None)
        if read is not None:
            return [read]
    texts = [text for text in map(_clean, values) if text]
    kinds: dict[object, str] = {}
    for text in sorted(set(texts)):
        if declared is not None:
            kinds.setdefault(_is_read(_declared(text, declared, UTC)), text)
        else:
            kinds.setdefault(_kind(text), text)
    deciding = list(kinds.values())
    return deciding * 2 if len(deciding) == 1 < len(texts) else deciding


def _kind(text: str) -> object:
    reading = _parts_of(text)
    if reading is None:
        return _is_read(_year_first(text, UTC))
    exchangeable = bool(reading.orders) and _is_exchangeable(reading)
    proven = _proven_order(reading) if reading.mark else None
    read = [_is_read(_resolve(text, reading, order, UTC)) for order in DateOrder]
    return (reading.mark != "", reading.short_year, proven, exchangeable, *read)


def _is_read(parsed: _Parsed) -> bool:
    return not isinstance(parsed, str)


def _are_usual(values: Sequence[str | None]) -> bool:
    """True where all values are empty or like 2026-03-01T08:00:00+07:00, of our time."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        texts = pa.array(values, pa.string())
    except (pa.ArrowException, TypeError):
        return False
    return bool(pc.all(pc.match_substring_regex(texts, _USUAL), min_count=0).as_py())


def _usual_column(values: Sequence[str | None], home: tzinfo) -> DateColumn | None:
    """The instants of usual values, which need no look at each; None for a column of others."""
    if not _are_usual(values):
        return None
    days = np.array([len(value or "") == _DAY_LENGTH for value in values], np.bool_)
    read = datetime.fromisoformat
    try:
        instants = [read(value) if value else None for value in values]
    except ValueError:  # no such day
        return None
    zoned = [
        each if each is None or each.tzinfo else each.replace(tzinfo=home) for each in instants
    ]
    return DateColumn(zoned, days, {}, ISO_8601)


def _usual_instants(values: Sequence[str], home: timezone) -> NDArray[np.datetime64] | None:
    """The instants (UTC) of usual values; None for a column of others, and for no such day."""
    if not _are_usual(values):
        return None
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = pa.array(values, pa.string())
    zoned = pc.match_substring_regex(texts, _USUAL_ZONE)
    given = pc.not_equal(texts, "")
    utc = np.full(len(values), "NaT", "datetime64[us]")
    for mask, zone in ((zoned, "UTC"), (pc.and_(given, pc.invert(zoned)), None)):
        try:
            read = pc.cast(pc.filter(texts, mask), pa.timestamp("us", zone))
        except pa.ArrowInvalid:  # no such day
            return None
        rows = mask.to_numpy(zero_copy_only=False)
        utc[rows] = read.to_numpy(zero_copy_only=False).astype("datetime64[us]")
        if zone is None:
            utc[rows] -= np.timedelta64(home.utcoffset(None))
    return utc


def parse_zone(zone: str) -> timezone:
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


def _declared(text: str, format: str, home: tzinfo) -> _Parsed:
    """The reading of a value by a declared format or word."""
    if format in _ORDERS:
        return _in_order(text, DateWord(format), home)
    if format in _SECONDS:
        return _by_seconds(text, _SECONDS[DateWord(format)], home)
    if format == DateWord.EXCEL:
        return _by_excel(text, home)
    if format == DateWord.ISO:
        return _year_first(text, home)
    try:
        instant = datetime.strptime(text, format)
    except (ValueError, re.error):
        if _YEAR_FIRST.fullmatch(text):  # as spreadsheets and databases give their own dates
            return _year_first(text, home)
        return f"“{text}”: không theo dạng {format} / is not a date of the form {format}"
    return _plausible(text, _zoned(instant, home), _HAS_TIME.search(format) is None)


def _in_order(text: str, word: DateWord, home: tzinfo) -> _Parsed:
    reading = _parts_of(text)
    if reading is None:
        read = _year_first(text, home)
        if word is DateWord.BUDDHIST and isinstance(read, ImplausibleYear):
            return _year_first(_less_buddhist_years(text), home)
        return read
    if reading.short_year:  # as strptime has it (POSIX): 69–99 are of the twentieth century
        reading.year += 1900 if reading.year >= 69 else 2000
    if word is DateWord.BUDDHIST:
        reading.year -= BUDDHIST_YEARS
    return _resolve(text, reading, _ORDERS[word], home)


def _less_buddhist_years(text: str) -> str:
    """A year-first value whose year is of the Buddhist era, as spreadsheets give such dates."""
    return f"{max(int(text[:4]) - BUDDHIST_YEARS, 0):04}{text[4:]}"


def _by_seconds(text: str, parts: int, home: tzinfo) -> _Parsed:
    if not _NUMBER.fullmatch(text):
        return _year_first(text, home)
    try:
        instant = datetime.fromtimestamp(float(text.replace(",", ".")) / parts, home)
    except (ValueError, OverflowError, OSError):
        return _implausible(text)
    return _plausible(text, instant, False)


def _by_excel(text: str, home: tzinfo) -> _Parsed:
    if not _NUMBER.fullmatch(text):
        return _year_first(text, home)
    days = float(text.replace(",", "."))
    try:
        instant = _EXCEL_DAY_0 + timedelta(seconds=round(days * 86_400))
    except OverflowError:
        return _implausible(text)
    return _plausible(text, instant.replace(tzinfo=home), days.is_integer())


def _zoned(instant: datetime, home: tzinfo) -> datetime:
    return instant if instant.tzinfo else instant.replace(tzinfo=home)


def _plausible(text: str, instant: datetime, is_day: bool) -> _Parsed:
    if MIN_YEAR <= instant.year <= MAX_YEAR:
        return instant, is_day
    return _implausible(text, instant.year)


def _implausible(text: str, year: int | None = None) -> str:
    era = year is not None and MIN_YEAR <= year - BUDDHIST_YEARS <= MAX_YEAR
    buddhist = f" (Phật lịch? Buddhist era? {year - BUDDHIST_YEARS})" if era and year else ""
    return ImplausibleYear(
        f"“{text}”: năm phải từ {MIN_YEAR} đến {MAX_YEAR}{buddhist} / "
        f"its year is not within {MIN_YEAR}–{MAX_YEAR}"
    )


def _any_read(parsed: dict[str, _Parsed]) -> bool:
    return not parsed or any(map(_is_read, parsed.values()))


def _nothing_fits(
    column: str, format: str | None, distinct: Sequence[str], home: tzinfo
) -> AmbiguousInput:
    """The question about a column of which no value is a date, with answers that read some."""
    words = _words_that_read(distinct, home)
    answers = " hoặc (or) ".join(f"--date-format {word}" for word in words)
    form_vi = f" theo dạng {format}" if format else ""
    fault_en = f"has the form {format}" if format else "is a date"
    quarantine = " (iso: vào cách ly / to quarantine)" if DateWord.ISO in words else ""
    return AmbiguousInput(
        f"cột “{column}”: không giá trị nào là ngày{form_vi}, ví dụ {_examples(distinct)}; hãy xem "
        f"lại cột, hoặc khai báo {answers}{quarantine} / column “{column}”: none of its values "
        f"{fault_en}; check the column, or say how its dates are written"
    )


def _words_that_read(distinct: Sequence[str], home: tzinfo) -> list[str]:
    """Words under which most of the values are dates; `iso` where there is none."""
    words = [
        word
        for word in (DateWord.DAY_FIRST, DateWord.MONTH_FIRST, DateWord.BUDDHIST, *_BARE)
        if sum(_reads(text, word, home) for text in distinct) * 2 > len(distinct)
    ]
    orders = {DateWord.DAY_FIRST, DateWord.MONTH_FIRST}
    return [str(word) for word in words if not (orders & set(words) and word not in orders)] or [
        str(DateWord.ISO)
    ]


_BARE = (DateWord.EPOCH_MS, DateWord.EPOCH_S, DateWord.EXCEL)


def _reads(text: str, word: DateWord, home: tzinfo) -> bool:
    parsed = _declared(text, word, home)
    return not isinstance(parsed, str) and (word not in _BARE or parsed[0].year in _PROVING_YEARS)


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
    column: str, readings: Sequence[tuple[str, _DateParts]], distinct: Sequence[str]
) -> tuple[DateOrder | None, str | None]:
    """The order that the values prove, with the value that proves it; raises AmbiguousInput."""
    marked = [(text, reading) for text, reading in readings if reading.mark]
    short = [text for text, reading in marked if reading.short_year]
    if short:
        raise AmbiguousInput(_question(column, short, _SHORT_YEARS, distinct))
    proofs = {_proven_order(reading): text for text, reading in reversed(marked)}
    proofs.pop(None, None)
    if len(proofs) == 2:
        raise AmbiguousInput(
            f"cột “{column}” có cả hai thứ tự: “{proofs[DateOrder.DAY_FIRST]}” là dd/mm, "
            f"“{proofs[DateOrder.MONTH_FIRST]}” là mm/dd; {_answer(distinct)} / "
            f"column “{column}” holds values that prove opposite orders; say which is right, "
            "and the others become faults of their rows"
        )
    if proofs:
        return next(iter(proofs.items()))
    undecided = [text for text, reading in marked if reading.orders and _is_exchangeable(reading)]
    if undecided:
        raise AmbiguousInput(_question(column, undecided, _BOTH_ORDERS, distinct))
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
    return _plausible(text, instant.replace(tzinfo=home), reading.clock is None)


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
    return _plausible(
        text, instant.replace(tzinfo=_written_zone(zone) if zone else home), clock is None
    )


def _written_zone(zone: str) -> tzinfo:
    return parse_zone(zone if len(zone) != 3 else f"{zone}:00")


_BOTH_ORDERS = ("đọc được cả dd/mm và mm/dd", "can be read as dd/mm and as mm/dd")
_SHORT_YEARS = ("năm chỉ có hai chữ số", "have years of two digits")


def _question(
    column: str, values: Sequence[str], problem: tuple[str, str], distinct: Sequence[str]
) -> str:
    vi, en = problem
    return (
        f"cột “{column}”: {vi}, ví dụ {_examples(values)}; {_answer(distinct)} / "
        f"column “{column}”: its values {en}; say which it is"
    )


def _answer(distinct: Sequence[str]) -> str:
    """The two orders: as formats that fit all values, else as words."""
    answers: tuple[str, ...] = (DateWord.DAY_FIRST, DateWord.MONTH_FIRST)
    for year in ("%Y", "%y"):
        if all(_is_numeric(text, year) for text in distinct):
            answers = (f"'%d/%m/{year}'", f"'%m/%d/{year}'")
    day_first, month_first = answers
    return (
        f"hãy khai báo --date-format {day_first} hoặc (or) --date-format {month_first}, "
        "hay `format` trong tệp lớp (in the layer file)"
    )


def _is_numeric(text: str, year: str) -> bool:
    match = _DATE_TIME.fullmatch(text)
    plain = match is not None and match["mark"] == "/" and match["hour"] is None
    return plain and text[0].isdigit() and (len(match["year"]) == 4) == (year == "%Y")  # type: ignore[index]


def _examples(values: Iterable[str]) -> str:
    return ", ".join(f"“{value}”" for value in list(values)[:3])
