"""Comparisons without case or accents, on the search index of a text.

Whatever is equal without case and accents has equal words in gis.search_key. So a condition on the
index can be put beside the exact one: it only narrows where PostgreSQL looks.
"""

import re
import unicodedata

from sqlalchemy import Text, and_, bindparam, func
from sqlalchemy.sql.elements import ColumnElement

from layers.cql2.operands import Operand

_MOST_WORDS = 16  # more hardly narrow a search further, and each is asked of each row
_WORD = re.compile(r"[^\W_]{3,}")  # no trigram is shorter
_MARKS = dict.fromkeys(  # those that gis.without_accents takes off
    map(ord, "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u0309\u030a\u030b\u030c")
) | dict.fromkeys(map(ord, "\u031b\u0323\u0326\u0327\u0328\u0331"))
_ESCAPED = re.compile(r"\\.", re.DOTALL)


def narrowed(
    exact: ColumnElement[bool], left: Operand, right: Operand, *, is_pattern: bool = False
) -> ColumnElement[bool]:
    """The condition, with one on the search index beside it where there is such an index."""
    words = _words(left, right, is_pattern=is_pattern)
    if not words:
        return exact
    assert left.property is not None
    key = func.gis.search_key(left.property.sql, type_=Text())
    return and_(*(key.like(bindparam(None, f"%{word}%", Text())) for word in words), exact)


def _words(left: Operand, right: Operand, *, is_pattern: bool) -> list[str]:
    """The words of a written text that the property's search key must hold."""
    if left.property is None or not left.property.has_search_index or not left.folds:
        return []
    if not isinstance(right.literal, str) or not right.literal.isprintable():
        return []
    return _plain_words(right.literal, is_pattern=is_pattern)


def _plain_words(text: str, *, is_pattern: bool) -> list[str]:
    plain = re.sub(r"[%_]", " ", _ESCAPED.sub(" ", text)) if is_pattern else text
    keys = (_key(word) for word in _WORD.findall(unicodedata.normalize("NFC", plain)))
    return list(dict.fromkeys(key for key in keys if len(key) >= 3))[:_MOST_WORDS]


def _key(word: str) -> str:
    """Search key of a word, as of gis.search_key; empty for letters whose case is not plain."""
    bare = unicodedata.normalize("NFD", word).translate(_MARKS)
    bare = bare.replace("đ", "d").replace("Đ", "D")
    return bare.lower() if bare.isascii() else ""
