"""Gi*, local Moran and Empirical-Bayes rates on the county data that all textbooks use."""

import geopandas as gpd
import libpysal
import numpy as np
import pytest

from gis.analysis.local import empirical_bayes, exact_p, gi_star, local_moran
from gis.errors import BadInput


@pytest.fixture(scope="module")
def counties():
    return gpd.read_file(libpysal.examples.get_path("sids2.shp"))


@pytest.fixture(scope="module")
def queen(counties):
    return libpysal.graph.Graph.build_contiguity(counties, rook=False)


GI_STAR = {
    "Northampton": 4.251772569, "Bertie": 3.945757473, "Richmond": 3.007641578,
    "Robeson": 2.869503911, "Halifax": 2.592668259, "Wilkes": -2.327788855,
    "Caldwell": -2.082789179, "Cherokee": -2.022300848,
}  # fmt: skip


def test_gi_star_of_each_published_county(counties, queen):
    z = gi_star(counties["SIDR74"].to_numpy(), queen.assign_self_weight().sparse)
    found = dict(zip(counties["NAME"], z, strict=True))
    assert {name: found[name] for name in GI_STAR} == pytest.approx(GI_STAR, abs=1e-9)
    assert (np.abs(z) > 1.959963985).sum() == 12


def test_local_moran_is_that_of_spdep_but_for_n(counties, queen):
    found = local_moran(counties["SIDR74"].to_numpy(), queen.sparse)
    at = int(np.flatnonzero(counties["NAME"] == "Northampton")[0])
    assert found[at] / 0.99 == pytest.approx(4.50180721, abs=1e-8)


def test_empirical_bayes_of_the_first_counties(counties):
    rates = empirical_bayes(counties["SID74"].to_numpy(), counties["BIR74"].to_numpy())
    assert rates[:4] == pytest.approx(
        [0.001697297, 0.001705378, 0.001773087, 0.002012868], abs=5e-10
    )


def test_rates_never_fall_below_zero():
    rates = empirical_bayes(np.array([1.0, 1.0, 1.0]), np.array([10.0, 11.0, 9.0]))
    assert rates == pytest.approx(np.full(3, 0.1))


def test_rates_without_population_are_the_common_rate_or_refused():
    rates = empirical_bayes(np.array([1.0, 0.0]), np.array([10.0, 0.0]))
    assert rates[1] == pytest.approx(0.1)
    with pytest.raises(BadInput, match="population"):
        empirical_bayes(np.zeros(2), np.zeros(2))


def test_exact_p_stays_exact_for_totals_of_thousands():
    random = np.random.default_rng(3)
    counts = random.poisson(40, 5000)
    p = exact_p(counts, np.array([0, 280, 4000]), np.array([7, 7, 7]))
    assert p[0] == 1.0
    assert p[1] == pytest.approx(0.5, abs=0.05)
    assert p[2] == 0.0
    wide = exact_p(counts[:400], np.array([0, 8000]), np.array([200, 200]))
    assert wide[0] == 1.0
    assert 0.01 < wide[1] < 0.99


def test_the_two_tails_overlap_in_the_sum_itself():
    counts, sums = np.array([0, 0, 1, 2, 0, 3]), np.arange(7)
    sizes = np.full(7, 3)
    lower = exact_p(counts, sums, sizes, tail="lower")
    above = exact_p(counts, sums + 1, sizes)
    assert lower + above == pytest.approx(np.ones(7))


def test_a_set_larger_than_the_domain_is_refused():
    with pytest.raises(BadInput, match="at most"):
        exact_p(np.array([1, 2]), np.array([3]), np.array([3]))
