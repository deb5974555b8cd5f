"""Covers of a layer's lines and areas by hexes: filled in the transaction that changes the shapes.

Triggers take the cover of a shape away when it changes, and note its row in gis.uncovered_shape
(functions/shapes.sql). What no transaction of ours filled, the worker does.
"""

import logging
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import psycopg
import shapely
from psycopg import sql
from sqlalchemy import Connection, func, select, text

from gis.hexes import COARSEST
from gis.placing.covers import MOST_CELLS, cells_needed, hex_cover, sizes_of, too_many_words
from layers.definition.model import GeometryKind, Layer
from layers.storage.tables import finest_of, has_hex_cover, hex_cover_of, table_of

_BATCH = 1000  # shapes read at once
_MOST_AT_ONCE = 2 * MOST_CELLS  # cells of the finest resolution in memory: some 100 MB
_log = logging.getLogger(__name__)

_LOCK = text("SELECT FROM gis.layer WHERE id = :layer FOR NO KEY UPDATE")
_WAITING = text("SELECT EXISTS (SELECT FROM gis.uncovered_shape WHERE layer_id = :layer)")
_TAKE = """
WITH batch AS (
  SELECT row_id FROM gis.uncovered_shape WHERE layer_id = %(layer)s
  ORDER BY row_id LIMIT %(number)s),
taken AS (
  DELETE FROM gis.uncovered_shape AS shape USING batch
  WHERE shape.layer_id = %(layer)s AND shape.row_id = batch.row_id RETURNING shape.row_id)
SELECT t.id, ST_AsBinary(t.geom) FROM taken JOIN {table} t ON t.id = taken.row_id ORDER BY t.id
"""
_COPY = "COPY {covers} (id, cell, share, size) FROM STDIN"


def fill_covers(connection: Connection, layer: Layer) -> int:
    """Find the hexes of the shapes that have no cover yet; gives the number of shapes.

    A shape that another program stored and that would take more than MOST_CELLS hexes has none,
    and the log says so; ours refuse it.
    """
    if not has_hex_cover(layer) or not connection.scalar(_WAITING, {"layer": layer.id}):
        return 0
    connection.execute(_LOCK, {"layer": layer.id})
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    names = {
        "table": sql.Identifier("layer", layer.id),
        "covers": sql.Identifier("layer", hex_cover_of(layer).name),
    }
    take, copy = (sql.SQL(statement).format(**names) for statement in (_TAKE, _COPY))
    number = 0
    with driver.cursor() as cursor:
        while rows := cursor.execute(take, {"layer": layer.id, "number": _BATCH}).fetchall():
            ids = np.array([row[0] for row in rows], np.int64)
            shapes = shapely.from_wkb([row[1] for row in rows])
            crossed = ~shapely.is_valid(shapes)  # of another program: ours are refused
            shapes[crossed] = shapely.make_valid(shapes[crossed])
            for some in _coverable(layer, ids, shapes):
                _store(cursor, copy, layer, ids[some], shapes[some])
            number += len(rows)
    return number


def _coverable(
    layer: Layer, ids: npt.NDArray[np.int64], shapes: npt.NDArray[np.object_]
) -> Sequence[npt.NDArray[np.intp]]:
    """The indices of shapes that are not too large, in groups of few cells."""
    resolution = finest_of(layer)
    needed = cells_needed(*sizes_of(shapes), resolution)
    for i in np.flatnonzero(needed > MOST_CELLS):
        _log.warning("%s %s: %s", layer.id, ids[i], too_many_words(float(needed[i]), resolution))
    good = np.flatnonzero(needed <= MOST_CELLS)
    groups = np.cumsum(needed[good]) // _MOST_AT_ONCE
    return np.split(good, np.flatnonzero(np.diff(groups)) + 1)


def _store(
    cursor: psycopg.Cursor,
    copy: sql.Composed,
    layer: Layer,
    ids: npt.NDArray[np.int64],
    shapes: npt.NDArray[np.object_],
) -> None:
    with cursor.copy(copy) as stream:
        for resolution in range(COARSEST, finest_of(layer) + 1):
            cover = hex_cover(shapes, resolution)
            columns = (ids[cover.shape], cover.cell, cover.share, cover.size)
            for row in zip(*(column.tolist() for column in columns), strict=True):
                stream.write_row(row)


def uncoverable(connection: Connection, layer: Layer) -> str | None:
    """A message on the largest shape of a table that would take more than MOST_CELLS hexes."""
    table = table_of(layer)
    shape = func.geography(table.c.geom)
    is_area = layer.geometry is GeometryKind.POLYGON
    outline = func.ST_Perimeter(shape) if is_area else func.ST_Length(shape)
    sizes = select(table.c.id, func.ST_Area(shape), outline).where(table.c.geom.is_not(None))
    rows = connection.execute(sizes).all()
    if not rows:
        return None
    ids, area, length = (np.array(column) for column in zip(*rows, strict=True))
    resolution = finest_of(layer)
    needed = cells_needed(area / 1e6, length / 1000, resolution)
    worst = int(needed.argmax())
    if needed[worst] <= MOST_CELLS:
        return None
    return f"row {ids[worst]}: {too_many_words(float(needed[worst]), resolution)}"
