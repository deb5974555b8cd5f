"""The tokens of CQL2 text (OGC 21-065r2, annex B), found in one pass without going back."""

import re
from typing import NamedTuple

from gis.errors import BadFilter

DEEPEST_BRACKETS = 100
_SHOWN = 30  # characters of the text that an error repeats

# Possessive (*+, ++): what does not fit fails at once, instead of at each shorter text once more.
_NUMBERS = r"[-+0-9.eE,\s]"
_LISTS = rf"\({_NUMBERS}*+\)"
for _ in ("Polygon", "MultiPolygon"):
    _LISTS = rf"\((?:{_NUMBERS}++|{_LISTS})*+\)"
_EMPTY = r"EMPTY(?![\w.:])"
_WKT = (
    r"(?:MULTI)?(?:POINT|LINESTRING|POLYGON)\s*+(?:ZM|Z|M)?+\s*+"
    rf"(?:{_LISTS}|{_EMPTY})"
)
_COLLECTION = rf"GEOMETRYCOLLECTION\s*+(?:\((?:[\s,]++|{_WKT})*+\)|{_EMPTY})"
_TOKEN = re.compile(
    rf"""\s*+(?:
      (?P<number>(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?)
    | (?P<text>'(?:[^']++|'')*+')
    | (?P<geometry>(?i:{_WKT}|{_COLLECTION}))
    | (?P<word>[^\W\d][\w.:]*+)
    | (?P<quoted>"(?:[^"]++|"")*+")
    | (?P<sign><=|>=|<>|!=|[-=<>+*/%^(),])
    | (?P<end>\Z)
    | (?P<unknown>.)
    )""",
    re.VERBOSE | re.DOTALL,
)
KEYWORDS = frozenset(
    ("AND", "OR", "NOT", "LIKE", "IN", "BETWEEN", "IS", "NULL", "TRUE", "FALSE", "DIV")
)
_UNKNOWN = {
    "'": "a text begins that is never closed: write ' behind it, and '' for a quote in it",
    '"': 'a name begins that is never closed: write " behind it',
}


class FilterToken(NamedTuple):
    """`kind` is a group of the pattern, or `keyword`, of which `value` is in capitals.

    `value` is without quotes.
    """

    kind: str
    value: str
    start: int


def tokens_of(text: str) -> list[FilterToken]:
    """The tokens, the last of kind `end`.

    Raises BadFilter where brackets are not balanced, lie too deep in one another, or something
    is no token.
    """
    tokens: list[FilterToken] = []
    open_brackets: list[int] = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        value, start = match[kind], match.start(kind)
        if kind == "word":
            if value.upper() in KEYWORDS and value.isascii():
                kind, value = "keyword", value.upper()
        elif kind == "text":
            value = value[1:-1].replace("''", "'")
        elif kind == "quoted":
            value = value[1:-1].replace('""', '"')
        elif kind == "unknown":
            raise fault(text, start, _UNKNOWN.get(value, f"{value!r} is no part of CQL2"))
        elif value == "(":
            open_brackets.append(start)
            if len(open_brackets) > DEEPEST_BRACKETS:
                raise too_deep(text, start)
        elif value == ")":
            if not open_brackets:
                raise fault(text, start, "this ) closes nothing: leave it out, or write ( before")
            open_brackets.pop()
        tokens.append(FilterToken(kind, value, start))
    if open_brackets:
        raise fault(text, open_brackets[-1], "this ( is never closed: write ) where it ends")
    return tokens


def fault(text: str, start: int, words: str) -> BadFilter:
    """The error for a text that is wrong from the character of index `start` on."""
    shown = text[start : start + _SHOWN] + ("…" if len(text) > start + _SHOWN else "")
    place = repr(shown) if shown else "its end"
    return BadFilter(f"the filter is not CQL2 text from character {start + 1} on, {place}: {words}")


def too_deep(text: str, start: int) -> BadFilter:
    """The error for a bracket that lies in too many others."""
    return fault(
        text,
        start,
        f"it is nested too deep: write at most {DEEPEST_BRACKETS} brackets in one another; a long "
        "list of values goes into IN (…)",
    )
