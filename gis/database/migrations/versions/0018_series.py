"""Alarms by commune, as a layer; see 0018_series.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
