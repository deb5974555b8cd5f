"""A source that is mapped otherwise is read again; see 0064_source_mappings.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0064"
down_revision = "0062"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
