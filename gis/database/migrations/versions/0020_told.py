"""Layer files say who is told of their alerts; see 0020_told.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
