"""Text or JSON → the JSON form of CQL2, as nested dicts, lists and scalars."""

import re
from typing import Any, Literal

import cql2
import orjson

from gis.errors import BadFilter

Language = Literal["cql2-text", "cql2-json"]

# The parser is recursive and native: what nests deeper than its stack ends the process.
LONGEST_TEXT = 16_000
_DEEPEST = 60
_MOST_SIGNS = 500
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"")
_SIGNS = re.compile(r"[=<>+*/%^]|-(?!\s*\d)|\bnot\b", re.IGNORECASE)


def parse(text: str, language: Language = "cql2-text") -> Any:
    """Raises BadFilter where the text is not CQL2, with the place of the fault."""
    if len(text) > LONGEST_TEXT:
        raise BadFilter(f"the filter is longer than {LONGEST_TEXT} characters: make it shorter")
    return _from_json(text) if language == "cql2-json" else _from_text(text)


def _from_text(text: str) -> Any:
    _refuse_deep(text)
    try:
        return cql2.parse_text(text).to_json()
    except (cql2.ParseError, ValueError, RecursionError) as error:
        raise BadFilter(f"the filter is not CQL2 text{_place(str(error))}: {text!r}") from None


def _from_json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadFilter(f"the filter is not JSON: {error.msg} at character {error.pos}") from None


def _refuse_deep(text: str) -> None:
    bare = _QUOTED.sub("''", text)
    if _depth(bare) > _DEEPEST or len(_SIGNS.findall(bare)) > _MOST_SIGNS:
        raise BadFilter(
            f"the filter is too deep: at most {_DEEPEST} parentheses in one another and "
            f"{_MOST_SIGNS} operators; a long list of values goes into IN (…)"
        )


def _depth(text: str) -> int:
    deepest = depth = 0
    for char in text:
        depth += (char == "(") - (char == ")")
        deepest = max(deepest, depth)
    return deepest


def _place(message: str) -> str:
    found = re.search(r"(\d+):(\d+)", message)
    return f" from character {found[2]} on" if found else ""
