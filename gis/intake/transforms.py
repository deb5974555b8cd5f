"""Transformations of cells: named functions of text, by which a source's values become plain ones.

A value that has not the form which a function reads stays as it is, so that it becomes a fault of
its record where it is read as a date or a number, and not another value.
"""

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_DOTNET_DATE = re.compile(r"/?Date\((-?\d{1,17})(?:[+-]\d{4})?\)/?|/Date\((-?\d{1,17})\)/")
_WHOLE = re.compile(r"-?\d{1,17}(?:\.0*)?")
_BLOCKS = re.compile(r"<\s*(?:br|/p|/div|/li|/tr|/td|/th|/h\d)\b[^>]*>", re.IGNORECASE)
_UNSEEN = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[/!a-zA-Z][^<>]*>")
_NUMBER = re.compile(r"[-+]?\d[\d.,]*")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def dotnet_date(text: str) -> str:
    """`/Date(1757300400000)/` of .NET as an instant; the zone behind the number says nothing."""
    match = _DOTNET_DATE.fullmatch(text.strip().replace("\\/", "/"))
    return text if match is None else epoch_ms(match[1] or match[2])


def epoch_ms(text: str) -> str:
    """Milliseconds since 1970 (UTC) as an instant."""
    return _instant(text, timedelta(milliseconds=1))


def epoch_s(text: str) -> str:
    """Seconds since 1970 (UTC) as an instant."""
    return _instant(text, timedelta(seconds=1))


def _instant(text: str, step: timedelta) -> str:
    if not _WHOLE.fullmatch(text.strip()):
        return text
    try:
        return (_EPOCH + int(text.strip().partition(".")[0]) * step).isoformat()
    except OverflowError:
        return text


def strip_html(text: str) -> str:
    """The text of HTML, without tags, scripts and entities, in one line."""
    plain = _TAG.sub("", _BLOCKS.sub(" ", _UNSEEN.sub(" ", text)))
    return collapse_blanks(html.unescape(plain))


def collapse_blanks(text: str) -> str:
    """The text without blanks at its ends, and with single ones within."""
    return " ".join(text.split())


def number_in_text(text: str) -> str:
    """The one number in a text such as `Mực nước: 82,35 m`; of none or several the text."""
    found = _NUMBER.findall(text)
    return found[0].rstrip(".,") if len(found) == 1 else text


def local_time(text: str) -> str:
    """A time of Vietnam that claims to be UTC, as servers without a zone write it: without `Z`."""
    return re.sub(r"(?:Z|[+-]00:?00)$", "", text.strip())


def item_of(text: str, at: int, separator: str = ",") -> str:
    """The item at a place (0: the first, -1: the last) of joined ones; empty where it has fewer."""
    items = [item.strip() for item in text.split(separator)]
    return items[at] if -len(items) <= at < len(items) else ""


TRANSFORMS: dict[str, Callable[[str], str]] = {
    each.__name__: each
    for each in (
        dotnet_date, epoch_ms, epoch_s, strip_html, collapse_blanks, number_in_text, local_time,
    )
}  # fmt: skip
