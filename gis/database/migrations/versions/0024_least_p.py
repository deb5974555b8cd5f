"""The least p of a day's looks; see 0024_least_p.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
