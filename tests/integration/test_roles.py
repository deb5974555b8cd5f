"""The reader reads, the writer writes rows, and the owner alone changes tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.pool import NullPool

from gis.database.engine import READER, WRITER, Database, libpq_url
from gis.database.migrate import migrate, newest_revision, revision_of
from gis.database.roles import OWNER, as_owner, ensure_roles
from gis.errors import SetupError
from tests.databases import Server


@contextmanager
def acting_as(database: Database, role: str) -> Iterator[psycopg.Connection]:
    """A connection of a role that may write as far as its rights go."""
    with psycopg.connect(libpq_url(database.url), autocommit=True) as connection:
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        yield connection


def refused(connection: psycopg.Connection, statement: str) -> bool:
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement)
    except InsufficientPrivilege:
        return True
    except psycopg.errors.ObjectNotInPrerequisiteState:  # a view that takes no rows from anybody
        return True
    except psycopg.errors.WrongObjectType:  # TRUNCATE of a view
        return True
    return False


class Relation(NamedTuple):
    name: str
    is_view: bool
    column: str  # the last of it


@pytest.fixture
def relations(toy_province: Database) -> list[Relation]:
    """Every table and view of our schemas, those of layers too."""
    with psycopg.connect(libpq_url(toy_province.url)) as connection:
        rows = connection.execute("""
            SELECT DISTINCT ON (1) c.oid::regclass::text, relkind = 'v', quote_ident(attname)
            FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid AND NOT attisdropped
            WHERE relkind IN ('r', 'v') AND attgenerated = '' AND attidentity = '' AND attnum > 0
              AND relnamespace::regnamespace::text IN ('gis', 'layer', 'private')
            ORDER BY 1, attnum DESC""").fetchall()
    assert len(rows) > 50
    return [Relation(*row) for row in rows]


def test_what_a_database_does_it_does_as_its_roles(toy_province: Database) -> None:
    role = text("SELECT current_user")
    for opened, expected in (
        (toy_province.reading, READER),
        (toy_province.reading_singly, READER),
        (toy_province.snapshot, READER),
        (toy_province.writing, WRITER),
    ):
        with opened() as connection:
            assert connection.scalar(role) == expected
    assert toy_province.ask("SELECT current_user", {}) == [(READER,)]
    for engine in vars(toy_province).values():
        if isinstance(engine, Engine):
            with engine.connect() as connection:
                assert connection.scalar(role) in (READER, WRITER)
    with psycopg.connect(**toy_province.asking_settings) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (READER,)
    with toy_province.writing() as connection:
        with as_owner(connection):
            assert connection.scalar(role) == OWNER
        assert connection.scalar(role) == WRITER
        with pytest.raises(RuntimeError), as_owner(connection):
            raise RuntimeError
        assert connection.scalar(role) == WRITER


def test_a_reader_can_write_nowhere(toy_province: Database, relations: list[Relation]) -> None:
    with acting_as(toy_province, READER) as connection:
        for name, is_view, column in relations:
            for statement in (
                f"INSERT INTO {name} DEFAULT VALUES",
                f"UPDATE {name} SET {column} = NULL",
                f"DELETE FROM {name}",
                f"TRUNCATE {name} CASCADE",
                f"DROP {'VIEW' if is_view else 'TABLE'} {name} CASCADE",
                f"COMMENT ON COLUMN {name}.{column} IS ''",
            ):
                assert refused(connection, statement), statement
        for schema in ("gis", "layer", "private", "public"):
            assert refused(connection, f"CREATE TABLE {schema}.mine (id int)"), schema


def test_a_reader_cannot_reach_identities(
    toy_province: Database, relations: list[Relation]
) -> None:
    with acting_as(toy_province, READER) as connection:
        for name, *_ in relations:
            assert refused(connection, f"SELECT * FROM {name}") is name.startswith("private.")
    with toy_province.reading() as connection, pytest.raises(ProgrammingError, match="denied"):
        connection.execute(text("SELECT * FROM private.reporter"))


def test_no_view_and_no_function_lends_the_rights_of_its_owner(toy_province: Database) -> None:
    with toy_province.reading() as connection:
        lending = text("""
            SELECT oid::regprocedure::text FROM pg_proc
            WHERE prosecdef AND pronamespace::regnamespace::text IN ('gis', 'layer', 'private')""")
        assert connection.scalars(lending).all() == []
        of_private = text("""
            SELECT DISTINCT w.ev_class::regclass::text FROM pg_depend d
            JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
            JOIN pg_class c ON d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
            WHERE c.relnamespace::regnamespace::text = 'private'""")
        assert connection.scalars(of_private).all() == []


def test_a_writer_changes_rows_and_no_tables(
    toy_province: Database, relations: list[Relation]
) -> None:
    with acting_as(toy_province, WRITER) as connection:
        for name, is_view, column in relations:
            assert not refused(connection, f"SELECT * FROM {name}")
            if is_view:
                continue
            for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE"):
                row = connection.execute(
                    "SELECT has_table_privilege(%s, %s)", [name, right]
                ).fetchone()
                assert row == (True,), (name, right)
            for statement in (
                f"ALTER TABLE {name} ADD COLUMN mine int",
                f"DROP TABLE {name} CASCADE",
                f"CREATE INDEX mine ON {name} ({column})",
                f"ALTER TABLE {name} DISABLE TRIGGER USER",
            ):
                assert refused(connection, statement), statement
        for schema in ("gis", "layer", "private", "public"):
            assert refused(connection, f"CREATE TABLE {schema}.mine (id int)"), schema
        assert refused(
            connection,
            "CREATE OR REPLACE FUNCTION gis.today() RETURNS date"
            " LANGUAGE sql AS $$ SELECT now()::date $$",
        )


def test_the_table_of_a_new_layer_has_the_same_rights(database: Database) -> None:
    with database.writing() as connection, as_owner(connection):
        connection.execute(
            text("CREATE TABLE layer.later (id bigint GENERATED ALWAYS AS IDENTITY)")
        )
    with database.writing() as connection:
        connection.execute(text("INSERT INTO layer.later DEFAULT VALUES"))
    with database.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM layer.later")) == 1


@pytest.fixture
def clerk(postgres: Server) -> Iterator[str]:
    """The URL of an empty database and of a role that is no superuser, but owns the database."""
    with postgres.database() as url, psycopg.connect(postgres.url, autocommit=True) as admin:
        name = url.split("?")[0].rsplit("/", 1)[1]
        admin.execute(f"CREATE ROLE clerk_{name} LOGIN")
        admin.execute(f"ALTER DATABASE {name} OWNER TO clerk_{name}")
        try:
            yield url.replace("//postgres@", f"//clerk_{name}@").replace("//@", f"//clerk_{name}@")
        finally:
            admin.execute(f"ALTER DATABASE {name} OWNER TO CURRENT_USER")
            with psycopg.connect(url, autocommit=True) as inside:
                inside.execute(f"DROP OWNED BY clerk_{name}")
            admin.execute(f"DROP ROLE clerk_{name}")


def test_roles_that_are_missing_are_reported_with_the_sql_to_run(
    clerk: str, postgres: Server
) -> None:
    with pytest.raises(SetupError) as caught:
        ensure_roles(clerk)
    told = str(caught.value).split("run:\n", 1)[1]
    assert "GRANT" in told and OWNER in told and READER in told
    with psycopg.connect(postgres.url, autocommit=True) as admin:
        admin.execute(told)
    ensure_roles(clerk)


def test_no_superuser_is_needed_once_the_extensions_are_there(clerk: str, postgres: Server) -> None:
    name = clerk.split("?")[0].rsplit("/", 1)[1]
    with psycopg.connect(postgres.url_of(name), autocommit=True) as admin:
        for extension in ("postgis", "btree_gist", "pg_trgm", "unaccent"):
            admin.execute(f"CREATE EXTENSION {extension}")
        admin.execute(f"GRANT INSERT ON spatial_ref_sys TO clerk_{name}")
        admin.execute(f"GRANT gis_owner, gis_writer, gis_reader TO clerk_{name}")
    ensure_roles(clerk)
    database = Database(clerk)
    try:
        migrate(database)
        with database.reading() as connection:
            assert revision_of(connection) == newest_revision()
    finally:
        database.close()


def test_a_database_from_before_the_roles_is_handed_over(database: Database) -> None:
    with owner_of_all(database) as connection:
        connection.execute(text("ALTER TABLE gis.alert OWNER TO CURRENT_USER"))
        connection.execute(text("ALTER SCHEMA private OWNER TO CURRENT_USER"))
        connection.execute(text("ALTER FUNCTION gis.today() OWNER TO CURRENT_USER"))
        connection.execute(text("REVOKE ALL ON SCHEMA gis FROM gis_reader"))
        connection.execute(text("REVOKE ALL ON alembic_version FROM gis_reader"))
    with database.reading() as connection:
        assert revision_of(connection) == "unknown"
    migrate(database)
    with database.reading() as connection:
        assert revision_of(connection) == newest_revision()
        owners = text("""
            SELECT relowner::regrole::text FROM pg_class
            WHERE relnamespace::regnamespace::text IN ('gis', 'layer', 'private')
            UNION SELECT proowner::regrole::text FROM pg_proc
            WHERE pronamespace::regnamespace::text IN ('gis', 'layer', 'private')
            UNION SELECT nspowner::regrole::text FROM pg_namespace
            WHERE nspname IN ('gis', 'layer', 'private')""")
        assert connection.scalars(owners).all() == [OWNER]


@contextmanager
def owner_of_all(database: Database) -> Iterator[Connection]:
    with create_engine(database.url, poolclass=NullPool).begin() as connection:
        yield connection
