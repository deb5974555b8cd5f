"""Covers of lines and areas by hexes: all hexes that hold a part, found in another way too."""

import h3
import numpy as np
import pytest
import shapely
from pyproj import Geod

from gis.hexes import boundaries, cell_text
from gis.placing.covers import (
    MOST_CELLS,
    cells_needed,
    hex_cover,
    sizes_of,
    too_many_cells,
)

GEOD = Geod(ellps="WGS84")
EAST, NORTH = 104.0, 22.0


def a_line(random: np.random.Generator, scale: float) -> shapely.Geometry:
    return shapely.LineString(random.normal((EAST, NORTH), scale, (random.integers(2, 40), 2)))


def an_area(random: np.random.Generator, scale: float) -> shapely.Geometry:
    """Overlapping discs with a hole: concave, and sometimes of several parts."""
    middles = random.normal((EAST, NORTH), scale, (4, 2))
    *discs, hole = shapely.buffer(shapely.points(middles), scale * random.uniform(0.1, 1, 4))
    return shapely.difference(shapely.union_all(discs), hole)


SHAPES = {
    f"{make.__name__} {resolution} {seed}": (make(np.random.default_rng(seed), scale), resolution)
    for make in (a_line, an_area)
    for resolution, scale in ((5, 0.2), (7, 0.03), (9, 0.004), (10, 0.002))
    for seed in range(3)
} | {
    "within one hex": (shapely.box(104, 22, 104.00001, 22.00001), 8),
    "a long straight line": (shapely.LineString([(103.5, 22), (104.6, 22.4)]), 8),
    "many vertices": (shapely.Point(EAST, NORTH).buffer(0.05, quad_segs=2000), 8),
    "parts far apart": (shapely.MultiLineString([[(103, 21), (103, 21.01)],
                                                 [(105, 22), (105, 22.03)]]), 8),
    "a corridor": (shapely.LineString([(103.9, 22), (104.1, 22.1)]).buffer(0.0001), 9),
}  # fmt: skip


def of_all_cells(shape: shapely.Geometry, resolution: int) -> dict[str, float]:
    """Size of the part in each cell of the box around a shape, each cut on its own."""
    margin = h3.average_hexagon_edge_length(resolution, unit="km") / 80
    found = {}
    for part in shapely.get_parts(shape):
        area = shapely.box(*shapely.box(*part.bounds).buffer(margin).bounds)
        for cell in h3.geo_to_cells(area, resolution):
            ring = [(lon, lat) for lat, lon in h3.cell_to_boundary(cell)]
            size = measured(shapely.intersection(shapely.Polygon(ring), shape))
            if size > 0:
                found[cell] = size
    return found


def measured(part: shapely.Geometry) -> float:
    if shapely.get_dimensions(part) == 1:
        return GEOD.geometry_length(part)
    members = [each for each in shapely.get_parts(part) if shapely.get_dimensions(each) == 2]
    dense = shapely.segmentize(shapely.orient_polygons(members), 0.0005)
    return sum(GEOD.geometry_area_perimeter(each)[0] for each in dense)


@pytest.mark.parametrize(("shape", "resolution"), SHAPES.values(), ids=SHAPES)
def test_a_cover_is_that_of_all_cells_around(shape, resolution):
    cover = hex_cover(np.array([shape], object), resolution)
    found = {cell_text(int(cell)): size for cell, size in zip(cover.cell, cover.size, strict=True)}
    expected = of_all_cells(shape, resolution)
    whole = sum(expected.values())
    for cell in found.keys() | expected.keys():
        # Straight edges bend in the equal-area projection, by a few metres where they are 10 km.
        size = pytest.approx(expected.get(cell, 0), abs=1e-7 * whole, rel=1e-4)
        assert found.get(cell, 0) == size
    assert cover.share == pytest.approx(cover.size / whole, abs=3e-5)
    assert cover.share.sum() == pytest.approx(1, abs=1e-7)


@pytest.mark.parametrize(("shape", "resolution"), SHAPES.values(), ids=SHAPES)
def test_a_shape_lies_within_its_cells_and_costs_no_more_than_is_said(shape, resolution):
    shapes = np.array([shape], object)
    cover = hex_cover(shapes, resolution)
    rest = shapely.difference(shape, shapely.union_all(boundaries(cover.cell)))
    assert shapely.length(rest) < 1e-9
    assert len(cover.cell) <= cells_needed(*sizes_of(shapes), resolution)[0]


def test_each_shape_has_a_cover_of_its_own_whatever_lies_beside_it():
    shapes = np.array([shape for shape, _ in SHAPES.values()], object)
    together = hex_cover(shapes, 7)
    for i, shape in enumerate(shapes):
        alone, own = hex_cover(np.array([shape], object), 7), together.shape == i
        assert together.cell[own].tolist() == alone.cell.tolist()
        assert together.share[own] == pytest.approx(alone.share)


def test_what_only_touches_a_hex_has_no_part_there():
    cell = h3.latlng_to_cell(NORTH, EAST, 8)
    (hexagon,) = boundaries([int(cell, 16)])
    cover = hex_cover(np.array([hexagon], object), 8)
    assert [cell_text(int(each)) for each in cover.cell] == [cell]
    assert cover.size[0] == pytest.approx(h3.cell_area(cell, unit="m^2"), rel=0.005)  # on a sphere


def test_nothing_and_points_have_no_cover():
    for shapes in ([], [None], [shapely.Point(104, 22)], [shapely.MultiPolygon()]):
        assert len(hex_cover(np.array(shapes, object), 8).cell) == 0


def test_a_shape_of_too_many_hexes_is_named_with_what_would_be_right():
    province = shapely.box(103.5, 21.3, 104.9, 22.8)
    small = shapely.box(104, 22, 104.01, 22.01)
    shapes = np.array([small, None, province], object)
    assert too_many_cells(shapes, 8) == {}
    (index, words), = too_many_cells(shapes, 10).items()  # fmt: skip
    assert index == 2
    assert f"more than {MOST_CELLS}: write coarser" in words
