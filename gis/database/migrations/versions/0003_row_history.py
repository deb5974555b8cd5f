"""The history of edited rows, and text without accents; see 0003_row_history.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
