"""The tiles that a tileset has (OGC 20-057: tile matrix set limits): of each of its zooms those
that the box of its rows meets, with the margin by which each draws what lies beside it.

So a tile that holds something lies within the limits, and only an empty one may lie beyond.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Dialect, Float, and_, bindparam, exists, func, literal_column, not_, select
from sqlalchemy.sql.elements import ColumnElement

from gis.values import BBox
from layers.definition.model import Layer
from layers.items import ItemSource
from tiles.grid import Tile, tile_at

_WEST, _SOUTH, _EAST, _NORTH = (  # the whole earth
    literal_column(edge, Float()) for edge in ("-180", "-90", "180", "90")
)


@dataclass(frozen=True, slots=True)
class Limits:
    """The first and last columns and rows of a zoom."""

    first_x: int
    last_x: int
    first_y: int
    last_y: int

    def hold(self, tile: Tile) -> bool:
        return self.first_x <= tile.x <= self.last_x and self.first_y <= tile.y <= self.last_y


def limits_of(box: BBox, z: int) -> Limits:
    """Limits of rows in a box, in degrees, at a zoom."""
    first, last, end = tile_at(box.west, box.north, z), tile_at(box.east, box.south, z), 1 << z
    left, up = max(first.x - 1, 0), max(first.y - 1, 0)
    right, down = min(last.x + 1, end - 1), min(last.y + 1, end - 1)
    return Limits(
        left if Tile(z, left, 0).bbox().east >= box.west else first.x,
        right if Tile(z, right, 0).bbox().west <= box.east else last.x,
        up if Tile(z, 0, up).bbox().south <= box.north else first.y,
        down if Tile(z, 0, down).bbox().north >= box.south else last.y,
    )


def has_zoom(layer: Layer, z: int) -> bool:
    """True where a layer has tiles at a zoom."""
    return layer.tiles is not None and layer.tiles.min_zoom <= z <= layer.tiles.max_zoom


def limit_values(tile: Tile) -> dict[str, float]:
    """The edges of a tile in degrees, by the names that `is_beyond` binds."""
    box = tile.bbox()
    return {
        "limit_west": box.west,
        "limit_south": box.south,
        "limit_east": box.east,
        "limit_north": box.north,
    }


def beyond_limits(
    dialect: Dialect, source: ItemSource, tile: Tile
) -> tuple[str, Mapping[str, float]]:
    """The statement that tells whether a tile lies beyond the limits, with its values."""
    made = source.statements.compiled(dialect, "beyond limits", lambda: select(is_beyond(source)))
    return made.sql, {**made.values, **limit_values(tile)}


def is_beyond(source: ItemSource) -> ColumnElement[bool]:
    """True where a tile lies beyond the limits of a layer's rows, which some rows must have: where
    no row reaches the tile from one of its sides. An index answers it at once, which the box of all
    rows it does not.
    """
    west, south, east, north = (
        bindparam(f"limit_{edge}", type_=Float()) for edge in ("west", "south", "east", "north")
    )

    def reach(*edges: ColumnElement[Any]) -> ColumnElement[bool]:
        assert source.geometry is not None
        meets = source.geometry.op("&&", is_comparison=True)
        box = func.ST_MakeEnvelope(*edges, 4326)
        return exists(select(source.id).select_from(source.table).where(meets(box)))

    on_all_sides = and_(
        reach(_WEST, _SOUTH, east, _NORTH),
        reach(west, _SOUTH, _EAST, _NORTH),
        reach(_WEST, south, _EAST, _NORTH),
        reach(_WEST, _SOUTH, _EAST, north),
    )
    return and_(reach(_WEST, _SOUTH, _EAST, _NORTH), not_(on_all_sides))
