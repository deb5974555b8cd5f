"""CAP documents from notices; see 0012_cap.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
