"""VN-2000 / TM-3 in PostGIS; see 0004_vn2000.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
