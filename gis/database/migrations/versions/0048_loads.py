"""Loads can be listed, compared and reverted; see 0048_loads.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0048"
down_revision = "0047"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
