"""Telephone numbers of subscriptions are kept among the private data; see 0051_addresses.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0051"
down_revision = "0050"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
