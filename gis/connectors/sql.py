"""Connector of databases: rows of a table or of a query, page by page by a declared key.

PostgreSQL and MariaDB (or MySQL) are tried against real servers. SQL Server and Oracle need a
driver that is not installed with the service; of them only the mapping of values is tried.
"""

import base64
import datetime as dt
import math
import os
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import orjson
from pydantic import Field, model_validator

from gis.connectors.connector import (
    GEOMETRY,
    Batch,
    Connector,
    ConnectorOptions,
    Cursor,
    Record,
    Surroundings,
)
from gis.connectors.redaction import Redactor
from gis.connectors.templates import TemplateValues, named_secrets
from gis.connectors.web import without_none
from gis.deadline import Deadline, deadline
from gis.errors import (
    NotDelivered,
    SetupError,
    SourceRefused,
    SourceUnavailable,
    Undeliverable,
)

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Engine, FromClause

_PORTS = {"postgresql": 5432, "mariadb": 3306, "mssql": 1433, "oracle": 1521}
_QUERY = re.compile(r"\s*(select|with)\b", re.I)
_SPAN = re.compile(r"(\d+)\s*([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_CONNECT_S = 10
_NO_DAY = re.compile(r"0000-00-00(?:[ T]00:00:00(?:\.0+)?)?")
_MOST = 2**63
# Logins, rights, names of things, syntax, and writing in a transaction that may only read.
_REFUSED_STATES = ("0A", "28", "3D000", "42", "25006")
_REFUSED_CODES = frozenset({1044, 1045, 1049, 1054, 1064, 1142, 1143, 1146, 1290, 1698, 1792})
_REFUSED_WORDS = re.compile(r"authentication failed|pg_hba|does not exist|certificate", re.I)


class SqlOptions(ConnectorOptions):
    """Options of `connector: sql`."""

    system: Literal["postgresql", "mariadb", "mssql", "oracle"] = Field(
        description="Kind of the server; mariadb is MySQL too. mssql and oracle are untried and "
        "need their driver: pymssql, oracledb"
    )
    host: str = Field(description="Host of the server")
    port: int | None = Field(None, ge=1, le=65535, description="Unset: the usual one")
    database: str = Field(description="Name of the database; Oracle: of the service")
    user: str = Field(description="A user who may read the table and nothing more")
    password: str = Field(description="`{secret:NAME}`")
    tls: bool = Field(False, description="Only by TLS, with a certificate that the machine trusts")
    table: str | None = Field(None, description="Name of a table or view, with its schema")
    query: str | None = Field(None, description="A SELECT instead of a table")
    key: str = Field(description="Column that is unique and never null, by which rows are paged")
    changed: str | None = Field(
        None,
        description="Column of the last change: after the first reading, only rows that changed "
        "since are read; what was deleted is then not seen",
    )
    overlap: str = Field(
        "10m",
        pattern=rf"^{_SPAN.pattern}$",
        description="How far before the newest change a reading begins, for changes that were "
        "under way: minutes, hours or days as 10m, 2h, 1d",
    )
    geometry: str | None = Field(
        None, description="Column of a geometry of PostGIS or MariaDB, given as GeoJSON in WGS 84"
    )
    page: int = Field(5_000, ge=1, le=50_000, description="Rows of a page")
    may_be_empty: bool = Field(
        False, description="A table without rows is whole: all rows are gone"
    )

    @model_validator(mode="after")
    def _has_one(self) -> "SqlOptions":
        if (self.table is None) == (self.query is None):
            raise ValueError("give a `table` or a `query`, one of them")
        if self.query is not None and not _QUERY.match(self.query):
            raise ValueError("a `query` begins with SELECT or WITH")
        if self.geometry and self.system not in ("postgresql", "mariadb"):
            raise ValueError(f"`geometry` is not read from {self.system}: select X and Y")
        return self


class SqlConnector(Connector[SqlOptions]):
    """Rows by their columns, as JSON values: times without zone stay so, bytes are Base64.

    Each page is a short transaction that may only read, so a slow reader holds nothing there.
    """

    name = "sql"
    label = "Table of a database (PostgreSQL, MariaDB, MySQL)"
    Options = SqlOptions

    def __init__(self, options: SqlOptions, surroundings: Surroundings) -> None:
        super().__init__(options, surroundings)
        known = named_secrets(options, surroundings.secrets)
        values = TemplateValues(known)
        self.redactor = Redactor(known.values())
        self._user, self._password = values.filled(options.user), values.filled(options.password)
        self._engine: Engine | None = None
        self._until = Deadline(math.inf)  # of the present transaction
        self._takes_any_moment = False

    def close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def read(self, cursor: Cursor) -> Iterator[Batch]:
        options = self.options
        since, newest, after = (cursor.get(name) for name in ("since", "newest", "after"))
        is_change = options.changed is not None and since is not None
        if after is None:
            self._check_key(is_change)
            newest = self._newest() if options.changed else None
        count = int(cursor.get("count", 0))
        while True:
            try:
                rows = self._page(after, since if is_change else None)
            except _NoSuchMoment:
                rows = self._page(after, since if is_change else None)
            records, rest = rows[: options.page], rows[options.page :]
            count += len(records)
            if not rest:
                is_whole = not is_change and (count > 0 or options.may_be_empty)
                place = {"since": newest or since}
                yield Batch(_as_records(records), without_none(place), ends_whole=is_whole)
                return
            last = cursor_value(records[-1][options.key])
            if last == cursor_value(rest[0][options.key]):
                raise SourceRefused(f"the column {options.key} is not unique: name one that is")
            after = last
            place = {"after": after, "newest": newest, "since": since, "count": count}
            yield Batch(_as_records(records), without_none(place))

    def _page(self, after: Any, since: Any) -> list[dict[str, Any]]:
        """Rows after a key, and the one that follows them."""
        from sqlalchemy import select

        with self._reading() as connection:
            source = self._source(connection)
            columns = [
                self._geometry(column) if column.name == self.options.geometry else column
                for column in source.c
            ]
            key = self._column(source, self.options.key)
            statement = select(*columns).order_by(key).limit(self.options.page + 1)
            if after is not None:
                statement = statement.where(key > from_cursor(after))
            if since is not None:
                changed = self._column(source, str(self.options.changed))
                statement = statement.where(changed >= self._before(from_cursor(since)))
            result = connection.execute(statement)
            names = list(result.keys())
            return [dict(zip(names, row, strict=True)) for row in result]

    def _newest(self) -> Any:
        """The greatest change now: what changes while it is read comes at the next reading."""
        from sqlalchemy import func, select

        with self._reading() as connection:
            changed = self._column(self._source(connection), str(self.options.changed))
            return cursor_value(connection.scalar(select(func.max(changed))))

    def _check_key(self, is_change: bool) -> None:
        """Raises SourceRefused where a row has no key: it would never be read."""
        from sqlalchemy import select

        if is_change:
            return
        with self._reading() as connection:
            key = self._column(self._source(connection), self.options.key)
            if connection.scalars(select(1).where(key.is_(None)).limit(1)).first() is not None:
                raise SourceRefused(f"the column {self.options.key} is null in a row: name another")

    def _source(self, connection: "Connection") -> "FromClause":
        """The table or query with its columns of today, as an empty result names them."""
        from sqlalchemy import column, select, table, text

        if self.options.query is not None:
            # A colon is part of the query, not the name of a parameter.
            words = text(self.options.query.strip().rstrip(";").replace(":", r"\:"))
            empty = select(text("*")).select_from(words.columns().subquery("source"))
            names = connection.execute(empty.where(text("1 = 0"))).keys()
            return words.columns(*(column(name) for name in names)).subquery("source")
        schema, _, name = str(self.options.table).rpartition(".")
        empty = select(text("*")).select_from(table(name, schema=schema or None))
        names = connection.execute(empty.where(text("1 = 0"))).keys()
        return table(name, *(column(name) for name in names), schema=schema or None)

    def _column(self, source: "FromClause", name: str) -> "ColumnElement[Any]":
        if name not in source.c:
            raise SourceRefused(
                f"there is no column {name}: there are {', '.join(source.c.keys())[:300]}"
            )
        return source.c[name]

    def _geometry(self, column: "ColumnElement[Any]") -> "ColumnElement[Any]":
        from sqlalchemy import func

        if self.options.system == "postgresql":
            return func.ST_AsGeoJSON(func.ST_Transform(column, 4326)).label(GEOMETRY)
        return func.ST_AsGeoJSON(column).label(GEOMETRY)

    def _before(self, newest: Any) -> Any:
        if not isinstance(newest, dt.date):
            return newest  # a number of changes
        number, unit = _SPAN.fullmatch(self.options.overlap).groups()  # type: ignore[union-attr]
        span = dt.timedelta(**{_UNITS[unit]: int(number)})
        if not isinstance(newest, dt.datetime):
            span = max(span, dt.timedelta(days=1))
        return newest - span

    @contextmanager
    def _reading(self) -> Iterator["Connection"]:
        """A short transaction that may only read. Raises SourceUnavailable and SourceRefused."""
        from sqlalchemy.exc import DBAPIError, NoSuchModuleError

        limit_s = 2 * self.surroundings.timeout_s
        try:
            if self._engine is None:
                self._engine = self._made_engine()
            with deadline(limit_s) as self._until, self._engine.connect() as connection:
                _cut_with(self._until, connection.connection.dbapi_connection)
                yield connection
        except (NoSuchModuleError, ModuleNotFoundError):
            raise SetupError(f"the driver of {self.options.system} is not installed") from None
        except NotDelivered as error:
            kind = SourceRefused if isinstance(error, Undeliverable) else SourceUnavailable
            raise kind(str(error)) from None
        except DBAPIError as error:
            if "DataError" in type(error.orig).__name__ and not self._takes_any_moment:
                self._takes_any_moment = True
                self.close()
                raise _NoSuchMoment from None
            if self._until.passed:
                raise SourceUnavailable(
                    f"{self.options.host} gave no answer within {limit_s:g} s"
                ) from None
            raise self._fault(error.orig) from None
        except OSError as error:
            raise SourceUnavailable(f"{self.options.host} cannot be reached: {error}") from None

    def _made_engine(self) -> "Engine":
        from sqlalchemy import URL, create_engine

        address = self._address()
        drivers = {"mssql": "mssql+pymssql", "oracle": "oracle+oracledb"}
        creator: Callable[[], Any] | None = None
        url = URL.create("postgresql+psycopg")
        if self.options.system == "postgresql":
            creator = self._connect_postgresql
        elif self.options.system == "mariadb":
            url, creator = URL.create("mysql+pymysql"), self._connect_mariadb
        else:
            url = URL.create(
                drivers[self.options.system],
                self._user,
                self._password,
                address,
                self._port,
                self.options.database,
            )
        made = {} if creator is None else {"creator": creator}
        return create_engine(url, hide_parameters=True, pool_size=1, max_overflow=0, **made)

    @property
    def _port(self) -> int:
        return self.options.port or _PORTS[self.options.system]

    def _address(self) -> str:
        """An address of the host to which the policy lets connect."""
        return self.surroundings.policy.addresses(self.options.host, self._port)[0]

    def _connect_postgresql(self) -> Any:
        import psycopg

        timeout_s = self.surroundings.timeout_s
        timeout_ms = int(timeout_s * 1000)
        settings = {
            "default_transaction_read_only": "on",
            "statement_timeout": timeout_ms,
            "lock_timeout": timeout_ms,
            "timezone": "UTC",
            "datestyle": "ISO",
        }
        connection = psycopg.connect(
            host=self.options.host,
            hostaddr=self._address(),
            port=self._port,
            dbname=self.options.database,
            user=self._user,
            password=self._password,
            sslmode="verify-full" if self.options.tls else "prefer",
            sslrootcert="system" if self.options.tls else "",
            connect_timeout=min(_CONNECT_S, math.ceil(timeout_s)),
            tcp_user_timeout=timeout_ms,
            application_name="gis-ioc",
            options=" ".join(f"-c {name}={value}" for name, value in settings.items()),
        )
        _cut_with(self._until, connection)
        if self._takes_any_moment:
            _read_any_moment(connection)
        return connection

    def _connect_mariadb(self) -> Any:
        import pymysql

        timeout_s = self.surroundings.timeout_s
        connection = pymysql.connect(
            host=self.options.host,
            port=self._port,
            user=self._user,
            password=self._password,
            database=self.options.database,
            charset="utf8mb4",
            ssl=ssl.create_default_context() if self.options.tls else None,
            connect_timeout=min(_CONNECT_S, math.ceil(timeout_s)),
            read_timeout=timeout_s,
            write_timeout=timeout_s,
            defer_connect=True,
        )
        try:
            connection.connect(socket.create_connection((self._address(), self._port), _CONNECT_S))
            with connection.cursor() as cursor:
                cursor.execute("SET SESSION TRANSACTION READ ONLY")
                cursor.execute("SET SESSION time_zone = '+00:00'")
                for name, unit in (("max_statement_time", 1), ("max_execution_time", 1_000)):
                    with suppress(pymysql.err.OperationalError):  # MariaDB has one, MySQL the other
                        cursor.execute(f"SET SESSION {name} = %s", (timeout_s * unit,))
        except BaseException:
            with suppress(pymysql.err.Error):
                connection.close()
            raise
        return connection

    def _fault(self, error: BaseException | None) -> SourceUnavailable:
        """The error of ours for one of a driver, with its words and without secrets."""
        words = self.redactor.quote(str(error))
        state = str(getattr(error, "sqlstate", None) or "")
        code = error.args[0] if error is not None and error.args else None
        if (
            state.startswith(_REFUSED_STATES)
            or code in _REFUSED_CODES
            or (not state and _REFUSED_WORDS.search(str(error)))
        ):
            return SourceRefused(
                f"{self.options.host} refuses: correct the login, the rights or the names: {words}"
            )
        return SourceUnavailable(f"{self.options.host} does not answer as it should: {words}")


class _NoSuchMoment(Exception):
    """A page has a moment that Python does not have; it is read again with loaders that do."""


def _cut_with(until: Deadline, connection: Any) -> None:
    """End a connection of a driver with a deadline: its server may be frozen and never say so."""
    if hasattr(connection, "fileno"):  # that of PyMySQL has time limits of its own
        with socket.socket(fileno=os.dup(connection.fileno())) as copy:
            until.add(copy)


def _read_any_moment(connection: Any) -> None:
    """Let moments that Python does not have, such as infinity or years BC, be texts."""
    from psycopg import DataError
    from psycopg.types import datetime as loaders

    def lenient(kind: Any) -> Any:
        class LenientLoader(kind):  # type: ignore[misc]
            def load(self, data: Any) -> Any:
                try:
                    return super().load(data)
                except DataError:
                    return bytes(data).decode()

        return LenientLoader

    for name, kind in (
        ("date", loaders.DateLoader),
        ("timestamp", loaders.TimestampLoader),
        ("timestamptz", loaders.TimestamptzLoader),
    ):
        connection.adapters.register_loader(name, lenient(kind))


def _as_records(rows: list[dict[str, Any]]) -> list[Record]:
    return [
        {
            name: _shape(value)
            if name == GEOMETRY
            else _BY_TYPE.get(type(value), json_value)(value)
            for name, value in row.items()
        }
        for row in rows
    ]


def _shape(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str) and value.startswith("{") else value


def json_value(value: Any) -> Any:
    """A value of a driver as JSON: times in ISO 8601 as they are, 0000-00-00 as null."""
    match value:
        case None | bool():
            return value
        case str():
            return None if _NO_DAY.fullmatch(value) else value
        case int():
            return value if -_MOST <= value < _MOST else str(value)
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            if not value.is_finite():
                return None
            return json_value(int(value)) if value == value.to_integral_value() else float(value)
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case dt.timedelta():  # TIME of MariaDB
            minutes, seconds = divmod(abs(int(value.total_seconds())), 60)
            sign = "-" if value < dt.timedelta() else ""
            return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"
        case b"\x00" | b"\x01":  # BIT(1), the truth values of MySQL and SQL Server
            return value == b"\x01"
        case bytes() | bytearray() | memoryview():
            return base64.b64encode(bytes(value)).decode()
        case Mapping():
            return {str(name): json_value(each) for name, each in value.items()}
        case list() | tuple() | set():
            return [json_value(each) for each in value]
    return str(value)


# The types of most values, found by one look instead of one after the other.
_BY_TYPE: Mapping[type, Callable[[Any], Any]] = {
    type(None): lambda value: value,
    bool: lambda value: value,
    str: lambda value: None if value[:7] == "0000-00" and _NO_DAY.fullmatch(value) else value,
    dt.datetime: dt.datetime.isoformat,
    dt.date: dt.date.isoformat,
}


def cursor_value(value: Any) -> Any:
    """A value of a key or change as JSON from which `from_cursor` makes it again.

    Raises SourceRefused for one that has no order.
    """
    match value:
        case None | int() | float() | str():
            return value
        case dt.datetime():
            return {"datetime": value.isoformat()}
        case dt.date():
            return {"date": value.isoformat()}
        case Decimal():
            return {"decimal": str(value)}
        case UUID():
            return {"uuid": str(value)}
        case bytes():
            return {"bytes": base64.b64encode(value).decode()}
    raise SourceRefused(f"rows cannot be paged by a {type(value).__name__}: name another column")


_FROM_CURSOR: Mapping[str, Callable[[str], Any]] = {
    "datetime": dt.datetime.fromisoformat,
    "date": dt.date.fromisoformat,
    "decimal": Decimal,
    "uuid": UUID,
    "bytes": base64.b64decode,
}


def from_cursor(value: Any) -> Any:
    """The value of a driver that `cursor_value` wrote."""
    if not isinstance(value, Mapping):
        return value
    ((kind, text),) = value.items()
    return _FROM_CURSOR[kind](text)
