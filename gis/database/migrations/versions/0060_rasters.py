"""Raster layers and the files of their steps; see 0060_rasters.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0060"
down_revision = "0059"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
