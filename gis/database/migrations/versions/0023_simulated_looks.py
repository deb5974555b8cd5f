"""Looks that rest on simulated records; see 0023_simulated_looks.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
