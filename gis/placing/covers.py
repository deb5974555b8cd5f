"""Covers of lines and areas by H3 cells: the cells that hold a part of a shape, and how much."""

from collections.abc import Iterator
from dataclasses import dataclass

import h3ronpy
import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Geod

from gis.hexes import EDGE_KM, Cells, boundaries, cells_touching
from gis.placing.cells import h3_cells

Shapes = npt.NDArray[np.object_]
Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.intp]

MOST_CELLS = 50_000  # of one shape at the finest resolution of its layer: 750 km² at resolution 10
_TOUCHED = 1e-9  # a share below it is a common border, not a part
_MOST_VERTICES = 256  # of a piece of an area: each hex on its border is cut against all of them
_KM_PER_DEGREE = 111.2
_GEOD = Geod(ellps="WGS84")


@dataclass(frozen=True)
class HexCover:
    """The parts of n shapes in cells of one resolution, ordered by shape and cell.

    `shape` is the index of each part's shape, `size` its metres (of a line) or square metres (of
    an area), `share` its part of the whole shape, 0–1. The shares of a shape add up to 1.
    """

    shape: Numbers
    cell: Cells
    size: Floats
    share: Floats


def hex_cover(shapes: Shapes, resolution: int) -> HexCover:
    """The cells that hold a part of each line or area (EPSG:4326), and the sizes of these parts.

    The borders of cells are straight in degrees, as maps and GeoJSON show them. What only touches
    a cell has no part there. Lengths and areas are those on the ellipsoid WGS 84.
    """
    dimensions = shapely.get_dimensions(shapes)
    lines, areas = (np.flatnonzero(dimensions == dimension) for dimension in (1, 2))
    of_lines, of_areas = _of_lines(shapes[lines], resolution), _of_areas(shapes[areas], resolution)
    owner = np.concatenate([lines[of_lines[0]], areas[of_areas[0]]])
    cell, size = (np.concatenate(pair) for pair in zip(of_lines[1:], of_areas[1:], strict=True))
    return _summed(owner, cell, size, len(shapes))


def cells_needed(size_km: Floats, outline_km: Floats, resolution: int) -> Floats:
    """About how many cells cover shapes of so many km² and of such a length (km, of a line or of
    an area's outline): rather too many than too few."""
    edge = EDGE_KM[resolution]
    return np.asarray(1 + 1.3 * outline_km / edge + size_km / (1.5 * 3**0.5 * edge**2))


def sizes_of(shapes: Shapes) -> tuple[Floats, Floats]:
    """The km² of shapes (EPSG:4326), 0 of lines, and the km of lines or outlines of areas."""
    segments, owner = _segments(shapes)
    outline = np.bincount(owner, _lengths_m(segments), len(shapes)) / 1000
    return np.nan_to_num(_areas_m2(shapes)) / 1e6, outline


def too_many_cells(shapes: Shapes, resolution: int) -> dict[int, str]:
    """Messages on the shapes whose cover would hold more than MOST_CELLS, by index."""
    needed = cells_needed(*sizes_of(shapes), resolution)
    return {
        int(i): too_many_words(float(needed[i]), resolution)
        for i in np.flatnonzero(needed > MOST_CELLS)
    }


def too_many_words(needed: float, resolution: int) -> str:
    return (
        f"hình phủ khoảng {needed:.0f} ô ở độ phân giải {resolution}, hơn {MOST_CELLS}: ghi "
        "`hexes: {resolutions: …}` thô hơn trong tệp lớp / "
        f"it would take about {needed:.0f} hexes of resolution {resolution} to cover it, more than "
        f"{MOST_CELLS}: write coarser `hexes: {{resolutions: …}}` into the layer file"
    )


type _Parts = tuple[Numbers, Cells, Floats]  # owner, cell and size of each part


def _of_lines(lines: Shapes, resolution: int) -> _Parts:
    """Parts of segments short enough that each cell on their way holds one of their ends or
    touches one that does."""
    step = 0.7 * EDGE_KM[resolution] / _KM_PER_DEGREE
    segments, owner = _segments(shapely.segmentize(lines, step))
    ends = segments.reshape(-1, 2)
    near = np.unique(h3_cells(ends[:, 0], ends[:, 1], resolution))
    cells = np.unique(np.asarray(h3ronpy.grid_disk(near, 1, flatten=True))).astype(np.int64)
    hexagons, pieces = boundaries(cells), shapely.linestrings(segments)
    piece, hexagon = shapely.STRtree(hexagons).query(pieces, predicate="intersects")
    sizes = _lengths_m(segments)[piece]
    cut = np.flatnonzero(np.bincount(piece, minlength=len(pieces))[piece] > 1)  # others lie in one
    parts = shapely.intersection(pieces[piece[cut]], hexagons[hexagon[cut]])
    of_parts, part = _segments(parts)
    sizes[cut] = np.bincount(part, _lengths_m(of_parts), len(parts))
    return owner[piece], cells[hexagon], sizes


def _of_areas(areas: Shapes, resolution: int) -> _Parts:
    """Parts of pieces of areas: a cell within a piece is a part itself, others are cut."""
    pieces = [(i, piece) for i, area in enumerate(areas) for piece in _pieces(area)]
    by_piece = [cells_touching(piece, resolution) for _, piece in pieces]
    piece = np.repeat(np.arange(len(pieces)), [len(cells) for cells in by_piece])
    owner = np.array([i for i, _ in pieces], np.intp)[piece]
    cells = np.concatenate([*by_piece, np.array([], np.int64)])
    parts, shapes = boundaries(cells), np.array([shape for _, shape in pieces], object)
    shapely.prepare(shapes)
    cut = ~shapely.covers(shapes[piece], parts)
    parts[cut] = shapely.intersection(shapes[piece[cut]], parts[cut])
    return owner, cells, _areas_m2(parts)


def _pieces(area: shapely.Geometry) -> Iterator[shapely.Geometry]:
    """Polygons of few vertices that an area falls into, halved again and again."""
    waiting = list(shapely.get_parts(area))
    while waiting:
        polygon = waiting.pop()
        if shapely.get_num_coordinates(polygon) <= _MOST_VERTICES:
            yield polygon
            continue
        west, south, east, north = polygon.bounds
        if east - west > north - south:
            middle = (west + east) / 2
            halves = (west, south, middle, north), (middle, south, east, north)
        else:
            middle = (south + north) / 2
            halves = (west, south, east, middle), (west, middle, east, north)
        boxes = shapely.box(*np.transpose(halves))
        parts = shapely.get_parts(shapely.intersection(polygon, boxes))
        waiting += list(parts[shapely.get_dimensions(parts) == 2])


def _summed(owner: Numbers, cell: Cells, size: Floats, shapes: int) -> HexCover:
    """Parts of one shape in one cell as one."""
    order = np.lexsort((cell, owner))
    owner, cell, size = owner[order], cell[order], size[order]
    first = np.flatnonzero((np.diff(owner, prepend=-1) != 0) | (np.diff(cell, prepend=-1) != 0))
    if len(first):
        owner, cell, size = owner[first], cell[first], np.add.reduceat(size, first)
    whole = np.bincount(owner, size, shapes)
    share = np.divide(size, whole[owner], out=np.zeros_like(size), where=whole[owner] > 0)
    held = share > _TOUCHED
    return HexCover(owner[held], cell[held], size[held], share[held])


def _segments(shapes: Shapes) -> tuple[Floats, Numbers]:
    """Segments (n × 2 ends × lon, lat) of lines and outlines, and the indices of their shapes."""
    parts, owner = shapely.get_parts(shapes, return_index=True)
    if (shapely.get_dimensions(parts) == 2).any():
        rings, part = shapely.get_rings(parts, return_index=True)
        parts, owner = rings, owner[part]
    xy, part = shapely.get_coordinates(parts, return_index=True)
    joined = np.flatnonzero(part[:-1] == part[1:])
    return np.stack([xy[joined], xy[joined + 1]], axis=1), owner[part[joined]]


def _lengths_m(segments: Floats) -> Floats:
    ends = segments.reshape(-1, 4).T
    return np.asarray(_GEOD.inv(*ends)[2], np.float64)


def _areas_m2(shapes: Shapes) -> Floats:
    return np.asarray(shapely.area(shapely.transform(shapes, _to_equal_area)))


def _to_equal_area(lonlat: Floats) -> Floats:
    """Degrees to metres of the cylindrical equal-area projection of the ellipsoid (Snyder 1987,
    Map Projections, eq. 3-12, 10-13 and 10-14 with its standard parallel on the equator)."""
    e2 = _GEOD.es
    e, sine = e2**0.5, np.sin(np.radians(lonlat[:, 1]))
    q = (1 - e2) * (sine / (1 - e2 * sine**2) + np.arctanh(e * sine) / e)
    return np.column_stack([_GEOD.a * np.radians(lonlat[:, 0]), _GEOD.a * q / 2])
