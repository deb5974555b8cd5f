"""Escalations go by the tier that was told; see 0021_escalations.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
