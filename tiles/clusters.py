"""Features gathered into points with a `count` of the rows that they stand for.

Points become clusters below their layer's `points_from_zoom`; so do features of any kind where
there are so many that a tile would be heavy: nothing is left out silently. From afar, clusters of
a whole layer come from gis.tile_count, which its triggers keep.
"""

from typing import Any

from sqlalchemy import BigInteger, Float, Integer, Text, cast, column, func, select, table
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import Select

from layers.definition.model import TileOptions
from layers.items import ItemSource
from tiles.grid import Tile
from tiles.sources import GEOMETRY, FeatureSource, TileRequest, bound, in_tile

CROWD = 2_500  # of 512 × 512 pixels, one for each 10 × 10: clusters say more, and are made sooner
_CLUSTER_ZOOMS = 5
CLUSTERS_ACROSS = 1 << _CLUSTER_ZOOMS  # features are gathered in so many columns and rows
_COUNTED_ZOOMS = (11, 13, 16)  # the grids of gis.tile_count
_COUNTED = table(
    "tile_count",
    column("layer_id", Text()),
    *(column(name, Integer()) for name in ("zoom", "across", "up", "count")),
    *(column(name, BigInteger()) for name in ("sum_x", "sum_y")),
    schema="gis",
)
_COUNTS = _COUNTED.c


def are_gathered(source: ItemSource, tile: Tile) -> bool:
    """True where the layer's points are clusters at this zoom, however few they are."""
    options = source.layer.tiles or TileOptions()
    return source.has_points and tile.z < options.points_from_zoom


def are_counted(source: ItemSource, request: TileRequest) -> bool:
    """True where gis.tile_count has the numbers of rows in the tile: of tables, unfiltered."""
    afar = request.tile.z + _CLUSTER_ZOOMS <= _COUNTED_ZOOMS[-1]
    return afar and request.query.is_everything and not source.layer.is_view


def number_counted(source: ItemSource, tile: Tile) -> Select[Any]:
    """The number of rows counted in a tile; NULL for none."""
    return _counted(source, tile, func.sum(_COUNTS["count"]))


def clusters(place: FeatureSource, request: TileRequest) -> Select[Any]:
    """Rows gathered by a grid that all tiles of a zoom share; `count` says for how many.

    A cluster lies at the mean of its rows (of each, the middle of its box), in the one tile that
    holds its cell of the grid.
    """
    tile = request.tile
    if are_counted(place.source, request):
        return counted_clusters(place.source, tile)
    box = place.source.geometry
    x = func.gis.mercator_x((func.ST_XMin(box) + func.ST_XMax(box)) / 2, type_=Float())
    y = func.gis.mercator_y((func.ST_YMin(box) + func.ST_YMax(box)) / 2, type_=Float())
    step_m = tile.size_m / CLUSTERS_ACROSS
    points = place.select(
        x.label("x"),
        y.label("y"),
        func.floor(x / step_m).label("across"),
        func.floor(y / step_m).label("up"),
    ).subquery("points")
    middle = _middle(func.avg(points.c.x), func.avg(points.c.y))
    west, east, south, north = bound(_cells_of(tile, CLUSTERS_ACROSS), Integer())
    return (
        select(in_tile(middle, tile).label(GEOMETRY), func.count().label("count"))
        .where(points.c.across.between(west, east), points.c.up.between(south, north))
        .group_by(points.c.across, points.c.up)
        .order_by(points.c.across, points.c.up)
    )


def counted_clusters(source: ItemSource, tile: Tile) -> Select[Any]:
    """The same clusters, of a layer that is counted."""
    finer = _zoom_counted(tile) - tile.z - _CLUSTER_ZOOMS
    across, up = (cell.op(">>")(finer) for cell in (_COUNTS.across, _COUNTS.up))
    rows = cast(func.sum(_COUNTS["count"]), Integer)
    x, y = (func.sum(sums) / (100.0 * rows) for sums in (_COUNTS.sum_x, _COUNTS.sum_y))
    middle = _middle(cast(x, Float), cast(y, Float))
    columns = in_tile(middle, tile).label(GEOMETRY), rows.label("count")
    return _counted(source, tile, *columns).group_by(across, up).order_by(across, up)


def counted_values(tile: Tile) -> dict[str, int]:
    """Values of the parameters of `counted_clusters` for a tile, by name."""
    return _cells_of(tile, 1 << (_zoom_counted(tile) - tile.z))


def _counted(source: ItemSource, tile: Tile, *columns: ColumnElement[Any]) -> Select[Any]:
    west, east, south, north = bound(counted_values(tile), Integer())
    return (
        select(*columns)
        .select_from(_COUNTED)
        .where(
            _COUNTS.layer_id == source.layer.id,
            _COUNTS.zoom == _zoom_counted(tile),
            _COUNTS.across.between(west, east),
            _COUNTS.up.between(south, north),
        )
    )


def _zoom_counted(tile: Tile) -> int:
    """The coarsest grid of counts that is as fine as the tile's clusters."""
    return next(zoom for zoom in _COUNTED_ZOOMS if zoom >= tile.z + _CLUSTER_ZOOMS)


def _cells_of(tile: Tile, parts: int) -> dict[str, int]:
    """The cells of a tile, so many across it, counted from the middle of the world."""
    half = 1 << tile.z
    west, south = (2 * tile.x - half) * parts // 2, (half - 2 * tile.y - 2) * parts // 2
    return {
        "cell_west": west,
        "cell_east": west + parts - 1,
        "cell_south": south,
        "cell_north": south + parts - 1,
    }


def _middle(x: ColumnElement[Any], y: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.ST_SetSRID(func.ST_MakePoint(x, y), 3857)
