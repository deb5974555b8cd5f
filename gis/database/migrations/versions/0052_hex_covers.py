"""Covers of lines and areas by hexes; see 0052_hex_covers.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0052"
down_revision = "0051"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
