"""Bodies that are loaded after they are answered, and the age of undeclared cells; see
0050_pushes.sql.
"""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0050"
down_revision = "0049"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
