"""Earlier values of corrected measurements; see 0068_measurements.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0068"
down_revision = "0067"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
