"""Pages by key: a page starts after the last row of the one before, whatever happened between.

A cursor holds the sort key of a row as PostgreSQL writes it, so that it reads back unchanged. It
is opaque to clients but holds no secret: what it says is in the row that they have seen.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import orjson
from sqlalchemy import Text, and_, bindparam, cast, false, or_
from sqlalchemy.sql.elements import ColumnElement

from gis.errors import BadInput
from layers.definition.model import FieldType
from layers.items.columns import SQL_TYPES, ItemSource
from layers.items.counting import Count, CountKind
from layers.items.query import property_of

COLLATION = "vi-x-icu"


@dataclass(frozen=True, slots=True)
class SortKey:
    """A property to sort by; nulls come last either way."""

    name: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place between two rows: after (or, backward, before) the row with these sort values.

    `count` is that of the first page, so that later pages need not count again.
    """

    values: tuple[str | None, ...]
    backward: bool
    order: str
    count: Count | None

    def as_text(self) -> str:
        count = [self.count.number, self.count.kind] if self.count else None
        packed = orjson.dumps([self.order, int(self.backward), list(self.values), count])
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")

    @classmethod
    def of(cls, text: str, order: str) -> Self:
        """Raises BadInput when the text is not a cursor that this service gave for this order."""
        try:
            packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            of_order, backward, values, count = orjson.loads(packed)
            number = Count(int(count[0]), CountKind(count[1])) if count else None
            cursor = cls(tuple(values), bool(backward), of_order, number)
        except (binascii.Error, ValueError, TypeError, KeyError, IndexError):
            raise _foreign_cursor() from None
        if cursor.order != order or not all(map(_is_value, cursor.values)):
            raise _foreign_cursor()
        return cursor


def _is_value(value: Any) -> bool:
    return value is None or (isinstance(value, str) and "\x00" not in value)


def _foreign_cursor() -> BadInput:
    return BadInput(
        "cursor is not one that this question's pages gave: follow the links next and prev, or "
        "leave it out to start at the first page"
    )


@dataclass(frozen=True)
class _Term:
    sql: ColumnElement[Any]
    kind: FieldType
    descending: bool
    nullable: bool


class SortOrder:
    """The sort keys of a request, then the id, so that the order is total."""

    def __init__(self, source: ItemSource, keys: Sequence[SortKey] = ()) -> None:
        self._terms = [_term(source, key) for key in keys]
        self._terms.append(_Term(source.id, FieldType.INTEGER, descending=False, nullable=False))
        words = ",".join(f"{'-' if key.descending else '+'}{key.name}" for key in keys)
        digest = hashlib.sha256(f"{source.layer.id}:{words}".encode())
        self.name = digest.hexdigest()[:12]

    @property
    def length(self) -> int:
        """Number of sort values of a row."""
        return len(self._terms)

    def keys(self) -> list[ColumnElement[str]]:
        """The sort values as text, for cursors."""
        return [cast(term.sql, Text()) for term in self._terms]

    def by(self, *, backward: bool) -> list[ColumnElement[Any]]:
        return [_direction(term, backward) for term in self._terms]

    def values(self, cursor: Cursor) -> dict[str, str]:
        """The values of `beyond`, by the names with which they are bound."""
        return {_name_of(i): value for i, value in enumerate(cursor.values) if value is not None}

    def beyond(self, cursor: Cursor) -> ColumnElement[bool]:
        """The rows behind the cursor: at the first key that differs, further on."""
        if len(cursor.values) != len(self._terms):
            raise _foreign_cursor()
        bounds = [
            None if value is None else _bound(term, _name_of(i), value)
            for i, (term, value) in enumerate(zip(self._terms, cursor.values, strict=True))
        ]
        pairs = list(zip(self._terms, bounds, strict=True))
        alternatives = []
        for i, (term, bound) in enumerate(pairs):
            same = [_same(before, at) for before, at in pairs[:i]]
            alternatives.append(and_(*same, _further(term, bound, backward=cursor.backward)))
        return or_(*alternatives)


def _name_of(i: int) -> str:
    return f"key{i}_bound"


def _term(source: ItemSource, key: SortKey) -> _Term:
    served = property_of(source, key.name)
    sql = served.sql.collate(COLLATION) if served.type is FieldType.TEXT else served.sql
    return _Term(sql, served.type, key.descending, nullable=True)


def _direction(term: _Term, backward: bool) -> ColumnElement[Any]:
    direction = term.sql.desc() if term.descending != backward else term.sql.asc()
    if not term.nullable:
        return direction
    return direction.nulls_first() if backward else direction.nulls_last()


def _bound(term: _Term, name: str, value: str) -> ColumnElement[Any]:
    return cast(bindparam(name, value, Text()), SQL_TYPES[term.kind])


def _same(term: _Term, bound: ColumnElement[Any] | None) -> ColumnElement[bool]:
    return term.sql.is_(None) if bound is None else term.sql == bound


def _further(
    term: _Term, bound: ColumnElement[Any] | None, *, backward: bool
) -> ColumnElement[bool]:
    if bound is None:  # nulls are last: behind them is nothing, before them everything
        return term.sql.is_not(None) if backward else false()
    further = term.sql < bound if term.descending != backward else term.sql > bound
    return or_(further, term.sql.is_(None)) if term.nullable and not backward else further
