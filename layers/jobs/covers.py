"""Covers by hexes of lines and areas that another program stored."""

from sqlalchemy import text

from gis.database.engine import Database
from layers.definition.catalogue import Catalogue
from layers.storage.covers import fill_covers


def fill_waiting_covers(database: Database, catalogue: Catalogue) -> None:
    """Fill the covers that a committed transaction has left open, a layer at a time.

    The versions of these layers rise again: their hexes show other counts from now on.
    """
    with database.reading() as connection:
        waiting = set(connection.scalars(_WAITING))
    for layer in catalogue.layers:
        if layer.id in waiting:
            with database.writing() as connection:
                if fill_covers(connection, layer):
                    connection.execute(_RAISE, {"layer": layer.id})


_WAITING = text("SELECT DISTINCT layer_id FROM gis.uncovered_shape")
# No feature changes: its tiles stay (an empty box).
_RAISE = text("""
WITH raised AS (
  UPDATE gis.layer SET version = version + 1, changed_at = now() WHERE id = :layer
  RETURNING id, version)
INSERT INTO gis.changed_area (layer_id, version) SELECT id, version FROM raised
""")
