"""Loads and corrections of records in quarantine; see the SQL file."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0047"
down_revision = "0046"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
