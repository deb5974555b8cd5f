"""A layer's features as a Mapbox Vector Tile, made by PostGIS.

The tile's envelope is moved into the CRS of storage, so that the index answers; features are moved
into EPSG:3857 one by one. The source layer inside the tile is named like the layer.

* polygons are simplified as a coverage, so that neighbours keep one common border (tiles.coverage);
* polygons with a text have one label point each, in the source layer `<layer>_labels` of the one
  tile of a zoom that holds the point: a label within the polygon would come again in every tile;
* points become clusters with their `count` below the layer's `points_from_zoom`; so do features of
  any kind where there are so many that the tile would be heavy: nothing is left out silently. From
  afar, clusters of a whole layer come from gis.tile_count, which its triggers keep, and begin at
  fewer features.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import pi, radians, sin
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    Float,
    Integer,
    Text,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
    table,
    true,
)
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.expression import FromClause
from sqlalchemy.sql.selectable import Select
from sqlalchemy.types import TypeEngine

from gis.database.engine import Database
from gis.errors import NotFound
from layers.items import Query, Served, Source, source_of
from layers.items.query import property_of
from layers.model import FieldType, GeometryKind, Layer, TileOptions
from tiles.grid import BUFFER, EXTENT, Tile, pixel_m
from tiles.state import LayerState

MOST_ROWS = 10_000
_CROWD = 2_500  # of 512 × 512 pixels, one for each 10 × 10: clusters say more, and are made sooner
MOST_BYTES = 500_000
_NEAR_ZOOM = 12  # from it on, a tile is so small that its rows are best found by their places
_MOST_SOURCES = 500
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
_LAYERS = table(
    "layer",
    column("id", Text()),
    column("version", BigInteger()),
    column("published", Boolean()),
    schema="gis",
)
_ID, _GEOMETRY = "_id", "_geometry"  # no field can be called so
_PLAIN = (FieldType.TEXT, FieldType.INTEGER, FieldType.NUMBER, FieldType.BOOLEAN)


@dataclass(frozen=True)
class TileRequest:
    """One tile of a layer: which rows, and which fields of them (None: as the layer file says)."""

    tile: Tile
    query: Query = field(default_factory=Query)
    fields: tuple[str, ...] | None = None


def layer_tile(
    connection: Connection, layer: Layer, request: TileRequest, simplified_zoom: int | None = None
) -> bytes:
    """The tile; empty where nothing lies, or below the least zoom of the layer.

    `simplified_zoom` says under which zoom gis.simplified holds the present shapes for this tile.
    Raises NotFound for a layer without tiles, BadInput for what the layer does not have.
    """
    options, source = _tiled(layer)
    fields = _fields(source, request)
    if request.tile.z < options.min_zoom:
        return b""
    stored = _stored(source, request)
    if _is_crowded(connection, stored, request):
        return _encoded(connection, layer, _clusters(stored, request))
    place = stored if simplified_zoom is None else _simplified(source, request, simplified_zoom)
    # One row more than a tile may hold tells that there are too many.
    rows = _features(place, request.tile, fields).limit(MOST_ROWS + 1)
    made, number = _encoded_and_counted(connection, layer, rows)
    if number > MOST_ROWS or len(made) > MOST_BYTES:
        return _encoded(connection, layer, _clusters(stored, request))
    return made + _label_points(connection, place, request)


def tile_at_once(
    database: Database, layer: Layer, request: TileRequest, simplified_zoom: int | None = None
) -> tuple[LayerState, bytes] | None:
    """The tile and the state that it shows, by one statement, whose text and plan are kept.

    None where a tile needs more: clusters, labels, a filter, shapes that are not those of the
    present state (`simplified_zoom`: of which zoom they are to be), or another plan, as rows of a
    wide tile do. Raises as `layer_tile` does, and NotFound for a layer that is not published.
    """
    options, source = _tiled(layer)
    fields = _fields(source, request)
    if not _is_plain(source, options, request, simplified_zoom):
        return None
    query, tile = request.query, request.tile
    here = {**_place_of(tile), **_box_of(tile), **_edges_of(tile)}
    values = {**here, **query.values(source), "layer_id": layer.id}
    drawn = _simplifying(source, tile), _is_straight(source, tile)
    shape = ("tile", drawn, simplified_zoom, tuple(one.name for one in fields), query.shape)
    made = source.statements.made(
        database.dialect, shape, lambda: _with_state(source, request, fields, simplified_zoom)
    )
    found = database.ask(made.sql, {**made.values, **values})
    if not found and simplified_zoom is not None:
        return None
    if not found:
        raise NotFound(f"the layer {layer.id} is not published: run `gis layers sync`")
    version, day, content, number = found[0]
    most = _CROWD if _is_counted(source, request) else MOST_ROWS
    if number > most or len(content) > MOST_BYTES:
        return None
    return LayerState(layer.id, version, day), bytes(content)


def _is_plain(
    source: Source, options: TileOptions, request: TileRequest, simplified_zoom: int | None
) -> bool:
    layer, z = source.layer, request.tile.z
    labelled = layer.geometry is GeometryKind.POLYGON and layer.style.text is not None
    gathered = source.has_points and z < options.points_from_zoom
    return (
        z >= options.min_zoom
        and not gathered
        and not labelled
        and (simplified_zoom is not None or z >= _NEAR_ZOOM)
        and request.query.shape is not None
    )


def shown_fields(layer: Layer, z: int) -> tuple[str, ...]:
    """The fields that a tile of a zoom carries: those of the file, and those that draw it."""
    options = layer.tiles or TileOptions()
    if not options.fields:
        return tuple(layer.public_fields)
    zooms = [zoom for zoom in options.fields if zoom <= z]
    named = options.fields[max(zooms)] if zooms else ()
    drawn = (name for name in (layer.style.field, layer.style.text) if name)
    return tuple(dict.fromkeys((*named, *drawn)))


def _tiled(layer: Layer) -> tuple[TileOptions, Source]:
    source = _source_of(layer)
    if layer.tiles is None or source.geometry is None:
        raise NotFound(f"the layer {layer.id} has no tiles")
    return layer.tiles, source


_sources: dict[int, Source] = {}


def _source_of(layer: Layer) -> Source:
    """The source with the statements that were made for it; it keeps alive what its id names."""
    made = _sources.get(id(layer))
    if made is None:
        if len(_sources) >= _MOST_SOURCES:
            _sources.clear()
        made = _sources[id(layer)] = source_of(layer)
    return made


def _fields(source: Source, request: TileRequest) -> tuple[Served, ...]:
    names = request.fields
    if names is None:
        names = shown_fields(source.layer, request.tile.z)
    return tuple(property_of(source, name) for name in names)


@dataclass(frozen=True)
class _Place:
    """Where the features of a tile are read: rows, and their geometry in the CRS of `srid`."""

    source: Source
    rows: FromClause
    geometry: ColumnElement[Any]
    srid: int
    conditions: Sequence[ColumnElement[bool]]

    @property
    def mercator(self) -> ColumnElement[Any]:
        return self.geometry if self.srid == 3857 else func.ST_Transform(self.geometry, 3857)

    def select(self, *columns: ColumnElement[Any]) -> Select[Any]:
        return select(*columns).select_from(self.rows).where(*self.conditions)


def _stored(source: Source, request: TileRequest) -> _Place:
    """The rows of the layer as they are."""
    assert source.geometry is not None
    box = func.ST_MakeEnvelope(*_bound(_box_of(request.tile), Float()), 4326)
    inside = source.geometry.op("&&", is_comparison=True)(box)
    conditions = [inside, *request.query.conditions(source)]
    return _Place(source, source.table, source.geometry, 4326, conditions)


def _simplified(source: Source, request: TileRequest, zoom: int) -> _Place:
    """The rows of the layer with the shapes that were made for a zoom."""
    made = table(
        "simplified", *map(column, ("layer_id", "zoom", "row_id", "shape")), schema="gis"
    ).c
    inside = made.shape.op("&&", is_comparison=True)(_envelope(request.tile, BUFFER / EXTENT))
    shapes = (
        select(made.row_id.label("_row_id"), made.shape.label("_shape"))
        .where(made.layer_id == source.layer.id, made.zoom == zoom, inside)
        .subquery("shapes")
    )
    rows = shapes.join(source.table, shapes.c._row_id == source.id)
    return _Place(source, rows, shapes.c._shape, 3857, request.query.conditions(source))


def _envelope(tile: Tile, margin: float = 0.0) -> ColumnElement[Any]:
    half = literal_column("20037508.342789244", Float)
    world = func.ST_MakeEnvelope(-half, -half, half, half, 3857)
    return func.ST_TileEnvelope(*_bound(_place_of(tile), Integer()), world, margin)


# A tile is bound by name, so that a statement that is kept can be asked for another.
def _place_of(tile: Tile) -> dict[str, int]:
    return {"tile_z": tile.z, "tile_x": tile.x, "tile_y": tile.y}


def _box_of(tile: Tile) -> dict[str, float]:
    """The box of what is drawn in a tile, with its margin."""
    names = ("tile_west", "tile_south", "tile_east", "tile_north")
    return dict(zip(names, tile.bbox().as_list(), strict=True))


def _edges_of(tile: Tile) -> dict[str, float]:
    names = ("edge_west", "edge_south", "edge_east", "edge_north")
    return dict(zip(names, tile.bbox(0.0).as_list(), strict=True))


def _bound(values: Mapping[str, Any], kind: TypeEngine[Any]) -> list[ColumnElement[Any]]:
    return [bindparam(name, value, kind) for name, value in values.items()]


def _in_tile(geometry: ColumnElement[Any], tile: Tile) -> ColumnElement[Any]:
    return func.ST_AsMVTGeom(geometry, _envelope(tile), EXTENT, BUFFER, true())


def _features(place: _Place, tile: Tile, fields: Sequence[Served]) -> Select[Any]:
    return place.select(
        place.source.id.label(_ID),
        _drawn(place, tile).label(_GEOMETRY),
        *(_attribute(served).label(served.name) for served in fields),
    ).order_by(place.source.id)


def _drawn(place: _Place, tile: Tile) -> ColumnElement[Any]:
    tolerance_m = _simplifying(place.source, tile)
    if tolerance_m:
        return _in_tile(func.ST_Simplify(place.mercator, tolerance_m, true()), tile)
    if place.srid == 3857 or not _is_straight(place.source, tile):
        return _in_tile(place.mercator, tile)
    edges = func.ST_MakeEnvelope(*_bound(_edges_of(tile), Float()), 4326)
    return func.ST_AsMVTGeom(place.geometry, edges, EXTENT, BUFFER, true())


def _is_straight(source: Source, tile: Tile) -> bool:
    """Whether degrees are drawn as they are: the transformation takes half the time of a tile.

    Along a meridian Mercator is not linear; between the edges of a tile, where both agree, they
    differ by the square of its height / 8 × sin(latitude) at most, which is to be below a unit.
    """
    height = 2 * pi / (1 << tile.z)
    latitude = radians(max(abs(tile.bbox().south), abs(tile.bbox().north)))
    return not _simplifying(source, tile) and EXTENT * height * sin(latitude) / 8 < 1


def _simplifying(source: Source, tile: Tile) -> float:
    """The tolerance of lines in metres of EPSG:3857; polygons are simplified as a coverage."""
    if source.layer.geometry is not GeometryKind.LINE:
        return 0.0
    return pixel_m(tile.z) * (source.layer.tiles or TileOptions()).simplify_px


def _attribute(served: Served) -> ColumnElement[Any]:
    """Times are written as in items; the other types a tile knows by itself."""
    if served.type in _PLAIN:
        return served.sql
    return func.btrim(cast(func.to_json(served.sql), Text), '"')


def _is_crowded(connection: Connection, place: _Place, request: TileRequest) -> bool:
    layer, tile = place.source.layer, request.tile
    options = layer.tiles or TileOptions()
    if place.source.has_points and tile.z < options.points_from_zoom:
        return True
    if not _is_counted(place.source, request):
        return False  # the rows themselves tell
    number = _counted(layer, tile, func.sum(_COUNTS["count"]))
    return (connection.scalar(number) or 0) > _CROWD


def _is_counted(source: Source, request: TileRequest) -> bool:
    """Whether gis.tile_count tells how many rows lie where in the tile: of tables, unfiltered."""
    afar = request.tile.z + _CLUSTER_ZOOMS <= _COUNTED_ZOOMS[-1]
    return afar and request.query.is_everything and not source.layer.is_view


def _counted(layer: Layer, tile: Tile, *columns: ColumnElement[Any]) -> Select[Any]:
    """The counts within a tile, by the coarsest grid that is as fine as its clusters."""
    zoom = next(zoom for zoom in _COUNTED_ZOOMS if zoom >= tile.z + _CLUSTER_ZOOMS)
    west, south = _corner(tile, 1 << (zoom - tile.z))
    last = (1 << (zoom - tile.z)) - 1
    return (
        select(*columns)
        .select_from(_COUNTED)
        .where(
            _COUNTS.layer_id == layer.id,
            _COUNTS.zoom == zoom,
            _COUNTS.across.between(west, west + last),
            _COUNTS.up.between(south, south + last),
        )
    )


def _corner(tile: Tile, parts: int) -> tuple[int, int]:
    """The cell in the south-west of a tile, of so many across it, from the middle of the world."""
    half = 1 << tile.z
    return (2 * tile.x - half) * parts // 2, (half - 2 * tile.y - 2) * parts // 2


def _clusters(place: _Place, request: TileRequest) -> Select[Any]:
    """Rows gathered by a grid that all tiles of a zoom share; `count` says for how many.

    A cluster lies at the mean of its rows (of each, the middle of its box), in the one tile that
    holds its cell of the grid.
    """
    tile = request.tile
    if _is_counted(place.source, request):
        return _clusters_of_counts(place.source.layer, tile)
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
    west, south = _corner(tile, CLUSTERS_ACROSS)
    last = CLUSTERS_ACROSS - 1
    middle = _middle(func.avg(points.c.x), func.avg(points.c.y))
    return (
        select(_in_tile(middle, tile).label(_GEOMETRY), func.count().label("count"))
        .where(points.c.across.between(west, west + last), points.c.up.between(south, south + last))
        .group_by(points.c.across, points.c.up)
        .order_by(points.c.across, points.c.up)
    )


def _clusters_of_counts(layer: Layer, tile: Tile) -> Select[Any]:
    zoom = next(zoom for zoom in _COUNTED_ZOOMS if zoom >= tile.z + _CLUSTER_ZOOMS)
    finer = zoom - tile.z - _CLUSTER_ZOOMS
    across, up = (cell.op(">>")(finer) for cell in (_COUNTS.across, _COUNTS.up))
    rows = cast(func.sum(_COUNTS["count"]), Integer)
    x, y = (func.sum(sums) / (100.0 * rows) for sums in (_COUNTS.sum_x, _COUNTS.sum_y))
    middle = _middle(cast(x, Float), cast(y, Float))
    columns = _in_tile(middle, tile).label(_GEOMETRY), rows.label("count")
    return _counted(layer, tile, *columns).group_by(across, up).order_by(across, up)


def _middle(x: ColumnElement[Any], y: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.ST_SetSRID(func.ST_MakePoint(x, y), 3857)


def _label_points(connection: Connection, place: _Place, request: TileRequest) -> bytes:
    """A point on the surface of each polygon, where this tile holds it, with the layer's text."""
    layer, tile = place.source.layer, request.tile
    if layer.geometry is not GeometryKind.POLYGON or layer.style.text is None:
        return b""
    text = place.source.by_name[layer.style.text]
    point = func.ST_PointOnSurface(place.mercator)
    points = place.select(
        place.source.id.label(_ID), point.label("point"), _attribute(text).label(text.name)
    ).subquery("points")
    x, y = func.ST_X(points.c.point), func.ST_Y(points.c.point)
    west, south = tile.west_m, tile.north_m - tile.size_m
    rows = select(
        points.c[_ID], _in_tile(points.c.point, tile).label(_GEOMETRY), points.c[text.name]
    ).where(x >= west, x < west + tile.size_m, y > south, y <= tile.north_m)
    return _encoded(connection, layer, rows.order_by(points.c[_ID]), f"{layer.id}_labels")


def _encoded(
    connection: Connection, layer: Layer, rows: Select[Any], name: str | None = None
) -> bytes:
    return _encoded_and_counted(connection, layer, rows, name)[0]


def _encoded_and_counted(
    connection: Connection, layer: Layer, rows: Select[Any], name: str | None = None
) -> tuple[bytes, int]:
    """A source layer, and how many rows there were for it."""
    content, number = connection.execute(_source_layer(rows, name or layer.id)).one()
    return bytes(content or b""), number


def _source_layer(rows: Select[Any], name: str) -> Select[Any]:
    """Its `content`, and the `number` of rows that there were for it."""
    named = rows.subquery("tile_rows")
    identity = [_ID] if _ID in named.c else []
    whole_row: ColumnElement[Any] = literal_column("tile_rows")
    made = func.ST_AsMVT(whole_row, name, EXTENT, _GEOMETRY, *identity)
    return select(made.label("content"), func.count().label("number")).select_from(named)


def _with_state(
    source: Source, request: TileRequest, fields: Sequence[Served], simplified_zoom: int | None
) -> Select[Any]:
    if simplified_zoom is None:
        place = _stored(source, request)
    else:
        place = _simplified(source, request, simplified_zoom)
    rows = _features(place, request.tile, fields).limit(MOST_ROWS + 1)
    made = _source_layer(rows, source.layer.id).subquery("made")
    now, day = _LAYERS.c, cast(func.gis.today(), Text)
    found = (
        select(now.version, day, made.c.content, made.c.number)
        .select_from(_LAYERS.join(made, true()))
        .where(now.published, now.id == bindparam("layer_id", type_=Text()))
    )
    if simplified_zoom is None:
        return found
    kept = table("simplified_layer", column("layer_id"), column("stamp", Text()), schema="gis").c
    stamp = cast(now.version, Text) + "." + day
    return found.where(kept.layer_id == now.id, kept.stamp == stamp)
