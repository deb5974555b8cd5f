"""Numbers of items that match: counted up to a cap, beyond it estimated; the kind says which."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, func, literal_column, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ClauseElement, Executable
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import Select

from layers.items.columns import ItemSource
from layers.items.query import Query

CAP = 10_000  # counting these takes milliseconds
_FAR = 3  # times the cap: an estimate is seldom so wrong


class CountKind(StrEnum):
    """`capped`: there are at least so many."""

    EXACT = "exact"
    CAPPED = "capped"
    ESTIMATED = "estimated"


@dataclass(frozen=True, slots=True)
class Count:
    number: int
    kind: CountKind


def estimate(connection: Connection, source: ItemSource, query: Query) -> int:
    """The number of rows that the planner expects, in less than a millisecond.

    Raises BadFilter or BadInput for a query that the layer cannot answer.
    """

    def build() -> ClauseElement:
        return _Explain(_rows(source, query.conditions(source)))

    shape = ("estimate", query.shape) if query.shape is not None else None
    ((plan,),) = source.statements.run(connection, shape, build, query.values(source))
    return int(plan[0]["Plan"]["Plan Rows"])


def count(connection: Connection, source: ItemSource, query: Query, expected: int) -> Count:
    """Exact up to CAP; beyond it the planner's estimate, or the cap where that is too low.

    Where the planner expects far more than CAP, nothing is counted at all.
    """
    if expected > _FAR * CAP:
        return Count(expected, CountKind.ESTIMATED)
    few = _rows(source, query.conditions(source)).limit(CAP + 1).subquery()
    number = connection.scalar(select(func.count()).select_from(few))
    assert number is not None
    return counted(number, expected)


def counted(number: int, expected: int) -> Count:
    """The count where `number` rows were counted, at most CAP + 1 of them."""
    if number <= CAP:
        return Count(number, CountKind.EXACT)
    if expected > CAP:
        return Count(expected, CountKind.ESTIMATED)
    return Count(CAP, CountKind.CAPPED)


def _rows(source: ItemSource, conditions: Sequence[ColumnElement[bool]]) -> Select[Any]:
    rows: Select[Any] = select(literal_column("1"))
    return rows.select_from(source.table).where(*conditions)


def count_all(connection: Connection, source: ItemSource) -> Count:
    """The whole layer, counted in full; for callers that keep the number with its version."""
    everything = select(func.count()).select_from(source.table).where(*source.by_default)
    number = connection.scalar(everything)
    assert number is not None
    return Count(number, CountKind.EXACT)


class _Explain(Executable, ClauseElement):
    inherit_cache = False

    def __init__(self, statement: Select[Any]) -> None:
        self.statement = statement


@compiles(_Explain)
def _explain(element: _Explain, compiler: SQLCompiler, **options: Any) -> str:
    return f"EXPLAIN (FORMAT JSON) {compiler.process(element.statement, **options)}"
