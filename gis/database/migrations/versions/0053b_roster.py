"""The duty roster, and subscriptions that follow it; see 0053b_roster.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0053b"
down_revision = "0050"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
