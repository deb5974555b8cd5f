"""Findings that nobody published are the desk's; their views are in functions/results.sql.

The layers `clusters` and `series` show what published alerts rest on, `clusters_desk` and
`series_desk` all of it. Each migration makes the views anew, so this one has no statement.
"""

revision = "0066"
down_revision = "0064"


def upgrade() -> None:
    pass
