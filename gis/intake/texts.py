"""Text of typed values of binary formats, as a person would have written it."""

import json
from datetime import date, datetime, time, timedelta
from typing import Any

_MIDNIGHT = time()


def number_text(value: float) -> str:
    """The shortest text that gives the number back; empty for NaN."""
    if value != value:
        return ""
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)


def value_text(value: Any) -> str:
    """The text of a value; empty for None. Dates and times are ISO 8601, lists are JSON."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float():
            return number_text(value)
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return _hours(value)
        case bytes():
            return value.hex()
        case list() | dict():
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=value_text)
    return str(value)


def _hours(span: timedelta) -> str:
    """A span as spreadsheets show it, such as `26:30:00`."""
    seconds = round(span.total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    return f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
