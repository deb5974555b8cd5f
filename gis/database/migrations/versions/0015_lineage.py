"""What became of districts and provinces; see 0015_lineage.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
