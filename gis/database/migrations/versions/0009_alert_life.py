"""The life of alerts; see 0009_alert_life.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
