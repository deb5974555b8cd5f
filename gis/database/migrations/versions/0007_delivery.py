"""Delivery of alerts: notices, subscriptions, the outbox, CAP; see 0007_delivery.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
