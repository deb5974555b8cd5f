"""Boxes of every shape: points, lines, slivers, at the edges of the map and beyond them."""

import numpy as np
import pytest

from api.ogc.dggs_zones import ZoneArea, shape_of
from gis.hexes import boundaries
from layers.items import Box

TINY = 5e-324


@pytest.mark.parametrize(
    "bounds",
    [
        (104, 22, 104, 22),
        (104, 22, 104, 22.3),
        (104, 22, 104 + 1e-9, 22),
        (0, 0, TINY, TINY),
        (-180, 0, 180, 0),
        (103.9, 22, 104, 22 + 1e-7),
        (180, 90, 180, 90),
        (-180, -90, 180, 90),
        (300, 200, 301, 201),
        (179.9999, 22, -179.9999, 22.001),
    ],
)
@pytest.mark.parametrize("level", [5, 8, 10])
def test_any_box_has_zones_to_look_up_or_all_are_read(bounds, level):
    area = ZoneArea(shape_of(Box(*bounds)))
    cells = area.cells(level)
    assert cells is None or len(cells) > 0
    if cells is not None:
        inside = cells[area.holds(cells)]
        assert len(inside) > 0
        shapes = boundaries(inside)
        assert all(shape.distance(area.shape) == 0 for shape in np.atleast_1d(shapes))
