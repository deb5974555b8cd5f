"""A point beside a road has a kilometre: the inverse of `QL4D Km 102+300`."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from gis.placing.road_kilometres import RoadLine, RoadNetwork, point_at
from gis.placing.road_positions import RoadIndex

GEOD = Geod(ellps="WGS84")
LINE = shapely.LineString([(104.0, 22.0), (104.2, 22.1), (104.3, 22.4)])
ROADS = [(["Đường Điện Biên Phủ", "QL4D"], RoadLine(LINE, 90.0))]
LENGTH_KM = GEOD.geometry_length(LINE) / 1000


def at(index: RoadIndex, lon: float, lat: float, within_m: float = 60):
    found = index.positions(np.array([lon]), np.array([lat]), within_m)
    return found.road[0], int(found.part[0]), float(found.metre[0]), bool(found.is_known[0])


@settings(max_examples=50)
@given(st.floats(0.01, LENGTH_KM - 0.01))
def test_the_kilometre_of_a_point_is_that_at_which_the_road_has_it(km: float):
    network = RoadNetwork.of(ROADS, ())
    point = point_at([network], ["ql4d"], 90.0 + km)
    assert point is not None
    road, part, metre, known = at(RoadIndex.of(ROADS), point.lon, point.lat)
    assert (road, part, known) == ("QL4D", 0, True)
    assert metre == pytest.approx(1000 * (90.0 + km), abs=5)


def test_streets_of_one_reference_are_one_road_and_a_street_without_is_called_by_its_name():
    index = RoadIndex.of([
        *ROADS,
        (["Trần Hưng Đạo", "QL.4D;ĐT155"], RoadLine(shapely.LineString([(104.3, 22.4),
                                                                    (104.4, 22.4)]), 150.0)),
        (["Ngõ Sáu"], RoadLine(shapely.LineString([(104.0, 22.3), (104.1, 22.3)]))),
    ])  # fmt: skip
    assert at(index, 104.35, 22.4001)[0] == "QL4D"
    assert at(index, 104.05, 22.3)[::3] == ("Ngõ Sáu", False)


def test_lines_that_join_are_measured_together_and_those_apart_are_parts_of_their_own():
    lines = [[(104.0, 22.0), (104.01, 22.0)], [(104.02, 22.0), (104.01, 22.0)],
             [(104.5, 22.0), (104.51, 22.0)]]  # fmt: skip
    index = RoadIndex.of([(["ĐT155"], RoadLine(shapely.LineString(line))) for line in lines])
    near, far = at(index, 104.005, 22.0), at(index, 104.015, 22.0)
    assert near[1] == far[1]
    assert abs(far[2] - near[2]) == pytest.approx(GEOD.inv(104.005, 22, 104.015, 22)[2], rel=0.01)
    assert at(index, 104.505, 22.0)[1] != near[1]


def test_a_point_further_away_or_without_coordinates_is_beside_no_road():
    index = RoadIndex.of([(["QL70"], RoadLine(shapely.LineString([(104, 22), (104.1, 22)])))])
    away = 50 / 111_195
    assert at(index, 104.05, 22 + away)[0] == "QL70"
    assert at(index, 104.05, 22 + 1.3 * away)[0] == ""
    assert at(index, float("nan"), 22.0)[0] == ""
    assert at(RoadIndex.of([]), 104.05, 22.0)[0] == ""
