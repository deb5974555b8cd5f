"""Statements that are made once for all questions of a shape: only their values differ.

Making the SQL of a page takes longer than PostgreSQL takes to answer it. What is kept holds names
of a layer and constants, nothing that a client wrote: values are bound by name.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.elements import ClauseElement

_MOST: Final = 500  # shapes of one layer; clients choose properties, so there is no end of them


@dataclass(frozen=True, slots=True)
class CachedStatement:
    """SQL as the driver takes it, and the values that are the same in each question."""

    sql: str
    values: Mapping[str, Any]


class StatementCache:
    """The statements made for one layer."""

    def __init__(self) -> None:
        self._made: dict[Hashable, CachedStatement] = {}

    def __len__(self) -> int:
        return len(self._made)

    def run(
        self,
        connection: Connection,
        shape: Hashable | None,
        make: Callable[[], ClauseElement],
        values: Mapping[str, Any],
    ) -> Sequence[Any]:
        """The rows. `shape` None: the statement holds values of its own and is not kept."""
        made = self.made(connection.dialect, shape, make)
        return connection.exec_driver_sql(made.sql, {**made.values, **values}).all()

    def made(
        self, dialect: Dialect, shape: Hashable | None, make: Callable[[], ClauseElement]
    ) -> CachedStatement:
        """The statement of a shape, made where it is not kept."""
        made = self._made.get(shape) if shape is not None else None
        if made is None:
            made = _compiled(make(), dialect)
            if shape is not None:
                self._keep(shape, made)
        return made

    def _keep(self, shape: Hashable, made: CachedStatement) -> None:
        if len(self._made) >= _MOST:
            self._made.clear()
        self._made[shape] = made


def _compiled(element: ClauseElement, dialect: Dialect) -> CachedStatement:
    compiled = element.compile(dialect=dialect)
    return CachedStatement(str(compiled), dict(compiled.params))
