"""Operands and their kinds, so that only values of one kind are compared."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy.sql.elements import ColumnElement

from gis.errors import BadFilter

Sql = ColumnElement[Any]


class OperandKind(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    GEOMETRY = "geometry"


@dataclass(frozen=True)
class Property:
    """A property that can be filtered by. `has_search_index`: on gis.search_key of its text."""

    kind: OperandKind
    sql: Sql
    is_integer: bool = False
    has_search_index: bool = False


@dataclass(frozen=True)
class Operand:
    """A scalar. `literal` is the value where the client wrote one, `property` where it named one.

    `folds` are the functions (casei, accenti) that its text went through.
    """

    kind: OperandKind
    sql: Sql
    literal: Any = None
    property: Property | None = None
    folds: frozenset[str] = frozenset()


def same_kind(operator: str, *operands: Operand) -> OperandKind:
    """The kind that the operands share; raises BadFilter where they differ."""
    kinds = {operand.kind for operand in operands}
    if len(kinds) > 1:
        names = " with ".join(sorted(kinds))
        raise BadFilter(
            f"{operator} compares {names}: both sides must be of one kind{_hint(kinds)}"
        )
    return kinds.pop()


def _hint(kinds: set[OperandKind]) -> str:
    if kinds == {OperandKind.DATE, OperandKind.TIMESTAMP}:
        return "; write TIMESTAMP('2024-09-10T00:00:00+07:00') or use T_AFTER, T_DURING and so on"
    if OperandKind.TEXT in kinds and kinds & {OperandKind.DATE, OperandKind.TIMESTAMP}:
        return "; write DATE('2024-09-10') or TIMESTAMP('2024-09-10T08:00:00Z')"
    return ""
