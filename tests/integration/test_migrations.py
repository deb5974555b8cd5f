"""Databases in use reach the schema of a fresh one, with all their rows; functions follow files."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from gis.database import migrate as migration
from gis.database.engine import Database, libpq_url
from gis.database.migrate import MIGRATIONS, migrate, newest_revision, revision_of
from gis.database.schema import SCHEMA, schema_text
from gis.errors import SetupError, Unavailable
from tests.catalogue import catalogue
from tests.databases import Server
from tests.waiting import wait_until

OLD = Path(__file__).parents[1] / "fixtures" / "revision_0028.sql"
# What is called otherwise since: tables, columns, and a key of layer files that rows hold.
RENAMED = {
    "gis.notice": "gis.notification",
    "gis.alert_look": "gis.alert_evaluation",
    "gis.cap_undone": "gis.cap_retry",
    "gis.touched": "gis.changed_area",
    "looked_at": "evaluated_at",
    "told": "last_notification",
    "tell": "recipients",
}
DERIVED = {"gis.simplified", "gis.simplified_layer"}  # made anew from the rows; may be emptied


@pytest.fixture
def old(postgres: Server) -> Iterator[Database]:
    """A database of revision 0028, as the 28 migrations before made it, with rows of each table."""
    with postgres.opened() as database:
        with superuser(database) as connection:
            driver = connection.connection.driver_connection
            driver.execute(OLD.read_text(encoding="utf-8"))
        yield database


def renamed(value: Any) -> Any:
    """Names of today instead of those of before, in keys at any depth."""
    if isinstance(value, list):
        return [renamed(each) for each in value]
    if isinstance(value, dict):
        return {RENAMED.get(key, key): renamed(each) for key, each in value.items()}
    return value


@contextmanager
def superuser(database: Database) -> Iterator[Connection]:
    """A transaction of the role that connects."""
    engine = create_engine(database.url, poolclass=NullPool)
    with engine.begin() as connection:
        yield connection


def rows_of(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    names = connection.scalars(
        text("""SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace IN
             ('gis'::regnamespace, 'layer'::regnamespace, 'private'::regnamespace)""")
    ).all()
    return {
        name: list(connection.scalars(text(f"SELECT to_jsonb(t) FROM {name} AS t")))
        for name in names
    }


def test_a_database_in_use_becomes_like_a_fresh_one_and_keeps_its_rows(
    old: Database, database: Database
) -> None:
    with superuser(old) as connection:
        before = renamed(rows_of(connection))
    assert all(before.values())
    migrate(old)
    with superuser(old) as connection:
        assert revision_of(connection) == newest_revision()
        after = rows_of(connection)
        migrated = catalogue(connection)
    for name in before.keys() - DERIVED:
        assert len(after[name]) == len(before[name])
        for row in before[name]:
            assert any(row.items() <= other.items() for other in after[name]), (name, row)
    with database.reading() as connection:
        fresh = catalogue(connection)
    for kind, lines in fresh.items():
        assert [line for line in migrated[kind] if "reports" not in line] == lines, kind


def test_the_triggers_of_a_migrated_database_work(old: Database) -> None:
    migrate(old)
    with old.writing() as connection:
        version = text("SELECT version FROM gis.layer WHERE id = 'reports'")
        before = connection.scalar(version)
        connection.execute(text("DELETE FROM layer.reports"))
        assert connection.scalar(version) == before + 1
        assert connection.scalar(text("SELECT count(*) FROM gis.hex_count")) == 0


@pytest.mark.parametrize(
    ("revision", "words"), [("0012", "start once the version"), ("9999", "does not know")]
)
def test_a_database_of_another_age_is_refused_in_words(
    old: Database, revision: str, words: str
) -> None:
    with superuser(old) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :r"), {"r": revision})
    with pytest.raises(SetupError, match=words):
        migrate(old)
    with superuser(old) as connection:
        assert revision_of(connection) == revision


def test_the_written_schema_is_that_of_the_migrations(database: Database) -> None:
    with database.reading() as connection:
        assert SCHEMA.read_text(encoding="utf-8") == schema_text(connection), "run `make docs`"


def test_functions_views_and_triggers_stand_in_their_files_alone() -> None:
    made = re.compile(
        r"^\s*CREATE\s+(OR\s+REPLACE\s+)?(CONSTRAINT\s+)?(FUNCTION|VIEW|TRIGGER)\s+\S+", re.M | re.I
    )
    for path in (*MIGRATIONS.rglob("*.sql"), *MIGRATIONS.rglob("*.py")):
        match = made.search(path.read_text(encoding="utf-8"))
        assert match is None, f"{path.name}: {match[0]} belongs to gis/database/functions"


@pytest.fixture
def functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the files of functions, to be changed."""
    for path in migration.FUNCTIONS.glob("*.sql"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(migration, "FUNCTIONS", tmp_path)
    return tmp_path


def test_a_migration_that_is_killed_leaves_the_old_state(old: Database, functions: Path) -> None:
    with superuser(old) as connection:
        before = catalogue(connection), rows_of(connection)
    (functions / "tiles.sql").write_text("SELECT pg_sleep(60)", encoding="utf-8")
    kill = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
              WHERE datname = current_database() AND query = 'SELECT pg_sleep(60)'"""
    with (
        ThreadPoolExecutor() as pool,
        psycopg.connect(libpq_url(old.url), autocommit=True) as killer,
    ):
        killed = pool.submit(migrate, old)
        wait_until(lambda: killer.execute(kill).fetchone() is not None)
        with pytest.raises(Unavailable):
            killed.result()
    with superuser(old) as connection:
        assert (catalogue(connection), rows_of(connection)) == before


def _change(path: Path, old: str, new: str) -> None:
    before = path.read_text(encoding="utf-8")
    assert old in before
    path.write_text(before.replace(old, new), encoding="utf-8")


WRITTEN = text("""
    SELECT 'pg_proc', oid, xmin::text FROM pg_proc WHERE pronamespace = 'gis'::regnamespace
    UNION ALL SELECT 'pg_trigger', oid, xmin::text FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'pg_rewrite', oid, xmin::text FROM pg_rewrite""")


def test_functions_whose_files_are_the_same_are_not_written_again(database: Database) -> None:
    with database.reading() as connection:
        before = connection.execute(WRITTEN).all()
    migrate(database)
    with database.reading() as connection:
        assert connection.execute(WRITTEN).all() == before


def test_a_function_whose_file_has_changed_is_created_anew(
    database: Database, functions: Path
) -> None:
    _change(functions / "notify.sql", "'comment', 'pending'", "'pending'")
    migrate(database)
    with database.reading() as connection:
        assert connection.scalar(text("SELECT gis.is_sent('comment')"))


def test_views_are_replaced_in_place_and_made_anew_where_a_column_goes(
    database: Database, functions: Path
) -> None:
    granted = text("SELECT has_table_privilege('pg_monitor', 'layer.alerts', 'SELECT')")
    with superuser(database) as connection:
        connection.execute(text("GRANT SELECT ON layer.alerts TO pg_monitor"))
    _change(functions / "results.sql", "'pending', 'suppressed'", "'suppressed'")
    migrate(database)
    with database.reading() as connection:
        assert connection.scalar(granted)
    _change(functions / "results.sql", "a.severity, ", "")
    migrate(database)
    with database.reading() as connection:
        columns = connection.execute(text("SELECT * FROM layer.alerts")).keys()
    assert "severity" not in columns


def test_a_function_that_cannot_be_created_leaves_all_as_it_was(
    database: Database, functions: Path
) -> None:
    with database.reading() as connection:
        before = catalogue(connection)
    _change(functions / "notify.sql", "'comment', 'pending'", "'pending'")
    _change(functions / "tiles.sql", "RETURNS void", "RETURNS no_such_type")
    with pytest.raises(psycopg.errors.UndefinedObject):
        migrate(database)
    with database.reading() as connection:
        assert catalogue(connection) == before
