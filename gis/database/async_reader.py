"""Async reader: short statements from an event loop, for which no thread waits."""

from collections.abc import Mapping
from typing import Any

import psycopg
from sqlalchemy.exc import DBAPIError

from gis.database.engine import Database, reached
from gis.database.placeholders import numbered

type Rows = list[tuple[Any, ...]]


class AsyncReader:
    """Connections of a reader, as many as are asked at a time; each statement is a transaction.

    Statements are in the driver's own style (`%(name)s`) and planned once for all values. Raises
    `Unavailable` and SQLAlchemy's errors, as the database does.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._idle: list[psycopg.AsyncConnection[Any]] = []

    async def ask(self, statement: str, values: Mapping[str, Any]) -> Rows:
        with reached():
            while self._idle:
                connection = self._idle.pop()
                try:
                    return await self._rows(connection, statement, values)
                except DBAPIError:
                    if not connection.closed:  # else it was lost while idle, as in a restart
                        raise
            return await self._rows(await self._opened(), statement, values)

    async def _opened(self) -> psycopg.AsyncConnection[Any]:
        try:
            return await psycopg.AsyncConnection.connect(
                autocommit=True, **self._database.asking_settings
            )
        except psycopg.Error as error:
            raise DBAPIError.instance(None, None, error, psycopg.Error) from error

    async def _rows(
        self, connection: psycopg.AsyncConnection[Any], statement: str, values: Mapping[str, Any]
    ) -> Rows:
        try:
            sql, names = numbered(statement)
            cursor = psycopg.AsyncRawCursor(connection)
            await cursor.execute(sql, [values[name] for name in names])
            return await cursor.fetchall()
        except psycopg.Error as error:
            raise DBAPIError.instance(statement, None, error, psycopg.Error) from error
        finally:
            if connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
                self._idle.append(connection)
            else:
                await connection.close()

    async def close(self) -> None:
        while self._idle:
            await self._idle.pop().close()
