"""Connections: a writer inside one transaction, a reader that can neither write nor run long."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import orjson
import psycopg
from sqlalchemy import Connection, Dialect, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gis.database.placeholders import numbered
from gis.errors import Unavailable

# Roles that connections ask for (see gis.database.roles).
WRITER = "gis_writer"
READER = "gis_reader"

UNREACHABLE = (
    "the database cannot be reached: check that PostgreSQL runs and that "
    "GIS_DATABASE_URL is right, or unset it to use the private cluster"
)
_CONNECTIONS = 12  # of each kind, half of which are kept
_POOL_TIMEOUT_S = 10
_SINGLY = {"isolation_level": "AUTOCOMMIT", "pool_reset_on_return": None}  # nothing to reset
_IDLE_S = 1.0  # a connection that was used within it is taken to be alive
# Each question is planned with its own values: psycopg prepares what comes again, and PostgreSQL
# would then keep one plan for small boxes and large ones. Pages of tables in use are in memory, so
# that looking up an index is hardly dearer than reading on.
_COSTS = "-c jit=off -c random_page_cost=1.1"
_PLANNING = f"{_COSTS} -c plan_cache_mode=force_custom_plan"
_PLANNED_ONCE = f"{_COSTS} -c plan_cache_mode=force_generic_plan"
_LOCK = text("SELECT pg_advisory_lock(hashtextextended(:name, 0))")
_UNLOCK = text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))")


class Database:
    """One database, reached as a writer or as a reader.

    Raises `Unavailable` where it cannot be reached, or has no room; every other error of the driver
    passes on.
    """

    def __init__(
        self, url: str, *, reader_timeout_ms: int = 10_000, connections: int = _CONNECTIONS
    ) -> None:
        self.url = _with_driver(url)
        self._reader_timeout_ms = int(reader_timeout_ms)
        self._apart: list[Database] = []
        kept = -(-connections // 2)
        pool = {"pool_size": kept, "max_overflow": connections - kept}
        # A statement whose client was killed ends, and lets go of its locks.
        writer = (
            f"-c role={WRITER} -c timezone=UTC -c lock_timeout=30s "
            f"-c client_connection_check_interval=2s {_COSTS}"
        )
        self.engine = _engine(self.url, writer, **pool)
        reader = (
            f"-c role={READER} -c timezone=UTC -c default_transaction_read_only=on "
            f"-c statement_timeout={self._reader_timeout_ms} "
        )
        self._reader_engine = _engine(self.url, reader + _PLANNING, **pool)
        self._single_engine = self._reader_engine.execution_options(isolation_level="AUTOCOMMIT")
        self._asking_options = reader + _PLANNED_ONCE
        self._asked_engine = _engine(self.url, self._asking_options, **_SINGLY, **pool)

    def apart(self, connections: int) -> "Database":
        """The same database by connections of its own, at most so many of each kind.

        What works there waits for nobody who works here. It is closed with this one.
        """
        beside = Database(
            self.url, reader_timeout_ms=self._reader_timeout_ms, connections=connections
        )
        self._apart.append(beside)
        return beside

    @property
    def dialect(self) -> Dialect:
        return self.engine.dialect

    @property
    def asking_settings(self) -> dict[str, Any]:
        """Parameters with which the driver itself connects, to read as `ask` does."""
        _, address = self.engine.dialect.create_connect_args(self.engine.url)
        return {**address, **_connecting(self._asking_options)}

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction: committed at the end of the block, rolled back by any error."""
        with reached(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def writing_alone(self, name: str) -> Iterator[Connection]:
        """The same, after whoever else is in one of this name; its statements see one snapshot,
        which begins then. Waits as long as the lock timeout of a writer.
        """
        with reached(), self.engine.connect() as connection:
            # A lock of a transaction would come after its snapshot, without what it waited for.
            with connection.begin():
                connection.execute(_LOCK, {"name": name})
            try:
                with connection.begin():
                    connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                    yield connection
            finally:
                if not connection.invalidated:
                    with connection.begin():
                        connection.execute(_UNLOCK, {"name": name})

    def connect_apart(self) -> Connection:
        """A writer's connection that is in no pool: closed by who asked for it, with its locks.

        Each statement is a transaction of its own.
        """
        with reached():
            connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            connection.detach()
            return connection

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """While inside, nobody else is in one of this name; waits as long as it takes."""
        connection = self.connect_apart()
        try:
            with reached():
                connection.exec_driver_sql("SET lock_timeout = 0")
                connection.execute(_LOCK, {"name": name})
            yield
        finally:
            connection.close()

    def read_on(self, connection: Connection) -> None:
        """From here on a writer's transaction is as a reader's: it neither writes nor runs long."""
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {self._reader_timeout_ms}")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One read-only transaction, with the readers' statement timeout."""
        with reached(), self._reader_engine.begin() as connection:
            yield connection

    @contextmanager
    def reading_singly(self) -> Iterator[Connection]:
        """The same without a transaction: spares a short answer the round trips of one."""
        with reached(), self._single_engine.connect() as connection:
            yield connection

    @contextmanager
    def reading_by_kept_plans(self) -> Iterator[Connection]:
        """The same, for statements whose planning takes longer than they do: what is asked again
        on a connection is planned once for all values, which is to suit it.
        """
        with reached(), self._asked_engine.connect() as connection:
            yield connection

    def ask(self, statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The rows of one statement in the driver's own style (`%(name)s`), read singly.

        For answers so short that a framework around them takes longer than PostgreSQL; planned
        once for all values, which is to suit the statement. Raises what SQLAlchemy would.
        """
        with reached():
            try:
                sql, names = numbered(statement)
                with self._asking() as connection, psycopg.RawCursor(connection) as cursor:
                    return cursor.execute(sql, [values[name] for name in names]).fetchall()
            except psycopg.Error as error:
                raise DBAPIError.instance(statement, None, error, psycopg.Error) from error

    @contextmanager
    def _asking(self) -> Iterator[psycopg.Connection[Any]]:
        pooled = self._asked_engine.raw_connection()
        connection: Any = pooled.driver_connection
        try:
            yield connection
        finally:
            if connection.closed:
                pooled.invalidate()
            pooled.close()

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """The same, all of whose statements see the database as it was at the first one."""
        with self.reading() as connection:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield connection

    def close(self) -> None:
        self.engine.dispose()
        self._reader_engine.dispose()
        self._asked_engine.dispose()
        for beside in self._apart:
            beside.close()


def _connecting(options: str) -> dict[str, Any]:
    """A network that falls silent is noticed within half a minute, not when TCP gives up."""
    return {
        "options": options,
        "connect_timeout": 5,
        "application_name": "gis",
        "tcp_user_timeout": 20_000,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    }


def _engine(url: str, options: str, **more: Any) -> Engine:
    # What clients send is in no error, and so in no log.
    more |= {"hide_parameters": True, "pool_timeout": _POOL_TIMEOUT_S}
    # A whole number beyond 64 bits, as jsonb writes 1e300, is a float again, which can be answered.
    more["json_deserializer"] = orjson.loads
    engine = create_engine(url, connect_args=_connecting(options), **more)
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", _Check(engine))
    return engine


def _note_use(_: Any, record: Any) -> None:
    record.info["used_at"] = time.monotonic()


class _Check:
    """Asks a connection that has been idle whether it is alive, before it is used."""

    def __init__(self, engine: Engine) -> None:
        self._dialect = engine.dialect

    def __call__(self, driver: Any, record: Any, _: Any) -> None:
        used_at = record.info.get("used_at")
        if used_at is None or time.monotonic() - used_at < _IDLE_S:
            return
        try:
            self._dialect.do_ping(driver)
        except psycopg.Error as error:
            raise InvalidatePoolError from error


def libpq_url(url: str) -> str:
    """The URL as PostgreSQL's own tools and psycopg take it."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def _with_driver(url: str) -> str:
    head, _, tail = url.partition("://")
    return f"postgresql+psycopg://{tail}" if head in ("postgres", "postgresql") else url


# What PostgreSQL lacks, by SQLSTATE: it is there, and says why it cannot go on.
_LACKS = {
    "53100": "the disk of the database is full: nothing is stored until its operator makes room",
    "53200": "the database has no memory left: try again later",
    "53300": "the database has no connection left: raise its max_connections",
    "53400": "a limit in the configuration of the database is exceeded: its log says which",
}


@contextmanager
def reached() -> Iterator[None]:
    """Raises `Unavailable` where a connection cannot be made, or is lost, or the database lacks
    what it needs, such as room on its disk.
    """
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable(
            "all connections of the service to its database are in use: try again later"
        ) from error
    except OperationalError as error:
        state = getattr(error.orig, "sqlstate", None)
        if state in _LACKS:
            raise Unavailable(_LACKS[state]) from error
        if _is_lost(state):
            raise Unavailable(UNREACHABLE) from error
        raise


def _is_lost(state: str | None) -> bool:
    """True where the connection failed, rather than a statement (which carries an SQLSTATE)."""
    lost = state is None or state[:2] in ("08", "28", "3D", "53", "57")
    return lost and state != "57014"  # a cancelled statement is not a lost connection
