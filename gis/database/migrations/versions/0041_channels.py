"""Channels are known by the registry in the code; see 0041_channels.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0041"
down_revision = "0035"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
