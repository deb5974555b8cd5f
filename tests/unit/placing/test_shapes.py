"""Shapes in degrees: every vertex is a place near the province, or the shape is at fault."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gis.placing.crs import parse_crs
from gis.placing.shapes import plausible_area, points_on, shapes_in_degrees, vertex_fault
from gis.values import BBox

WGS_84 = parse_crs("EPSG:4326")
NEAR = plausible_area(BBox(104, 22, 104.3, 22.1))
RING = np.array([(104.0, 22.0), (104.1, 22.0), (104.1, 22.1), (104.05, 22.12), (104.0, 22.1)])
BAD = st.sampled_from([np.nan, np.inf, -np.inf, 1e308, -1e308, 200.0, 1042.0, -181.0])
FAR = st.sampled_from([140.2, 0.0, -104.0, 25.5])


def shape_of(xy: np.ndarray, kind: str) -> shapely.Geometry:
    with np.errstate(invalid="ignore"):
        if kind == "line":
            return shapely.linestrings(xy, handle_nan="allow")
        return shapely.polygons(shapely.linearrings(np.vstack([xy, xy[:1]]), handle_nan="allow"))


@st.composite
def spoilt(draw: st.DrawFn, values: st.SearchStrategy[float]) -> shapely.Geometry:
    xy = RING.copy()
    xy[draw(st.integers(1, len(xy) - 1)), draw(st.integers(0, 1))] = draw(values)
    return shape_of(xy, draw(st.sampled_from(["line", "polygon"])))


@given(spoilt(BAD))
def test_a_shape_with_one_vertex_off_the_earth_is_at_fault(shape: shapely.Geometry) -> None:
    found = shapes_in_degrees(np.array([shape, shape_of(RING, "line")]), WGS_84)
    assert set(found.faults) == {0} and "is not on the earth" in found.faults[0]
    assert found.shapes[0] is None and found.shapes[1] is not None
    assert vertex_fault(shape) is not None


@given(spoilt(FAR))
def test_a_shape_with_one_vertex_far_from_the_province_is_at_fault(shape: shapely.Geometry) -> None:
    assert set(shapes_in_degrees(np.array([shape]), WGS_84, NEAR).faults) == {0}
    assert vertex_fault(shape, NEAR) is not None


@given(spoilt(BAD | FAR))
def test_no_shape_stops_the_others(shape: shapely.Geometry) -> None:
    shapes = np.array([None, shape, shapely.Polygon(), shape_of(RING, "polygon")], object)
    assert points_on(shapes)[3] is not None
    found = shapes_in_degrees(shapes, WGS_84, NEAR)
    assert set(found.faults) == {1, 2}
    assert [one is None for one in found.shapes] == [True, True, True, False]


def test_the_vertex_is_given_in_the_coordinates_of_its_file() -> None:
    xy = np.array([(430_000.0, 2_480_000.0), (431_000.0, 2_480_000.0), (1e15, 2_481_000.0)])
    found = shapes_in_degrees(np.array([shapely.linestrings(xy)]), parse_crs("EPSG:9208"))
    assert "vertex 3 (1e+15 2481000)" in found.faults[0]


@pytest.mark.parametrize("kind", ["line", "polygon"])
def test_a_good_shape_stays_as_it_is(kind: str) -> None:
    shape = shape_of(RING, kind)
    found = shapes_in_degrees(np.array([shape]), WGS_84, NEAR)
    assert found.faults == {} and found.shapes[0].equals(shape)
