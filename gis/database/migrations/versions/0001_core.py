"""The first schema; see 0001_core.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
