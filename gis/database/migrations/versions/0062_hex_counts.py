"""Counts by hex are made without a look-up where there are none yet; see 0062_hex_counts.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0062"
down_revision = "0061"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
