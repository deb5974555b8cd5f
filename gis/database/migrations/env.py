"""Alembic's entry: the connection is handed over by gis.database.migrate."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], target_metadata=None)
context.run_migrations()
