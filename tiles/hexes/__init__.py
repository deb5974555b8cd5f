"""Counts by hex: who may see them (rights), what can be asked (questions), exact answers (tables),
what the public is shown (suppression, public), answers kept (answers), as vector tiles (mvt).
"""

from tiles.hexes.mvt import cells_of, hex_tile
from tiles.hexes.queries import DaySpan, HexQuery, hex_query
from tiles.hexes.results import HexRequest, HexResults, resolution_at
from tiles.hexes.rights import hex_options, hexed, least_count, may_read_hexes, with_hexes
from tiles.hexes.tables import HexTable

__all__ = [
    "DaySpan",
    "HexQuery",
    "HexRequest",
    "HexResults",
    "HexTable",
    "cells_of",
    "hex_options",
    "hex_query",
    "hex_tile",
    "hexed",
    "least_count",
    "may_read_hexes",
    "resolution_at",
    "with_hexes",
]
