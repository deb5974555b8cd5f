"""State of a layer is read without a function; see 0042_layer_state.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0042"
down_revision = "0041"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
