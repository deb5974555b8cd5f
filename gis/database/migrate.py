"""Bringing a database to the schema of this version; safe to run twice and from two places.

Tables are made and changed by migrations, one after the other. Functions, views and triggers are
whole files in `functions/`: they are created anew after the migrations whenever a file or the
revision has changed, so that the present text of each stands in one place.
"""

import hashlib
import re
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from gis.database.engine import Database
from gis.database.roles import OWNER, RIGHTS, become, hand_over, is_handed_over
from gis.errors import SetupError, Unavailable

MIGRATIONS = Path(__file__).parent / "migrations"
FUNCTIONS = Path(__file__).parent / "functions"
# Each file may use what those before it made. Migrations may use the functions of values.
_VALUES = "values"
_TOPICS = (
    "versions", "units", "results", "runs", "alerts", "notify", "hexes", "shapes", "tiles", "jobs",
    "sources", "series",
)  # fmt: skip
_BASE = "0028"
_MAY_READ = "SELECT has_table_privilege(to_regclass('alembic_version'), 'SELECT')"
_LOCK = 0x6769735F  # "gis_": two starts migrate one after the other


def migrate(database: Database) -> str:
    """Upgrade to the newest revision inside one transaction; gives that revision.

    Raises SetupError where the database is older than the base, or of a newer version.
    """
    with database.writing() as connection:
        become(connection, "none")  # the role that connects: extensions need a superuser
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        _upgrade(connection)
    return newest_revision()


def newest_revision() -> str:
    return str(_scripts().get_current_head())


def revision_of(connection: Connection) -> str | None:
    """The revision that the database is at; None before the first migration.

    `unknown` to a reader of a database from before the roles, which only `migrate` may read.
    """
    if connection.exec_driver_sql(_MAY_READ).scalar() is False:  # NULL: there is no such table
        return "unknown"
    return MigrationContext.configure(connection).get_current_revision()


def check_revision(connection: Connection) -> str:
    """The revision, which is that of this version. Raises Unavailable, which says what to do."""
    revision, newest = revision_of(connection), newest_revision()
    if revision == newest:
        return newest
    if revision is None:
        raise Unavailable(
            "the database is empty: `gis up` sets up all that is missing; or run `gis db migrate`, "
            "then load boundaries (`gis boundaries load`) and layers (`gis layers sync`)"
        )
    if revision in _known() or revision == "unknown" or revision < _BASE:
        raise Unavailable(
            f"the database is at revision {revision}, this version needs {newest}: run "
            "`gis db migrate`"
        )
    raise Unavailable(
        f"the database is at revision {revision}, which is newer than this version (its newest is "
        f"{newest}): start the version that made it, or a newer one"
    )


def run_sql(connection: Connection, path: Path) -> None:
    """Run a file of SQL statements; for migrations, whose files are ours."""
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute(path.read_text(encoding="utf-8"))


def _upgrade(connection: Connection) -> None:
    revision = revision_of(connection)
    _check_known(revision)
    if revision is None:
        run_sql(connection, Path(__file__).parent / "foundation.sql")
    state = f"The state of the service; functions and rights {_digest()}"
    is_newest = revision == newest_revision() and _comment(connection) == state
    if is_newest and is_handed_over(connection):
        return
    hand_over(connection)
    become(connection, OWNER)
    run_sql(connection, FUNCTIONS / f"{_VALUES}.sql")
    command.upgrade(_config(connection), "head")
    _create_functions(connection)
    run_sql(connection, RIGHTS)
    connection.exec_driver_sql(f"COMMENT ON SCHEMA gis IS '{state}'")


def _check_known(revision: str | None) -> None:
    if revision is None or revision in _known():
        return
    if revision < _BASE:
        raise SetupError(
            f"the database is at revision {revision}, and this version upgrades from {_BASE} on: "
            f"start once the version whose migrations end with {_BASE} (git 56c11f8), then this one"
        )
    raise SetupError(
        f"the database is at revision {revision}, which this version does not know "
        f"(its newest is {newest_revision()}): start the version that made it, or a newer one"
    )


def _known() -> set[str]:
    return {script.revision for script in _scripts().walk_revisions()}


def _create_functions(connection: Connection) -> None:
    """Views are replaced in place, which keeps what others were granted on them; where columns
    went or moved, which PostgreSQL does not replace, all are dropped first.
    """
    try:
        with connection.begin_nested():
            for topic in _TOPICS:
                run_sql(connection, FUNCTIONS / f"{topic}.sql")
    except psycopg.errors.InvalidTableDefinition:
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {', '.join(_views())}")
        for topic in _TOPICS:
            run_sql(connection, FUNCTIONS / f"{topic}.sql")


def _views() -> list[str]:
    texts = (path.read_text(encoding="utf-8") for path in FUNCTIONS.glob("*.sql"))
    return [
        name for text in texts for name in re.findall(r"^CREATE OR REPLACE VIEW (\S+)", text, re.M)
    ]


def _digest() -> str:
    files = [*(FUNCTIONS / f"{topic}.sql" for topic in (_VALUES, *_TOPICS)), RIGHTS]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _comment(connection: Connection) -> str | None:
    statement = "SELECT obj_description('gis'::regnamespace, 'pg_namespace')"
    return connection.exec_driver_sql(statement).scalar()


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config
