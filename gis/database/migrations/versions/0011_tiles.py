"""What a change touches on the map, and points gathered for tiles from afar; see 0011_tiles.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
