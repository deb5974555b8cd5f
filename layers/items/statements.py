"""A cache of statements: requests of one shape differ in their values alone.

Compiling the SQL of a page takes longer than PostgreSQL takes to answer it. A cached statement
holds names of a layer and constants, nothing that a client wrote: values are bound by name.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

from cachetools import LRUCache
from sqlalchemy import Connection
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.elements import ClauseElement

_MOST: Final = 500  # shapes of one layer; clients choose properties, so there is no end of them


@dataclass(frozen=True, slots=True)
class CachedStatement:
    """SQL as the driver takes it, and the values that are the same in each request."""

    sql: str
    values: Mapping[str, Any]


class StatementCache:
    """The compiled statements of one layer, by shape."""

    def __init__(self) -> None:
        self._statements: LRUCache[Hashable, CachedStatement] = LRUCache(_MOST)
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._statements)

    def run(
        self,
        connection: Connection,
        shape: Hashable | None,
        build: Callable[[], ClauseElement],
        values: Mapping[str, Any],
    ) -> Sequence[Any]:
        """The rows. `shape` None: the statement holds values of its own and is not cached."""
        statement = self.compiled(connection.dialect, shape, build)
        return connection.exec_driver_sql(statement.sql, {**statement.values, **values}).all()

    def compiled(
        self, dialect: Dialect, shape: Hashable | None, build: Callable[[], ClauseElement]
    ) -> CachedStatement:
        """The statement of a shape, compiled where it is not in the cache."""
        if shape is None:
            return _compiled(build(), dialect)
        with self._lock:
            statement = self._statements.get(shape)
        if statement is None:
            statement = _compiled(build(), dialect)
            with self._lock:
                self._statements[shape] = statement
        return statement


def _compiled(element: ClauseElement, dialect: Dialect) -> CachedStatement:
    compiled = element.compile(dialect=dialect)
    return CachedStatement(str(compiled), dict(compiled.params))
