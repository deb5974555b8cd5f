"""Reach along lines: by hand, and against a plain search."""

import numpy as np
import pyproj
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.processes.operations.reach import cut, network, reached

GEOD = pyproj.Geod(ellps="WGS84")


def metres(*places) -> float:
    lon, lat = zip(*places, strict=True)
    return GEOD.line_length(lon, lat)


# A cross: west to east in two pieces, and north from the middle.
WEST, MIDDLE, EAST, NORTH = (104.0, 22.0), (104.01, 22.0), (104.02, 22.0), (104.01, 22.01)
LINES = [np.array([WEST, MIDDLE, EAST]), np.array([MIDDLE, NORTH])]


def test_along_a_line_and_around_a_corner():
    graph = network(LINES, None)
    costs = reached(graph, np.array([WEST]), 1e9, 1.0)
    by = {tuple(place): cost for place, cost in zip(graph.places, costs, strict=True)}
    assert by[WEST] == pytest.approx(0, abs=1e-6)
    assert by[EAST] == pytest.approx(metres(WEST, MIDDLE, EAST))
    assert by[NORTH] == pytest.approx(metres(WEST, MIDDLE, NORTH))


def test_lengths_within_limits():
    graph = network(LINES, None)
    costs = reached(graph, np.array([WEST]), 1e9, 1.0)
    pieces = cut(graph, costs, [500.0, 1_500.0, 1e6])
    assert pieces[0][2] == pytest.approx(500)
    first = metres(WEST, MIDDLE)  # 1,033 m, from where two ways go on
    assert pieces[1][2] == pytest.approx((first - 500) + 2 * (1_500 - first))
    whole = metres(WEST, MIDDLE, EAST) + metres(MIDDLE, NORTH)
    assert sum(length for _, _, length in pieces) == pytest.approx(whole)


def test_a_piece_between_two_origins_is_reached_from_both_ends_and_counted_once():
    graph = network([np.array([WEST, MIDDLE])], None)
    costs = reached(graph, np.array([WEST, MIDDLE]), 1e9, 1.0)
    pieces = cut(graph, costs, [100.0, 1e6])
    assert pieces[0][2] == pytest.approx(200)
    assert pieces[0][2] + pieces[1][2] == pytest.approx(metres(WEST, MIDDLE))


def test_time_goes_by_the_speed_of_each_line():
    graph = network(LINES, np.array([60.0, 6.0]))  # 1 km and 100 m a minute
    costs = reached(graph, np.array([WEST]), 1e9, 50.0)
    by = {tuple(place): cost for place, cost in zip(graph.places, costs, strict=True)}
    assert by[EAST] == pytest.approx(metres(WEST, MIDDLE, EAST) / 1_000)
    slow = metres(WEST, MIDDLE) / 1_000 + metres(MIDDLE, NORTH) / 100
    assert by[NORTH] == pytest.approx(slow)


def test_the_way_to_the_road_is_paid():
    graph = network(LINES, None)
    away = (104.0, 21.99)
    costs = reached(graph, np.array([away]), 1e9, 1.0)
    assert costs.min() == pytest.approx(metres(away, WEST))


def test_an_island_is_not_reached():
    graph = network([*LINES, np.array([(105.0, 22.0), (105.01, 22.0)])], None)
    costs = reached(graph, np.array([WEST]), 1e9, 1.0)
    assert np.isinf(costs).sum() == 2
    total = sum(length for _, _, length in cut(graph, costs, [1e7]))
    assert total == pytest.approx(metres(WEST, MIDDLE, EAST) + metres(MIDDLE, NORTH))


@settings(max_examples=20)
@given(st.integers(0, 2**31))
def test_costs_are_those_of_a_plain_search(seed):
    """Bellman and Ford: each piece is relaxed until nothing changes."""
    random = np.random.default_rng(seed)
    places = np.round(random.uniform(104, 104.1, (15, 2)) - (0, 82), 6)
    lines = [places[random.choice(15, 2, replace=False)] for _ in range(25)]
    graph = network(lines, None)
    origin = graph.places[:1]
    costs = reached(graph, origin, 1e9, 1.0)
    wanted = np.full(len(graph.places), np.inf)
    wanted[0] = 0
    for _ in range(len(wanted)):
        for (one, other), cost in zip(graph.ends, graph.costs, strict=True):
            wanted[one] = min(wanted[one], wanted[other] + cost)
            wanted[other] = min(wanted[other], wanted[one] + cost)
    assert np.allclose(costs, wanted, atol=1e-5)
