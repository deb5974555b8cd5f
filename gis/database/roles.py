"""The three roles of the database, and what each may do (`rights.sql`).

    gis_owner   owns schemas, tables and functions: migrations and the tables of layers
    gis_writer  reads and writes rows
    gis_reader  reads rows, but none of schema `private`: identities and the keys of webhooks

They are groups without a login. The service connects as the role of its URL, which may become each
of them, and asks for one when it connects: a statement that was led astray finds itself without the
right to write, to change a table, or to see who reported.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection

from gis.database.engine import READER, UNREACHABLE, WRITER, libpq_url
from gis.errors import SetupError, Unavailable

OWNER = "gis_owner"
ROLES = (OWNER, WRITER, READER)
RIGHTS = Path(__file__).parent / "rights.sql"

# From PostgreSQL 16 on, who makes a role may give it away, but not become it.
_MISSING = """
SELECT name, role.oid IS NULL AS is_missing
FROM unnest(%s::text[]) AS name LEFT JOIN pg_roles AS role ON role.rolname = name
WHERE role.oid IS NULL OR NOT pg_has_role(session_user, role.oid,
  CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END)
"""

# Databases from before the roles, and those restored without owners, belong to who made them.
_FOREIGN = """
SELECT 'SCHEMA' AS kind, quote_ident(nspname) AS name FROM pg_namespace
WHERE nspname IN ('gis', 'layer', 'private') AND nspowner <> 'gis_owner'::regrole
UNION ALL
SELECT CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
       oid::regclass::text
FROM pg_class
WHERE relnamespace::regnamespace::text IN ('gis', 'layer', 'private')
  AND relkind IN ('r', 'p', 'v', 'S') AND relowner <> 'gis_owner'::regrole
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                  AND d.objid = pg_class.oid AND d.deptype IN ('i', 'a'))  -- goes with its column
UNION ALL
SELECT 'FUNCTION', oid::regprocedure::text FROM pg_proc
WHERE pronamespace::regnamespace::text IN ('gis', 'layer', 'private')
  AND proowner <> 'gis_owner'::regrole
"""


def ensure_roles(url: str) -> None:
    """The roles exist, and the role that connects may become each of them.

    Made where they are missing. Raises SetupError, with the SQL to run, where that role may not
    make them; Unavailable.
    """
    with _connected(url) as driver:
        missing = driver.execute(_MISSING, [list(ROLES)]).fetchall()
        statements = _statements(missing, driver.info.user)
        try:
            for statement in statements:
                _execute(driver, statement)
        except psycopg.errors.InsufficientPrivilege as error:
            lines = ";\n  ".join(statement.as_string(driver) for statement in statements)
            raise SetupError(
                f"the database lacks roles that {driver.info.user} may not make; let a superuser "
                f"run:\n  {lines};"
            ) from error


@contextmanager
def _connected(url: str) -> Iterator[psycopg.Connection[Any]]:
    try:
        connection = psycopg.connect(libpq_url(url), autocommit=True, connect_timeout=5)
    except psycopg.Error as error:
        raise Unavailable(UNREACHABLE) from error
    with connection:
        yield connection


@contextmanager
def as_owner(connection: Connection) -> Iterator[None]:
    """The part of a writer's transaction that makes or changes tables."""
    before = connection.exec_driver_sql("SELECT current_user").scalar_one()
    with connection.begin_nested():  # an error undoes the change of role with all else
        become(connection, OWNER)
        yield
        become(connection, before)


def become(connection: Connection, role: str) -> None:
    """Take a role until the transaction ends; `none` is the role that connected."""
    connection.exec_driver_sql("SELECT set_config('role', %(role)s, true)", {"role": role})


def is_handed_over(connection: Connection) -> bool:
    """All belongs to the owner, and the reader may read."""
    reads = (
        "SELECT has_schema_privilege('gis_reader', 'gis', 'USAGE')"
        " AND has_table_privilege('gis_reader', 'alembic_version', 'SELECT')"
    )
    return (
        connection.exec_driver_sql(_FOREIGN).first() is None
        and connection.exec_driver_sql(reads).scalar_one()
    )


def hand_over(connection: Connection) -> None:
    """The owner gets what belongs to others.

    Raises SetupError where the role that connects may not give it.
    """
    driver = connection.connection.driver_connection
    assert driver is not None
    try:
        _hand_over(driver)
    except psycopg.errors.InsufficientPrivilege as error:
        raise SetupError(
            f"the tables of the service belong to another role than {driver.info.user}, who "
            f"may not give them to {OWNER} ({str(error).splitlines()[0]}): run `gis db migrate` "
            "once with the GIS_DATABASE_URL of their owner or of a superuser"
        ) from error


def _hand_over(driver: psycopg.Connection[Any]) -> None:
    database = sql.Identifier(driver.info.dbname)
    owner = sql.Identifier(OWNER)
    driver.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(database, owner))
    driver.execute("GRANT SELECT ON alembic_version TO gis_reader, gis_writer")
    driver.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON alembic_version TO gis_owner")
    for kind, name in driver.execute(_FOREIGN).fetchall():
        driver.execute(
            sql.SQL("ALTER {} {} OWNER TO {}").format(sql.SQL(kind), sql.SQL(name), owner)
        )


def _statements(missing: list[tuple[str, bool]], user: str) -> list[sql.Composed]:
    creates = [
        sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(name))
        for name, is_missing in missing
        if is_missing
    ]
    grants = [
        sql.SQL("GRANT {} TO {}").format(sql.Identifier(name), sql.Identifier(user))
        for name, _ in missing
    ]
    return creates + grants


def _execute(driver: psycopg.Connection[Any], statement: sql.Composed) -> None:
    # Another start may have made it meanwhile.
    with suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        driver.execute(statement)
