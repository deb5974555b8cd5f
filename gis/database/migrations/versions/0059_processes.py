"""Processes and the collections that they make; see 0059_processes.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0059"
down_revision = "0057"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
