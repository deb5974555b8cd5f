"""A queue of jobs; what keeps failing is known to every worker; see 0046_jobs.sql."""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0046"
down_revision = "0045"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
