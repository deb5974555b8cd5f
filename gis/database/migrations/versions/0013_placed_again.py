"""Answers kept with quarantined records, and where rows were placed; see 0013_placed_again.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
