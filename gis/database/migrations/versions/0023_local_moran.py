"""Hexes like or unlike those around them, and simulated looks; see 0023_local_moran.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
