"""The duty roster, and subscriptions that follow it; see 0053_roster.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0053"
down_revision = "0052"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
