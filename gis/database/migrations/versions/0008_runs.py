"""Runs that can be repeated, clusters and emerging hexes; see 0008_runs.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
