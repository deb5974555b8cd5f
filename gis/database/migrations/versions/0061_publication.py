"""Which alerts everybody sees; see 0061_publication.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0061"
down_revision = "0060"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
