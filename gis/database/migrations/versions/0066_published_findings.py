"""Findings that nobody published are the desk's, and alerts follow units on the day of a decree.

The layers `clusters` and `series` show what published alerts rest on, `clusters_desk` and
`series_desk` all of it: their views are in functions/results.sql, which each migration makes anew.
"""

from pathlib import Path

from alembic import op

from gis.database.migrate import run_sql

revision = "0066"
down_revision = "0064"


def upgrade() -> None:
    run_sql(op.get_bind(), Path(__file__).with_suffix(".sql"))
