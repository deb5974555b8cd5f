"""Telephone numbers of subscriptions are kept among the private data; see 0053_addresses.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0053"
down_revision = "0051"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
