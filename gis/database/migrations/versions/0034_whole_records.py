"""No shape off the earth, and what a source said beside its correction; see the SQL file."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
