"""Inhabitants by hex; see 0019_population.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
