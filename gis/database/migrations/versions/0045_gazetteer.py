"""Version of the gazetteer, and the addresses by which records were placed.

By the version processes know that what they keep of the gazetteer is old. The addresses are those
of records whose layer does not keep them: they are read again when the gazetteer has grown.
"""

from alembic import op

revision = "0045"
down_revision = "0044"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE gis.gazetteer_version (
          only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
          version  bigint NOT NULL DEFAULT 1
        )
    """)
    op.execute("INSERT INTO gis.gazetteer_version DEFAULT VALUES")
    op.execute("""
        CREATE TABLE private.address (
          layer_id   text NOT NULL,
          source     text NOT NULL,
          source_key text NOT NULL,
          address    text NOT NULL,
          PRIMARY KEY (layer_id, source, source_key)
        )
    """)
