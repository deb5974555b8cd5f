"""Readers of values that clients write as text, by the type of the property."""

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from gis.clock import HERE
from gis.errors import BadInput
from gis.values import TimeSpan
from layers.definition.model import FieldType
from layers.items.columns import ServedColumn

_OPEN = ("", "..")
_YEAR_0 = "0000-"  # RFC 3339 has that year and Python has not; QGIS 3.22 means an open start by it


def literal_of(served: ServedColumn, text: str) -> Any:
    """The value of a text, of the type of the property.

    Raises BadInput with the form that would be right.
    """
    read, expected = _READERS[served.type]
    try:
        return read(text)
    except (ValueError, OverflowError):
        raise BadInput(f"{served.name}={text!r} is wrong: {served.name} is {expected}") from None


def instant_of(text: str) -> datetime:
    """An RFC 3339 instant; raises ValueError unless it has a zone."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None or len(text) < len("2024-09-10T00:00Z"):
        raise ValueError(text)
    return instant.astimezone(UTC)


def span_of(text: str) -> TimeSpan:
    """An instant, a day (in Vietnam) or an interval of these with open ends, as in `datetime`.

    An instant without a zone, as QGIS sends what its user typed, is Vietnamese too. Raises
    BadInput saying what would be right.
    """
    start, slash, end = text.partition("/")
    if slash and start.startswith(_YEAR_0):
        start = ".."
    try:
        if not slash:
            return TimeSpan(_start_of(text), _end_of(text))
        if start in _OPEN and end in _OPEN:
            return TimeSpan(None, None)
        return TimeSpan(
            None if start in _OPEN else _start_of(start), None if end in _OPEN else _end_of(end)
        )
    except (ValueError, OverflowError):
        raise BadInput(
            f"datetime={text!r} is wrong: give an instant such as 2024-09-10T08:00:00Z, a day such "
            "as 2024-09-10, or an interval start/end, where .. is an open end"
        ) from None


def _start_of(text: str) -> datetime:
    return _instant_here(text) if "T" in text.upper() else _midnight(text).astimezone(UTC)


def _instant_here(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if len(text) < len("2024-09-10T00:00"):
        raise ValueError(text)
    return (instant if instant.tzinfo else instant.replace(tzinfo=HERE)).astimezone(UTC)


def _end_of(text: str) -> datetime:
    if "T" in text.upper():
        return _instant_here(text)
    last = _midnight(text) + timedelta(days=1) - timedelta(microseconds=1)
    return last.astimezone(UTC)


def _midnight(text: str) -> datetime:
    day = day_of(text)
    return datetime(day.year, day.month, day.day, tzinfo=HERE)


def day_of(text: str) -> date:
    if len(text) != len("2024-09-10"):
        raise ValueError(text)
    return date.fromisoformat(text)


def _integer(text: str) -> int:
    number = int(text)
    if not -(2**63) <= number < 2**63:
        raise ValueError(text)
    return number


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _text(text: str) -> str:
    if "\x00" in text:
        raise ValueError(text)
    return text


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


_READERS: dict[FieldType, tuple[Callable[[str], Any], str]] = {
    FieldType.TEXT: (_text, "text without a NUL character"),
    FieldType.INTEGER: (_integer, "a whole number"),
    FieldType.NUMBER: (_number, "a number with a decimal point"),
    FieldType.BOOLEAN: (_boolean, "true or false"),
    FieldType.DATE: (day_of, "a day such as 2024-09-10"),
    FieldType.DATETIME: (instant_of, "an instant with its zone, such as 2024-09-10T08:00:00Z"),
}
