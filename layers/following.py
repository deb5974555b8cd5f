"""A running service takes up the layer files that `gis layers sync` published meanwhile."""

from pathlib import Path

from sqlalchemy import text

from gis.database.engine import Database
from layers.catalogue import Catalogue, read_catalogue


def published_catalogue(database: Database, folder: Path, known: Catalogue) -> Catalogue:
    """The catalogue of the files in `folder` if these are what is published now, else `known`.

    Files that were edited and not yet synced change nothing. Raises BadLayerFile.
    """
    with database.reading() as connection:
        rows = connection.execute(text("SELECT id, digest FROM gis.layer WHERE published"))
        published = {row.id: row.digest for row in rows}
    if published == _digests(known):
        return known
    fresh = read_catalogue(folder)
    return fresh if published == _digests(fresh) else known


def _digests(catalogue: Catalogue) -> dict[str, str]:
    return {layer.id: catalogue.digest_of(layer) for layer in catalogue.layers}
