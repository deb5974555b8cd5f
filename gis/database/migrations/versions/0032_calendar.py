"""The state of a layer changes with the calendar only where its rows do; see 0032_calendar.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0032"
down_revision = "0030"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
