"""Landmarks and villages; see 0005_gazetteer.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
