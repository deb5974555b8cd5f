"""Subscriptions may have quiet hours; see 0054_quiet_hours.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0054"
down_revision = "0053"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
