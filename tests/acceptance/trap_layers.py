"""Five layers that clients stumble over: points, lines, polygons, no geometry, no row at all."""

from typing import Any

from sqlalchemy import text

from gis.database.engine import Database
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from layers.storage.sync import sync
from tests.integration.ogc_layers import TRAPS
from tests.integration.tile_layers import variant
from tiles.grid import Tile, tile_at

type Bounds = tuple[float, float, float, float]  # west, south, east, north in degrees
type Rows = dict[str, Bounds | None]  # by their note; None: the row has no geometry

_TABLE = {"connector": "file", "key": "key"}
_LINES = "(104 22.1,104.2 22.3)", "(103.8 22.2,103.9 22.25),(104.3 22.4,104.4 22.1)"
_HOLE = "((104 22,104.2 22,104.2 22.1,104 22.1,104 22),(104.05 22.02,104.1 22.05,104.1 22.02,104.05 22.02))"  # noqa: E501
_TWO = "((103.8 22.2,103.9 22.2,103.8 22.3,103.8 22.2)),((104.3 22.3,104.4 22.3,104.3 22.4,104.3 22.3))"  # noqa: E501

# The geometries of each layer; the notes of its rows are NOTES, in this order.
SHAPES: dict[str, list[str | None]] = {
    "points": ["POINT(103.9 22.3)", "POINT(104.25 22.45)", None],
    "lines": [f"MULTILINESTRING({_LINES[0]})", f"MULTILINESTRING({_LINES[1]})", None],
    "polygons": [f"MULTIPOLYGON({_HOLE})", f"MULTIPOLYGON({_TWO})", None],
    "plain": [None, None, None],
    "empty": [],
}
BOUNDS: dict[str, list[Bounds | None]] = {
    "points": [(103.9, 22.3, 103.9, 22.3), (104.25, 22.45, 104.25, 22.45), None],
    "lines": [(104, 22.1, 104.2, 22.3), (103.8, 22.1, 104.4, 22.4), None],
    "polygons": [(104, 22, 104.2, 22.1), (103.8, 22.2, 104.4, 22.4), None],
    "plain": [None, None, None],
    "empty": [],
}
NOTES = [TRAPS, "Đường,\n2 làn", "không rõ vị trí"]
LAYERS: tuple[Layer, ...] = (
    variant("points", source=_TABLE, placed=False),
    variant("lines", source=_TABLE, placed=False, geometry="line"),
    variant("polygons", source=_TABLE, placed=False, geometry="polygon"),
    variant("plain", source=_TABLE, placed=False, geometry="none", tiles=None),
    variant("empty", source=_TABLE, placed=False),
)
NAMES = tuple(layer.id for layer in LAYERS)
TILE: Tile = tile_at(104.1, 22.2, 6)  # all of it


def expected(name: str) -> Rows:
    """The rows of a layer, as every client should read them."""
    return dict(zip(NOTES, BOUNDS[name], strict=False))


def fill(database: Database) -> None:
    """Publish the layers in a migrated database, with their rows."""
    with database.writing() as connection:
        sync(connection, Catalogue(LAYERS))
        for name, shapes in SHAPES.items():
            for note, shape in zip(NOTES, shapes, strict=False):
                values: dict[str, Any] = {"note": note, "shape": shape}
                connection.execute(
                    text(
                        f"INSERT INTO layer.{name} (geom, note, source, source_key) VALUES"
                        " (ST_GeomFromText(:shape, 4326), :note, 'test', :note)"
                    ),
                    values,
                )
