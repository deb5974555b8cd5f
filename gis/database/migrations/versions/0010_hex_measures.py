"""Sums of a number field beside the counts by hex; see 0010_hex_measures.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
