"""Version of the gazetteer, by which processes know that what they keep of it is old."""

from alembic import op

revision = "0045"
down_revision = "0042"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE gis.gazetteer_version (
          only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
          version  bigint NOT NULL DEFAULT 1
        )
    """)
    op.execute("INSERT INTO gis.gazetteer_version DEFAULT VALUES")
