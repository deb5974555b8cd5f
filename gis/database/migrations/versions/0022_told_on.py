"""What goes on is told on: closed alerts and CAP documents; see 0022_told_on.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
