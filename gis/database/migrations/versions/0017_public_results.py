"""Public layers show what was found in public layers; see 0017_public_results.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
