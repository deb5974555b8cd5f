"""Units through time as layers; see 0006_unit_layers.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
