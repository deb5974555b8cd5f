"""Tables, columns and a key of layer files have the names of their trade; see 0049_words.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0049"
down_revision = "0048"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
