"""One table for the results of any detection method that has none of its own; see the SQL file."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
