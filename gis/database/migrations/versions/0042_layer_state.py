"""State of a layer is read in a view, which a function that it called made slower."""

from alembic import op

revision = "0042"
down_revision = "0041"


def upgrade() -> None:
    op.execute("DROP FUNCTION IF EXISTS gis.changed_by_calendar(text)")
