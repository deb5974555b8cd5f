"""The nearest null serves until the right one is drawn; see 0025_nearest_null.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
