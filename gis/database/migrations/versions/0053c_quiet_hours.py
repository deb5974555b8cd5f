"""Subscriptions may have quiet hours; see 0053c_quiet_hours.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0053c"
down_revision = "0053b"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
