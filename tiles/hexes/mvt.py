"""Hexes as vector tiles."""

import orjson
import shapely
from sqlalchemy import Connection, text

from gis.hexes import Cells, boundaries, cells_over
from layers.definition.model import Layer
from tiles.grid import EXTENT, Tile
from tiles.hexes.tables import HexTable

_WHOLE_LAYER_BELOW_ZOOM = 6  # there a tile holds more cells of resolution 5 than any layer


def cells_of(tile: Tile, resolution: int) -> Cells | None:
    """The cells that a tile may show; None where it is quicker to read all of a layer."""
    return None if tile.z < _WHOLE_LAYER_BELOW_ZOOM else cells_over(tile.bbox(), resolution)


def hex_tile(connection: Connection, layer: Layer, tile: Tile, table: HexTable) -> bytes:
    """The hexes of a tile with their measures; the source layer is named `<layer>_hexes`.

    Each has `cell` (15 hexadecimal digits), which is the feature's id as well, as a number.
    """
    if len(table.cells) == 0:
        return b""
    values = {
        "z": tile.z,
        "x": tile.x,
        "y": tile.y,
        "extent": EXTENT,
        "name": f"{layer.id}_hexes",
        "cells": table.cells.tolist(),
        "measures": [orjson.dumps(row).decode() for row in table.measures()],
        "shapes": list(shapely.to_wkb(boundaries(table.cells))),
    }
    return bytes(connection.scalar(_TILE, values) or b"")


# ST_AsMVT takes the members of a jsonb column for attributes.
_TILE = text("""
SELECT ST_AsMVT(rows, :name, :extent, 'shape', 'id') FROM (
  SELECT cell AS id, gis.h3_text(cell) AS cell, measures,
         ST_AsMVTGeom(ST_Transform(ST_GeomFromWKB(shape, 4326), 3857),
                      ST_TileEnvelope(:z, :x, :y), :extent, 64, true) AS shape
  FROM unnest(CAST(:cells AS bigint[]), CAST(:measures AS jsonb[]), CAST(:shapes AS bytea[]))
    AS made (cell, measures, shape)
  ORDER BY cell
) AS rows WHERE shape IS NOT NULL
""")
