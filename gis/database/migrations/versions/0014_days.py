"""Days of the country, where its decrees hold; see 0014_days.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
