"""A least time between notifications, and corrections; see 0033_notification_gap.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
