"""Notices tell what an alert is about, and its province; see 0027_subject.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
