"""Stewards and their weekly letters; see 0067_letters.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0067"
down_revision = "0066"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
