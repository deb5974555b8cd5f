"""Statements from an event loop: the same answers and errors as the database's own."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gis.database.async_reader import AsyncReader
from gis.database.engine import Database
from gis.database.roles import become
from gis.errors import Unavailable
from tests.waiting import wait_until

BACKEND = "SELECT pg_backend_pid()"


def asked[T](database: Database, work: Callable[[AsyncReader], Awaitable[T]]) -> T:
    async def run() -> T:
        asking = AsyncReader(database)
        try:
            return await work(asking)
        finally:
            await asking.close()

    return asyncio.run(run())


def end(database: Database, backend: int) -> None:
    with database.writing() as connection:
        become(connection, "none")
        connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": backend})


def test_rows_come_as_from_the_database_itself(database: Database):
    statement, values = "SELECT %(a)s::int + 1, %(b)s::text", {"a": 1, "b": "Lào Cai"}
    found = asked(database, lambda asking: asking.ask(statement, values))
    assert found == [(2, "Lào Cai")] == database.ask(statement, values)


def test_a_connection_is_used_again_and_several_where_several_ask(database: Database):
    async def work(asking: AsyncReader) -> tuple[int, int]:
        one_by_one = {(await asking.ask(BACKEND, {}))[0] for _ in range(3)}
        slow = "SELECT pg_backend_pid() FROM pg_sleep(0.2)"
        together = await asyncio.gather(*(asking.ask(slow, {}) for _ in range(3)))
        return len(one_by_one), len({rows[0] for rows in together})

    assert asked(database, work) == (1, 3)


def test_it_can_only_read(database: Database):
    with pytest.raises(DBAPIError, match="read-only"):
        asked(database, lambda asking: asking.ask("CREATE TABLE other (id int)", {}))


def test_an_error_of_a_statement_is_reported_and_the_connection_stays(database: Database):
    async def work(asking: AsyncReader) -> bool:
        before = await asking.ask(BACKEND, {})
        with pytest.raises(DBAPIError, match="division by zero"):
            await asking.ask("SELECT 1 / 0", {})
        return before == await asking.ask(BACKEND, {})

    assert asked(database, work)


def test_a_connection_that_was_lost_while_idle_is_replaced(database: Database):
    async def work(asking: AsyncReader) -> bool:
        ((before,),) = await asking.ask(BACKEND, {})
        end(database, before)
        return [(before,)] != await asking.ask(BACKEND, {})

    assert asked(database, work)


def test_a_statement_that_is_called_off_ends_in_the_database(database: Database):
    def is_running() -> bool:
        with database.writing() as connection:
            become(connection, "none")  # others do not see what a session runs
            return connection.scalar(
                text(
                    "SELECT count(*) > 0 FROM pg_stat_activity WHERE state = 'active'"
                    " AND datname = current_database() AND query = 'SELECT pg_sleep(30)'"
                )
            )

    async def work(asking: AsyncReader) -> None:
        slow = asyncio.create_task(asking.ask("SELECT pg_sleep(30)", {}))
        await asyncio.to_thread(wait_until, is_running)
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        await asyncio.to_thread(wait_until, lambda: not is_running(), within_s=10)

    asked(database, work)


def test_a_database_that_is_not_there_is_unavailable():
    away = Database("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(Unavailable):
        asked(away, lambda asking: asking.ask("SELECT 1", {}))
    away.close()
