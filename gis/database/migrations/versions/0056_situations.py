"""Alerts lie within situations; see 0056_situations.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0056"
down_revision = "0055"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
