"""Sources of a tile's features, and their transformation into its own coordinates.

The tile's envelope is moved into the CRS of storage, so that the index answers; features are moved
into EPSG:3857 one by one. A tile is bound by name, so that a statement that is kept can be asked
for another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Float, Integer, bindparam, column, func, literal_column, select, table, true
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.expression import FromClause
from sqlalchemy.sql.selectable import Select
from sqlalchemy.types import TypeEngine

from layers.definition.model import GeometryKind
from layers.items import ItemSource, Query
from tiles.grid import BUFFER, EXTENT, HALF_WORLD_M, Tile, pixel_m

ID, GEOMETRY = "_id", "_geometry"  # no field can be called so


@dataclass(frozen=True)
class TileRequest:
    """One tile of a layer: which rows, and which fields of them (None: as the layer file says)."""

    tile: Tile
    query: Query = field(default_factory=Query)
    fields: tuple[str, ...] | None = None


@dataclass(frozen=True)
class FeatureSource:
    """The rows that a tile is drawn from, and their geometry in the CRS of `srid`."""

    source: ItemSource
    rows: FromClause
    geometry: ColumnElement[Any]
    srid: int
    conditions: Sequence[ColumnElement[bool]]

    @property
    def mercator(self) -> ColumnElement[Any]:
        return self.geometry if self.srid == 3857 else func.ST_Transform(self.geometry, 3857)

    def select(self, *columns: ColumnElement[Any]) -> Select[Any]:
        return select(*columns).select_from(self.rows).where(*self.conditions)


def place_of(
    source: ItemSource, request: TileRequest, simplified_zoom: int | None
) -> FeatureSource:
    """The rows of the layer as they are, or with the shapes that were made for a zoom."""
    if simplified_zoom is not None:
        return _simplified(source, request, simplified_zoom)
    assert source.geometry is not None
    box = func.ST_MakeEnvelope(*bound(_box_of(request.tile), Float()), 4326)
    inside = source.geometry.op("&&", is_comparison=True)(box)
    conditions = [inside, *request.query.conditions(source)]
    return FeatureSource(source, source.table, source.geometry, 4326, conditions)


def _simplified(source: ItemSource, request: TileRequest, zoom: int) -> FeatureSource:
    simplified = table(
        "simplified", *map(column, ("layer_id", "zoom", "row_id", "shape")), schema="gis"
    ).c
    inside = simplified.shape.op("&&", is_comparison=True)(_envelope(request.tile, BUFFER / EXTENT))
    shapes = (
        select(simplified.row_id.label("_row_id"), simplified.shape.label("_shape"))
        .where(simplified.layer_id == source.layer.id, simplified.zoom == zoom, inside)
        .subquery("shapes")
    )
    rows = shapes.join(source.table, shapes.c._row_id == source.id)
    return FeatureSource(source, rows, shapes.c._shape, 3857, request.query.conditions(source))


def in_tile(
    geometry: ColumnElement[Any], tile: Tile, kind: GeometryKind = GeometryKind.POINT
) -> ColumnElement[Any]:
    """A geometry in EPSG:3857 in the tile's own coordinates."""
    return _in_tile(geometry, _envelope(tile), kind, "speck_m", _specks_of(tile))


def in_tile_by_degrees(
    geometry: ColumnElement[Any], tile: Tile, kind: GeometryKind
) -> ColumnElement[Any]:
    """The same of one in degrees, taken as if they were linear."""
    edges = func.ST_MakeEnvelope(*bound(_edges_of(tile), Float()), 4326)
    return _in_tile(geometry, edges, kind, "speck_degrees", _specks_of(tile))


def _in_tile(
    geometry: ColumnElement[Any],
    edges: ColumnElement[Any],
    kind: GeometryKind,
    name: str,
    specks: Mapping[str, float],
) -> ColumnElement[Any]:
    """A line or polygon too small to be drawn becomes a speck of a pixel: none is missing."""
    drawn = func.ST_AsMVTGeom(geometry, edges, EXTENT, BUFFER, true())
    if kind is GeometryKind.POINT:
        return drawn
    middle, half = func.ST_PointOnSurface(geometry), bindparam(name, specks[name], Float())
    if kind is GeometryKind.POLYGON:
        speck = func.ST_Expand(middle, half)
    else:
        ends = (func.ST_Translate(middle, shift, literal_column("0")) for shift in (-half, half))
        speck = func.ST_MakeLine(*ends)
    return func.coalesce(drawn, func.ST_AsMVTGeom(speck, edges, EXTENT, BUFFER, true()))


def _envelope(tile: Tile, margin: float = 0.0) -> ColumnElement[Any]:
    half = literal_column("20037508.342789244", Float)
    world = func.ST_MakeEnvelope(-half, -half, half, half, 3857)
    return func.ST_TileEnvelope(*bound(_number_of(tile), Integer()), world, margin)


def values_of(tile: Tile) -> dict[str, Any]:
    """Values of the parameters of statements about a tile, by name."""
    return {**_number_of(tile), **_box_of(tile), **_edges_of(tile), **_specks_of(tile)}


def _number_of(tile: Tile) -> dict[str, int]:
    return {"tile_z": tile.z, "tile_x": tile.x, "tile_y": tile.y}


def _box_of(tile: Tile) -> dict[str, float]:
    """The box of what is drawn in a tile, with its margin."""
    names = ("tile_west", "tile_south", "tile_east", "tile_north")
    return dict(zip(names, tile.bbox().as_list(), strict=True))


def _edges_of(tile: Tile) -> dict[str, float]:
    names = ("edge_west", "edge_south", "edge_east", "edge_north")
    return dict(zip(names, tile.bbox(0.0).as_list(), strict=True))


def _specks_of(tile: Tile) -> dict[str, float]:
    """Half a pixel of the screen, in metres of EPSG:3857 and in degrees of longitude."""
    half_m = pixel_m(tile.z) / 2
    return {"speck_m": half_m, "speck_degrees": half_m * 180 / HALF_WORLD_M}


def bound(values: Mapping[str, Any], kind: TypeEngine[Any]) -> list[ColumnElement[Any]]:
    """Parameters by name, each with the value that it has in this question."""
    return [bindparam(name, value, kind) for name, value in values.items()]
