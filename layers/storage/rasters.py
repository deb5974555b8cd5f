"""Publication of raster layers: rows of gis.raster_layer, in line with the layer files."""

from collections.abc import Iterator
from typing import Any

import orjson
from sqlalchemy import Connection, text

from layers.definition.catalogue import Catalogue


def publish_rasters(connection: Connection, catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """Bring gis.raster_layer in line, inside the caller's transaction.

    Gives the id of each layer that changed, with `published`, `described` or `unpublished`. The
    files of a layer whose file went stay, as tables do.
    """
    before = {row.id: row for row in connection.execute(_PUBLISHED)}
    for layer in catalogue.rasters:
        definition, digest = layer.model_dump(mode="json"), catalogue.digest_of(layer)
        known: Any = before.get(layer.id)
        if known and known.published and (known.digest, known.definition) == (digest, definition):
            continue
        values = {"id": layer.id, "digest": digest, "definition": orjson.dumps(definition).decode()}
        connection.execute(_PUBLISH, values)
        yield layer.id, "described" if known and known.published else "published"
    gone = connection.scalars(_UNPUBLISH, {"ids": [layer.id for layer in catalogue.rasters]})
    for layer_id in sorted(gone):
        yield layer_id, "unpublished"


_PUBLISHED = text("SELECT id, digest, definition, published FROM gis.raster_layer")
_PUBLISH = text("""
INSERT INTO gis.raster_layer (id, digest, definition)
VALUES (:id, :digest, CAST(:definition AS jsonb))
ON CONFLICT (id) DO UPDATE SET digest = excluded.digest, definition = excluded.definition,
  published = true, version = raster_layer.version + 1, changed_at = now()
""")
_UNPUBLISH = text("""
UPDATE gis.raster_layer SET published = false, version = version + 1, changed_at = now()
WHERE published AND NOT id = ANY(:ids) RETURNING id
""")
