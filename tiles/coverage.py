"""Polygons simplified for each zoom as one coverage: neighbours keep one common border.

Simplifying polygon by polygon leaves gaps and overlaps along borders. Here GEOS simplifies every
common arc once (Visvalingam–Whyatt on the coverage, GEOS ≥ 3.12), and the result is kept in
gis.simplified for as long as the layer stays as it is. A tile shows the shapes of the state that it
is of, or waits for them: drawn without, it would be heavy, and meet no border of its neighbours.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from sqlalchemy import Connection, func, select, text

from gis.database.engine import Database
from gis.values import BBox
from layers.definition.model import GeometryKind, Layer, TileOptions
from layers.items import source_of
from tiles.grid import pixel_m
from tiles.state import LayerState, read_state

COARSEST_ZOOM, FINEST_ZOOM = 5, 12  # beyond it a tile holds few vertices as they are
MOST_POLYGONS = 5_000  # more take longer than a person waits for a tile

Polygons = npt.NDArray[np.object_]


def stored_zoom(layer: Layer, z: int) -> int | None:
    """The zoom whose shapes a tile shows; None where it shows the polygons as they are."""
    if layer.geometry is not GeometryKind.POLYGON or not _options(layer).simplify_px:
        return None
    return max(z, COARSEST_ZOOM) if z <= FINEST_ZOOM else None


def is_simplified(connection: Connection, layer: Layer, state: LayerState) -> bool:
    """True where gis.simplified holds the shapes of this state of a layer."""
    stamp = connection.scalar(_STAMP_OF, {"layer": layer.id})
    return bool(stamp == _stamp(layer, state))


@contextmanager
def simplifying(database: Database, layer: Layer) -> Iterator[tuple[Connection, LayerState]]:
    """A state of the layer, no older than this call, and a snapshot of it with its shapes.

    They are made where they are not kept, by one process at a time, and kept at the end of the
    block; the connection only reads. Of a layer with more than MOST_POLYGONS nothing is made: its
    tiles show them as they are.
    """
    with database.writing_alone(f"simplify {layer.id}") as connection:
        state = read_state(connection, layer.id)
        if not is_simplified(connection, layer, state) and not is_too_large(connection, layer):
            ids, polygons = _polygons(connection, layer)
            connection.execute(_FORGET, {"layer": layer.id})
            connection.execute(_REMEMBER, {"layer": layer.id, "stamp": _stamp(layer, state)})
            for zoom in range(COARSEST_ZOOM, FINEST_ZOOM + 1):
                _store(connection, layer, zoom, ids, polygons)
        database.read_on(connection)
        yield connection, state


def _stamp(layer: Layer, state: LayerState) -> str:
    """Stamp of the simplified shapes of a state, by which tiles.mvt finds them."""
    return f"{state.stamp}.{_options(layer).simplify_px}"


def simplify_coverage(polygons: Polygons, tolerance: float) -> Polygons:
    """The polygons with fewer vertices, in the unit of `tolerance`; common borders stay common.

    Triangles of less than `tolerance` squared go.
    """
    return np.asarray(shapely.coverage_simplify(polygons, tolerance), dtype=object)


def reach(connection: Connection, layer: Layer, box: BBox) -> BBox:
    """The box, in degrees, within which a change to polygons in a box moves simplified borders:
    over all of each polygon that meets it. A border ends where a third polygon begins, and the
    next ones have ends of their own.
    """
    source = source_of(layer)
    assert source.geometry is not None
    within = func.ST_MakeEnvelope(box.west, box.south, box.east, box.north, 4326)
    near = select(func.ST_Collect(func.ST_Envelope(source.geometry), within))
    boxes = near.select_from(source.table).where(source.geometry.op("&&")(within)).subquery()
    every = func.ST_Extent(boxes.c[0])
    edges = [getattr(func, name)(every) for name in ("ST_XMin", "ST_YMin", "ST_XMax", "ST_YMax")]
    row = connection.execute(select(*edges)).one()
    return box if row[0] is None else BBox(*row)


def _options(layer: Layer) -> TileOptions:
    return layer.tiles or TileOptions()


def is_too_large(connection: Connection, layer: Layer) -> bool:
    """True where a layer has more than MOST_POLYGONS."""
    some = select(source_of(layer).id).select_from(source_of(layer).table)
    few = some.limit(MOST_POLYGONS + 1).subquery()
    return (connection.scalar(select(func.count()).select_from(few)) or 0) > MOST_POLYGONS


def _polygons(connection: Connection, layer: Layer) -> tuple[list[int], Polygons]:
    """Ids and polygons in EPSG:3857, in the order of ids."""
    source = source_of(layer)
    assert source.geometry is not None
    wkb = func.ST_AsBinary(func.ST_Transform(source.geometry, 3857))
    chosen = select(source.id, wkb).select_from(source.table).where(source.geometry.is_not(None))
    rows: list[Any] = list(connection.execute(chosen.order_by(source.id)))
    return [row[0] for row in rows], np.asarray(shapely.from_wkb([row[1] for row in rows]))


def _store(
    connection: Connection, layer: Layer, zoom: int, ids: list[int], polygons: Polygons
) -> None:
    shapes = simplify_coverage(polygons, pixel_m(zoom) * _options(layer).simplify_px)
    values = {"layer": layer.id, "zoom": zoom, "ids": ids, "shapes": list(shapely.to_wkb(shapes))}
    connection.execute(_STORE, values)


_STAMP_OF = text("SELECT stamp FROM gis.simplified_layer WHERE layer_id = :layer")
_FORGET = text("DELETE FROM gis.simplified_layer WHERE layer_id = :layer")
_REMEMBER = text("INSERT INTO gis.simplified_layer VALUES (:layer, :stamp)")
_STORE = text(
    "INSERT INTO gis.simplified (layer_id, zoom, row_id, shape)"
    " SELECT :layer, :zoom, id, ST_GeomFromWKB(shape, 3857)"
    " FROM unnest(CAST(:ids AS bigint[]), CAST(:shapes AS bytea[])) AS made (id, shape)"
)
