"""Counts by hex: as vector tiles, and of single cells; with what the public may not see left out.

The public sees no hex with fewer than k records, and nothing from which such a number could be
computed: hexes form a tree by resolution, and where the hidden children of a shown hex would
together stand for fewer than k records, the smallest shown one is hidden too (complementary cell
suppression; Hundepool et al. 2012, Statistical Disclosure Control, ch. 4). The children of a
hidden hex are hidden. So every number that is shown, and every difference of two, stands for no
record or for at least k.
"""

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Mapping

import shapely
from sqlalchemy import Connection, text

from gis.access import Principal, Role
from gis.errors import NotFound
from gis.hexes import EDGE_KM, boundaries, cells_over, parent_of
from layers.model import HexOptions, Layer
from tiles.grid import EXTENT, Tile, pixel_m
from tiles.state import LayerState

LEAST_PX = 16  # width of a hex on the screen, at least, where a coarser one is to be had
_LATITUDE_STRETCH = 1.08  # of EPSG:3857 at 22° N, where most of the country lies or near it
_WHOLE_LAYER_BELOW_ZOOM = 6  # there a tile holds more cells of resolution 5 than any layer
_ROOT = 0  # stands for the whole layer, the parent of the coarsest cells
_MOST_LAYERS = 16

type Counts = Mapping[int, int]  # by cell
type CountsByResolution = Mapping[int, Counts]


def hex_options(layer: Layer) -> HexOptions:
    """Raises NotFound for a layer whose rows are not counted by hex."""
    if layer.hexes is None:
        raise NotFound(f"the layer {layer.id} has no hexes")
    return layer.hexes


def least_count(layer: Layer, who: Principal, setting: int) -> int:
    """k: the fewest records of a hex that `who` may see; 1 for whoever works with the layer."""
    if who.role in (Role.OPERATOR, Role.ADMIN) or layer.id in who.layers:
        return 1
    return hex_options(layer).min_count or setting


def resolution_at(options: HexOptions, z: int) -> int:
    """The finest resolution of a layer whose hexes are still LEAST_PX wide, or its coarsest."""
    width_px = {r: 2 * EDGE_KM[r] * 1000 * _LATITUDE_STRETCH / pixel_m(z) for r in EDGE_KM}
    fitting = [r for r in options.resolutions if width_px[r] >= LEAST_PX]
    return max(fitting, default=min(options.resolutions))


def shown_counts(counts: CountsByResolution, k: int) -> CountsByResolution:
    """What may be shown of the counts of a layer: see the top of this module.

    `counts` holds for each resolution the records of each cell that has any.
    """
    shown: dict[int, dict[int, int]] = {}
    above: int | None = None
    for resolution in sorted(counts):
        children: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for cell, count in counts[resolution].items():
            parent = _ROOT if above is None else parent_of(cell, above)
            if above is None or parent in shown[above]:
                children[parent].append((count, cell))
        shown[resolution] = {
            cell: count for family in children.values() for count, cell in _safe(family, k)
        }
        above = resolution
    return shown


def _safe(family: list[tuple[int, int]], k: int) -> list[tuple[int, int]]:
    """The children that may be shown; those left out stand for no record or for at least k."""
    kept = sorted(one for one in family if one[0] >= k)
    hidden = sum(count for count, _ in family if count < k)
    while kept and 0 < hidden < k:
        hidden += kept.pop(0)[0]
    return kept


class HexCounts:
    """Counts of layers as they may be shown, kept for their present states."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str, int], CountsByResolution] = OrderedDict()

    def read(self, connection: Connection, state: LayerState, k: int) -> CountsByResolution:
        """The counts of a layer in the state that `connection` sees."""
        key = (state.layer_id, state.stamp, k)
        with self._lock:
            if key in self._kept:
                return self._kept[key]
        found = shown_counts(_stored(connection, state.layer_id), k)
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > _MOST_LAYERS:
                self._kept.popitem(last=False)
        return found


def hex_tile(connection: Connection, layer: Layer, tile: Tile, counts: CountsByResolution) -> bytes:
    """The hexes of a tile with their counts; the source layer is named `<layer>_hexes`.

    Each has `cell` (15 hexadecimal digits) and `count`; the cell is the feature's id as well.
    """
    resolution = resolution_at(hex_options(layer), tile.z)
    at = counts.get(resolution, {})
    cells = [cell for cell in _cells_of(tile, resolution, at) if cell in at]
    if not cells:
        return b""
    values = {
        "z": tile.z,
        "x": tile.x,
        "y": tile.y,
        "extent": EXTENT,
        "name": f"{layer.id}_hexes",
        "cells": cells,
        "counts": [at[cell] for cell in cells],
        "shapes": list(shapely.to_wkb(boundaries(cells))),
    }
    return bytes(connection.scalar(_TILE, values) or b"")


_TILE = text("""
SELECT ST_AsMVT(rows, :name, :extent, 'shape', 'id') FROM (
  SELECT cell AS id, gis.h3_text(cell) AS cell, count,
         ST_AsMVTGeom(ST_Transform(ST_GeomFromWKB(shape, 4326), 3857),
                      ST_TileEnvelope(:z, :x, :y), :extent, 64, true) AS shape
  FROM unnest(CAST(:cells AS bigint[]), CAST(:counts AS int[]), CAST(:shapes AS bytea[]))
    AS made (cell, count, shape)
) AS rows WHERE shape IS NOT NULL
""")


def _cells_of(tile: Tile, resolution: int, counts: Counts) -> list[int]:
    if tile.z < _WHOLE_LAYER_BELOW_ZOOM:
        return sorted(counts)
    return sorted(int(cell) for cell in cells_over(tile.bbox(), resolution))


def _stored(connection: Connection, layer_id: str) -> CountsByResolution:
    rows = connection.execute(_COUNTS, {"layer": layer_id})
    found: dict[int, dict[int, int]] = defaultdict(dict)
    for row in rows:
        found[row.resolution][row.cell] = row.records
    return found


_COUNTS = text(
    "SELECT resolution, cell, sum(count)::int AS records FROM gis.hex_count"
    " WHERE layer_id = :layer GROUP BY resolution, cell"
)
