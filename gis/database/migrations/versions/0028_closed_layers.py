"""Layers that not all may read raise alerts too; see 0028_closed_layers.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
