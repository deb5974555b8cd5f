"""What suppresses an alert is kept as a value; see 0026_reasons.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
