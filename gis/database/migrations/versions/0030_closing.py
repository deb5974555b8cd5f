"""What was derived from a layer or a field goes when that is closed; see 0030_closing.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0030"
down_revision = "0028"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
