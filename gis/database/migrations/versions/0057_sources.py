"""Sources that the service reads by itself; see 0057_sources.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0057"
down_revision = "0056"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
