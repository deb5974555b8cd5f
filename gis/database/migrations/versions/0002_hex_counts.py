"""Counts of rows by H3 cell, kept up to date; see 0002_hex_counts.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
