"""A layer's features as a Mapbox Vector Tile, made by PostGIS.

The source layer inside the tile is named like the layer.

* polygons are simplified as a coverage, so that neighbours keep one common border (tiles.coverage);
* polygons with a text have one label point each, in the source layer `<layer>_labels` of the one
  tile of a zoom that holds the point: a label within the polygon would come again in every tile;
* features that are too many become clusters (tiles.clusters).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import pi, radians, sin
from threading import Lock
from typing import Any

from cachetools import LRUCache, cached
from sqlalchemy import (
    Connection,
    Dialect,
    Float,
    Text,
    bindparam,
    case,
    cast,
    column,
    false,
    func,
    literal,
    literal_column,
    select,
    table,
    true,
)
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.selectable import CTE, Select, Subquery

from gis.errors import NotFound
from layers.definition.model import FieldType, GeometryKind, Layer, TileOptions
from layers.items import ItemSource, ServedColumn, source_of
from layers.items.query import property_of
from tiles.clusters import (
    CROWD,
    are_counted,
    are_gathered,
    clusters,
    counted_clusters,
    counted_values,
    number_counted,
)
from tiles.grid import EXTENT, Tile, pixel_m
from tiles.limits import is_beyond, limit_values
from tiles.sources import (
    GEOMETRY,
    ID,
    FeatureSource,
    TileRequest,
    bound,
    in_tile,
    in_tile_by_degrees,
    place_of,
    values_of,
)
from tiles.state import DAY, LAYER_STATES, STATE_COLUMNS, LayerState, not_published

MOST_ROWS = 10_000
MOST_BYTES = 500_000
_NEAR_ZOOM = 12  # from it on, a tile is so small that its rows are best found by their places
_MOST_SOURCES = 500
_NO_BYTES: ColumnElement[Any] = literal_column("''::bytea")
_PLAIN = (FieldType.TEXT, FieldType.INTEGER, FieldType.NUMBER, FieldType.BOOLEAN)


def layer_tile(
    connection: Connection, layer: Layer, request: TileRequest, simplified_zoom: int | None = None
) -> bytes:
    """The tile; empty where nothing lies, or below the least zoom of the layer.

    `simplified_zoom` says under which zoom gis.simplified holds the shapes for this tile, which
    `connection` has to see as those of the present state (tiles.coverage.is_simplified).
    Raises NotFound for a layer without tiles, BadInput for what the layer does not have.
    """
    options, source = _tiled(layer)
    fields = _fields(source, request)
    if request.tile.z < options.min_zoom:
        return b""
    stored = place_of(source, request, None)
    if _is_crowded(connection, source, request):
        return _encoded(connection, layer, clusters(stored, request))
    place = place_of(source, request, simplified_zoom)
    content, number = connection.execute(_features_layer(place, request, fields)).one()
    if number > MOST_ROWS or len(content) > MOST_BYTES:
        return _encoded(connection, layer, clusters(stored, request))
    return bytes(content)


@dataclass(frozen=True, slots=True)
class TileStatement:
    """One statement that gives a tile and the state that it shows; its text and plan are kept."""

    layer_id: str
    sql: str  # in the driver's own style
    values: Mapping[str, Any]
    of_simplified: bool

    def answer(self, rows: Sequence[tuple[Any, ...]]) -> tuple[LayerState, bytes, bool] | None:
        """The state, the tile and whether it lies beyond the limits, of the one row that came.

        None where it needs more than a statement: it holds too much, or the simplified shapes are
        not those of the present state. Raises NotFound for a layer that is not published.
        """
        if not rows and not self.of_simplified:
            raise not_published(self.layer_id)
        if not rows:
            return None
        *state, content, number, beyond = rows[0]
        if number > MOST_ROWS or len(content) > MOST_BYTES:
            return None
        return LayerState(*state), bytes(content), beyond


def question(
    dialect: Dialect, layer: Layer, request: TileRequest, simplified_zoom: int | None = None
) -> TileStatement | None:
    """The one statement that draws a tile; `simplified_zoom`: with the stored shapes of that zoom.

    None where a tile needs more than a statement: a filter, or another plan, as rows of a wide tile
    do. Raises NotFound and BadInput as `layer_tile` does.
    """
    options, source = _tiled(layer)
    fields, tile, query = _fields(source, request), request.tile, request.query
    counted, gathered = are_counted(source, request), are_gathered(source, tile)
    wide = gathered or (simplified_zoom is None and tile.z < _NEAR_ZOOM)
    if tile.z < options.min_zoom or query.shape is None or (wide and not counted):
        return None

    def select_tile() -> Select[Any]:
        place = place_of(source, request, simplified_zoom)
        statement = _with_state(source, _features_or_clusters(place, request, fields))
        return (
            statement
            if simplified_zoom is None
            else _of_present_shapes(statement, options.simplify_px)
        )

    drawn = _simplifying(source, tile), _is_straight(source, tile), counted and tile.z, gathered
    shape = ("tile", drawn, simplified_zoom, tuple(served.name for served in fields), query.shape)
    compiled = source.statements.compiled(dialect, shape, select_tile)
    values = {**compiled.values, **_values(source, request)}
    return TileStatement(layer.id, compiled.sql, values, simplified_zoom is not None)


def _values(source: ItemSource, request: TileRequest) -> dict[str, Any]:
    tile = request.tile
    values = {
        **values_of(tile),
        **_own_box_of(tile),
        **limit_values(tile),
        **request.query.values(source),
    }
    counted = counted_values(tile) if are_counted(source, request) else {}
    return {**values, **counted, "layer_id": source.layer.id}


def shown_fields(layer: Layer, z: int) -> tuple[str, ...]:
    """The fields that a tile of a zoom carries: those of the file, and those that draw it."""
    options = layer.tiles or TileOptions()
    if not options.fields:
        return tuple(layer.public_fields)
    zooms = [zoom for zoom in options.fields if zoom <= z]
    named = options.fields[max(zooms)] if zooms else ()
    drawn = (name for name in (layer.style.field, layer.style.text) if name)
    return tuple(dict.fromkeys((*named, *drawn)))


def _tiled(layer: Layer) -> tuple[TileOptions, ItemSource]:
    source = known_source_of(layer)
    if layer.tiles is None or source.geometry is None:
        raise NotFound(f"the layer {layer.id} has no tiles")
    return layer.tiles, source


@cached(LRUCache(_MOST_SOURCES), key=id, lock=Lock())
def known_source_of(layer: Layer) -> ItemSource:
    """The source with the statements that were made for it; it keeps alive what its id names."""
    return source_of(layer)


def _fields(source: ItemSource, request: TileRequest) -> tuple[ServedColumn, ...]:
    names = request.fields
    if names is None:
        names = shown_fields(source.layer, request.tile.z)
    return tuple(property_of(source, name) for name in names)


def _features(place: FeatureSource, tile: Tile, fields: Sequence[ServedColumn]) -> Select[Any]:
    return place.select(
        place.source.id.label(ID),
        _drawn(place, tile).label(GEOMETRY),
        *(_attribute(served).label(served.name) for served in fields),
    ).order_by(place.source.id)


def _drawn(place: FeatureSource, tile: Tile) -> ColumnElement[Any]:
    tolerance_m, kind = _simplifying(place.source, tile), place.source.layer.geometry
    if tolerance_m:
        return in_tile(func.ST_Simplify(place.mercator, tolerance_m, true()), tile, kind)
    if place.srid == 3857 or not _is_straight(place.source, tile):
        return in_tile(place.mercator, tile, kind)
    return in_tile_by_degrees(place.geometry, tile, kind)


def _is_straight(source: ItemSource, tile: Tile) -> bool:
    """True where degrees may be drawn untransformed: the transformation takes half a tile's time.

    Along a meridian Mercator is not linear; between the edges of a tile, where both agree, they
    differ by the square of its height / 8 × sin(latitude) at most, which is to be below a unit.
    """
    height, box = 2 * pi / (1 << tile.z), tile.bbox()
    latitude = radians(max(abs(box.south), abs(box.north)))
    return not _simplifying(source, tile) and EXTENT * height * sin(latitude) / 8 < 1


def _simplifying(source: ItemSource, tile: Tile) -> float:
    """The tolerance of lines in metres of EPSG:3857; polygons are simplified as a coverage."""
    if source.layer.geometry is not GeometryKind.LINE:
        return 0.0
    return pixel_m(tile.z) * (source.layer.tiles or TileOptions()).simplify_px


def _attribute(served: ServedColumn) -> ColumnElement[Any]:
    """Times are written as in items; the other types a tile knows by itself."""
    if served.type in _PLAIN:
        return served.sql
    return func.btrim(cast(func.to_json(served.sql), Text), '"')


def _is_crowded(connection: Connection, source: ItemSource, request: TileRequest) -> bool:
    if are_gathered(source, request.tile):
        return True
    if not are_counted(source, request):
        return False  # the rows themselves tell
    return (connection.scalar(number_counted(source, request.tile)) or 0) > CROWD


def _encoded(connection: Connection, layer: Layer, rows: Select[Any]) -> bytes:
    statement = _source_layer(rows.subquery("tile_rows"), layer.id, func.count())
    return bytes(connection.execute(statement).one().content or b"")


def _features_or_clusters(
    place: FeatureSource, request: TileRequest, fields: Sequence[ServedColumn]
) -> Select[Any]:
    """The source layers of the tile, as `content`, and the `number` of features."""
    source, tile = place.source, request.tile
    if not are_counted(source, request):
        return _features_layer(place, request, fields)
    gathered = counted_clusters(source, tile).cte("gathered")
    name = source.layer.id
    if are_gathered(source, tile):
        return _source_layer(gathered, name, func.count())
    crowded = select(func.coalesce(func.sum(gathered.c["count"]), 0) > CROWD).scalar_subquery()
    # A limit of 0 is an error before any row is read.
    few = _features_layer(place, request, fields, case((crowded, 0), else_=MOST_ROWS + 1))
    features = few.subquery("features_if_few")
    crowd = select(*gathered.c).where(crowded).subquery("tile_crowd")
    clusters = _source_layer(crowd, name, func.count()).subquery("clusters_if_many")
    either = features.c.content.op("||")(clusters.c.content).label("content")
    return select(either, features.c.number).select_from(features.join(clusters, true()))


def _features_layer(
    place: FeatureSource,
    request: TileRequest,
    fields: Sequence[ServedColumn],
    most: ColumnElement[int] | int = MOST_ROWS + 1,
) -> Select[Any]:
    """The features with their labels, as `content`, and the `number` of features.

    One row more than a tile may hold tells that there are too many.
    """
    layer = place.source.layer
    rows = _features(place, request.tile, fields).limit(most)
    statement = _source_layer(rows.subquery("tile_rows"), layer.id, func.count())
    if layer.geometry is not GeometryKind.POLYGON or layer.style.text is None:
        return statement
    features = statement.subquery("features")
    points = _label_points(place, request.tile).limit(most).subquery("tile_labels")
    labels = _source_layer(points, f"{layer.id}_labels", func.count()).subquery("labels")
    both = features.c.content.op("||")(labels.c.content).label("content")
    return select(both, features.c.number).select_from(features.join(labels, true()))


def _label_points(place: FeatureSource, tile: Tile) -> Select[Any]:
    """A point on the surface of each polygon, where this tile holds it, with the layer's text."""
    text = place.source.by_name[place.source.layer.style.text or ""]
    point = func.ST_PointOnSurface(place.mercator)
    points = place.select(
        place.source.id.label(ID), point.label("point"), _attribute(text).label(text.name)
    ).subquery("points")
    x, y = func.ST_X(points.c.point), func.ST_Y(points.c.point)
    west, south, east, north = bound(_own_box_of(tile), Float())
    return (
        select(points.c[ID], in_tile(points.c.point, tile).label(GEOMETRY), points.c[text.name])
        .where(x >= west, x < east, y > south, y <= north)
        .order_by(points.c[ID])
    )


def _own_box_of(tile: Tile) -> dict[str, float]:
    """The edges of a tile in metres of EPSG:3857, by the names with which they are bound."""
    west, north = tile.west_m, tile.north_m
    names = ("own_west", "own_south", "own_east", "own_north")
    edges = (west, north - tile.size_m, west + tile.size_m, north)
    return dict(zip(names, edges, strict=True))


def _source_layer(rows: Subquery | CTE, name: str, number: ColumnElement[Any]) -> Select[Any]:
    """A source layer of named rows, as `content`, and a `number` beside it."""
    identity = [ID] if ID in rows.c else []
    whole_row: ColumnElement[Any] = literal_column(rows.name)
    encoded = func.ST_AsMVT(whole_row, name, EXTENT, GEOMETRY, *identity)
    content = func.coalesce(encoded, _NO_BYTES)
    return select(content.label("content"), number.label("number")).select_from(rows)


def _with_state(source: ItemSource, tile: Select[Any]) -> Select[Any]:
    """The state of the layer, the tile, and whether an empty one lies beyond the limits."""
    drawn = tile.subquery("made")
    is_empty = func.length(drawn.c.content) == 0
    beyond = case((is_empty, is_beyond(source)), else_=false()).label("beyond")
    return (
        select(*STATE_COLUMNS, drawn.c.content, drawn.c.number, beyond)
        .select_from(LAYER_STATES.join(drawn, true()))
        .where(LAYER_STATES.c.published, LAYER_STATES.c.id == bindparam("layer_id", type_=Text()))
    )


def _of_present_shapes(statement: Select[Any], tolerance_px: float) -> Select[Any]:
    """Nothing, where the simplified shapes are not those of the present state and tolerance."""
    simplified = table(
        "simplified_layer", column("layer_id"), column("stamp", Text()), schema="gis"
    ).c
    state = cast(LAYER_STATES.c.version, Text) + "." + DAY
    return statement.where(
        simplified.layer_id == LAYER_STATES.c.id,
        simplified.stamp == state + literal(f".{tolerance_px}", Text()),
    )
