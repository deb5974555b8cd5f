"""Bringing a database to the schema of this version; safe to run twice and from two places."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from gis.database.engine import Database

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x6769735F  # "gis_": two starts migrate one after the other


def migrate(database: Database) -> str:
    """Upgrade to the newest revision inside one transaction; gives that revision."""
    with database.writing() as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        command.upgrade(_config(connection), "head")
    return newest_revision()


def newest_revision() -> str:
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def revision_of(connection: Connection) -> str | None:
    """The revision that the database is at, None before the first migration."""
    return MigrationContext.configure(connection).get_current_revision()


def run_sql(connection: Connection, path: Path) -> None:
    """Run a file of SQL statements; for migrations, whose files are ours."""
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute(path.read_text(encoding="utf-8"))


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config
