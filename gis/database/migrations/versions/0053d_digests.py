"""Subscriptions may have digests; see 0053d_digests.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0053d"
down_revision = "0053c"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
