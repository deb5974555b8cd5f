"""Shares of communes in lines and areas: sums, touching borders, and what lies outside."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gis.placing.shapes import shapes_in_degrees
from gis.placing.shares import unit_shares
from gis.placing.source_crs import parse_crs
from tests.provinces import toy_communes

COMMUNES = toy_communes().geometry.to_numpy()  # squares of 0.1° from 104.0 E, 22.0 N


def shares(*wkt: str) -> list[dict[int, float] | None]:
    found = unit_shares(np.array(shapely.from_wkt(list(wkt)), object), COMMUNES)
    return [
        None if each is None else {i: round(share, 9) for i, share in each.shares.items()}
        for each in found
    ]


@pytest.mark.parametrize(
    ("wkt", "expected"),
    [
        ("LINESTRING(104.02 22.05, 104.08 22.05)", {0: 1}),
        ("LINESTRING(104.05 22.05, 104.25 22.05)", {0: 0.25, 1: 0.5, 2: 0.25}),
        ("LINESTRING(103.9 22.05, 104.1 22.05)", {0: 0.5}),  # half of it outside
        ("LINESTRING(103.5 22.05, 103.9 22.05)", None),
        ("LINESTRING(104.05 22.1, 104.05 22.2)", None),  # it only touches the border
        ("MULTILINESTRING((104.01 22.05, 104.03 22.05), (104.11 22.05, 104.17 22.05))",
         {0: 0.25, 1: 0.75}),
        ("POLYGON((104.05 22, 104.15 22, 104.15 22.1, 104.05 22.1, 104.05 22))", {0: 0.5, 1: 0.5}),
        ("POLYGON((104.0 21.9, 104.1 21.9, 104.1 22.1, 104.0 22.1, 104.0 21.9))", {0: 0.5}),
        ("POLYGON((104.1 22.1, 104.2 22.1, 104.2 22.2, 104.1 22.2, 104.1 22.1))", None),
    ],
)  # fmt: skip
def test_shares_are_those_of_length_and_area(wkt: str, expected: dict[int, float] | None) -> None:
    assert shares(wkt) == [expected]


def test_what_is_missing_has_none_and_the_others_keep_their_place() -> None:
    line = shapely.from_wkt("LINESTRING(104.15 22.05, 104.18 22.05)")
    found = unit_shares(np.array([None, line, None], object), COMMUNES)
    assert found[0] is None and found[2] is None
    assert found[1] is not None and found[1].main == 1


BOXES = st.tuples(
    st.floats(103.9, 104.3), st.floats(21.9, 22.1), st.floats(0.005, 0.2), st.floats(0.005, 0.2)
).map(lambda box: shapely.box(box[0], box[1], box[0] + box[2], box[1] + box[3]))


@given(BOXES)
def test_shares_add_up_to_what_lies_in_the_province(box: shapely.Geometry) -> None:
    for shape in (box, box.exterior):
        (found,) = unit_shares(np.array([shape], object), COMMUNES)
        measure = shapely.area if shape is box else shapely.length
        inside = measure(shapely.intersection(shape, shapely.union_all(COMMUNES)))
        total = sum(found.shares.values()) if found else 0.0
        assert total == pytest.approx(inside / measure(shape), abs=1e-6)
        if found is not None:
            assert found.shares[found.main] == max(found.shares.values())
            assert COMMUNES[found.main].intersects(found.point)
            assert shape.distance(found.point) < 1e-9


@given(st.booleans(), st.booleans())
def test_exteriors_come_out_counter_clockwise_and_holes_clockwise(
    outer_clockwise: bool, hole_clockwise: bool
) -> None:
    outer = shapely.box(104, 22, 104.1, 22.1, ccw=not outer_clockwise)
    hole = shapely.box(104.02, 22.02, 104.04, 22.04, ccw=not hole_clockwise)
    polygon = shapely.Polygon(outer.exterior, [hole.exterior])
    checked = shapes_in_degrees(
        np.array([polygon, shapely.MultiPolygon([polygon])], object), parse_crs("EPSG:4326")
    )
    for shape in checked.shapes:
        (part,) = shapely.get_parts(shape)
        assert part.exterior.is_ccw and not part.interiors[0].is_ccw
        assert part.equals(polygon)
