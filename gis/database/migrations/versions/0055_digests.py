"""Subscriptions may have digests; see 0055_digests.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0055"
down_revision = "0054"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
