"""Covering: against all combinations on small maps, and what is proven of large ones."""

from itertools import combinations

import numpy as np
import pyproj
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.errors import BadInput
from layers.processes.operations.locate import cover, within


def best_of_all(pairs, weights, sites, k) -> float:
    best = 0.0
    for chosen in combinations(range(sites), min(k, sites)):
        reached = np.unique(pairs[1][np.isin(pairs[0], chosen)])
        best = max(best, float(weights[reached].sum()))
    return best


@settings(max_examples=25)
@given(st.integers(0, 2**31), st.integers(1, 4))
def test_the_best_of_all_combinations_is_found(seed, k):
    random = np.random.default_rng(seed)
    sites, demand = random.uniform(104, 104.2, (8, 2)), random.uniform(104, 104.2, (30, 2))
    sites[:, 1] -= 82
    demand[:, 1] -= 82
    weights = random.integers(1, 9, 30).astype(float)
    pairs = within(sites, demand, 4_000)
    found = cover(pairs, weights, 8, k, 10)
    assert found.covered == pytest.approx(best_of_all(pairs, weights, 8, k))
    assert found.gap == 0 and len(found.sites) <= k


def test_greedy_alone_would_be_wrong():
    """The middle site covers most, and leaves the ends to nobody: two others cover all."""
    site = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2])
    demand = np.array([1, 2, 3, 4, 0, 1, 2, 3, 4, 5])
    found = cover((site, demand), np.ones(6), 3, 2, 10)
    assert (sorted(found.sites), found.covered, found.method) == ([1, 2], 6.0, "exact")


def test_more_posts_never_cover_less_and_all_cover_all():
    random = np.random.default_rng(0)
    places = random.uniform((104, 22), (104.3, 22.2), (40, 2))
    pairs = within(places, places, 5_000)
    covered = [cover(pairs, np.ones(40), 40, k, 10).covered for k in range(1, 12)]
    assert covered == sorted(covered)
    assert cover(pairs, np.ones(40), 40, 40, 10).covered == 40


def test_without_time_what_is_found_is_a_bound_and_says_so():
    random = np.random.default_rng(1)
    places = random.uniform((104, 22), (105, 23), (1_500, 2))
    pairs = within(places, places, 6_000)
    found = cover(pairs, random.uniform(1, 5, 1_500), 1_500, 25, 0.01)
    assert found.covered > 0
    assert found.bound >= found.covered
    assert 0 <= found.gap < 1


def test_what_reaches_nothing():
    nothing = np.array([], np.int64)
    found = cover((nothing, nothing), np.ones(3), 2, 1, 1)
    assert (found.sites, found.covered, found.gap) == ([], 0.0, 0.0)


def test_pairs_are_those_that_the_ellipsoid_says():
    random = np.random.default_rng(2)
    one = random.uniform((103.5, 21.5), (104.5, 22.9), (60, 2))
    other = random.uniform((103.5, 21.5), (104.5, 22.9), (80, 2))
    geod = pyproj.Geod(ellps="WGS84")
    i, j = np.meshgrid(np.arange(60), np.arange(80), indexing="ij")
    metres = geod.inv(one[i, 0], one[i, 1], other[j, 0], other[j, 1])[2]
    for distance in (1, 5_000, 30_000, 150_000):
        wanted = set(zip(*np.nonzero(metres <= distance), strict=True))
        found = set(zip(*within(one, other, distance), strict=True))
        assert found == wanted
    assert len(within(one[:0], other, 10)[0]) == 0


def test_too_many_pairs_are_refused(monkeypatch):
    from layers.processes.operations import locate

    monkeypatch.setattr(locate, "MOST_PAIRS", 10)
    places = np.full((10, 2), 22.0)
    with pytest.raises(BadInput, match="smaller one"):
        within(places, places, 10)
