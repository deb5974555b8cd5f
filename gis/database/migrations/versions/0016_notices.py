"""What notices tell of the whole province; see 0016_notices.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
