"""Gi*, local Moran and Empirical-Bayes rates on the county data that all textbooks use."""

from itertools import combinations

import geopandas as gpd
import libpysal
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.stats import norm

from gis.analysis.local import (
    benjamini_hochberg,
    empirical_bayes,
    exact_p,
    exposure_p,
    gi_star,
    local_moran,
)
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
    two_sided = 2 * norm.sf(np.abs(z))
    assert (two_sided < 0.05).sum() == 12
    assert set(counties["NAME"][benjamini_hochberg(two_sided) <= 0.05]) == {"Northampton", "Bertie"}


def test_gi_star_and_local_moran_are_those_of_esda(counties, queen):
    esda = pytest.importorskip("esda")
    rates = counties["SIDR79"].to_numpy()
    theirs = esda.G_Local(
        rates, queen.assign_self_weight(), transform="B", star=True, permutations=0
    )
    assert gi_star(rates, queen.assign_self_weight().sparse) == pytest.approx(theirs.Zs, abs=1e-12)
    moran = esda.Moran_Local(rates, queen, permutations=0)
    assert local_moran(rates, queen.sparse) == pytest.approx(moran.Is, abs=1e-12)


def test_local_moran_is_that_of_spdep_but_for_n(counties, queen):
    found = local_moran(counties["SIDR74"].to_numpy(), queen.sparse)
    at = int(np.flatnonzero(counties["NAME"] == "Northampton")[0])
    assert found[at] / 0.99 == pytest.approx(4.50180721, abs=1e-8)


def test_empirical_bayes_of_the_first_counties(counties):
    rates = empirical_bayes(counties["SID74"].to_numpy(), counties["BIR74"].to_numpy())
    assert rates[:4] == pytest.approx(
        [0.001697297, 0.001705378, 0.001773087, 0.002012868], abs=5e-10
    )


def test_empirical_bayes_is_that_of_esda(counties):
    smoothing = pytest.importorskip("esda").smoothing
    events, births = counties["SID79"].to_numpy(), counties["BIR79"].to_numpy()
    theirs = smoothing.Empirical_Bayes(events, births).r.ravel()
    assert empirical_bayes(events, births) == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize("factor", [0.01, 7.0])
def test_local_moran_knows_neither_unit_nor_zero(counties, queen, factor):
    rates = counties["SIDR74"].to_numpy()
    plain = local_moran(rates, queen.sparse)
    assert local_moran(rates * factor + 3, queen.sparse) == pytest.approx(plain)


@given(
    n=st.integers(2, 9),
    seed=st.integers(0, 999),
    of=st.sampled_from([(1.0,), (0.0, 1.0), (0.0, 0.25, 2.0)]),
)
def test_gi_star_is_its_formula_for_any_weights(n, seed, of):
    random = np.random.default_rng(seed)
    x, w = random.uniform(-5, 5, n), random.choice(of, (n, n))
    total, squares = w.sum(axis=1), (w**2).sum(axis=1)
    spread = np.sqrt(np.mean(x**2) - x.mean() ** 2)
    under = spread * np.sqrt(np.maximum(n * squares - total**2, 0) / (n - 1))
    expected = np.divide(w @ x - total * x.mean(), under, out=np.full(n, np.nan), where=under > 0)
    found = gi_star(x, sparse.csr_array(w))
    assert found == pytest.approx(expected, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("values", [[], [3.0], [0.1, 0.1, 0.1]])
def test_values_without_spread_have_no_gi_star(values):
    n = len(values)
    assert np.isnan(gi_star(np.array(values), sparse.csr_array(np.eye(n)))).all()


LINE = sparse.csr_array(np.eye(127, k=1) + np.eye(127, k=-1))


@pytest.mark.parametrize(
    "values",
    [
        np.full(127, 0.3),  # whose mean is another number
        np.full(127, -0.3) + np.arange(127) % 2 * 1e-16,
        empirical_bayes(np.full(127, 3), np.full(127, 7.0) + np.arange(127) % 3 * 1e-14),
    ],
)
def test_values_that_differ_by_rounding_alone_have_no_spread(values):
    assert np.isnan(local_moran(values, LINE)).all()
    assert np.isnan(gi_star(values, LINE + sparse.eye_array(127))).all()


def test_a_small_spread_above_rounding_is_one():
    values = 1 + np.arange(127) * 1e-9
    assert np.isfinite(local_moran(values, LINE)).all()
    assert gi_star(values, LINE) == pytest.approx(gi_star(np.arange(127), LINE), abs=1e-4)


X, EYE = np.array([1.0, 0.0, 4.0]), np.eye(3)
ASTRAY = sparse.csr_array((np.ones(3), np.array([0, 1, 9]), np.array([0, 1, 2, 3])), shape=(3, 3))
ENDLESS = sparse.csr_array(EYE)
ENDLESS.indptr = np.array([0, 9_000_000, 2, 3], np.int32)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda f: f(X, np.eye(4)), r"3 values need weights of shape \(3, 3\), these are \(4, 4\)"),
        (lambda f: f(X, None), "these are None"),
        (lambda f: f([1, np.nan, 4], EYE), "`values` holds nan at 1: .* fill or drop it"),
        (lambda f: f([X, X], EYE), r"`values` has shape \(2, 3\)"),
        (lambda f: f(["a", "b", "c"], EYE), "`values` holds <U1 and no numbers"),
    ],
)
def test_what_a_local_statistic_cannot_take_is_refused_in_words(call, words):
    for statistic in (gi_star, local_moran):
        with pytest.raises(BadInput, match=words):
            call(statistic)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda f: f(X, -EYE), "`weights` holds -1.0"),
        (lambda f: f(X, sparse.csr_array(-EYE)), "`weights` holds -1.0"),
        (lambda f: f(X, sparse.csr_array(EYE * [1, 2, np.inf])), "`weights` holds (nan|inf)"),
        (lambda f: f(X, ASTRAY), "`weights` is no whole matrix"),
        (lambda f: f(X, ENDLESS), "`weights` is no whole matrix"),
    ],
)
def test_weights_without_meaning_are_refused_in_words(call, words):
    with np.errstate(invalid="ignore"), pytest.raises(BadInput, match=words):
        call(local_moran)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: empirical_bayes([1, -1], [5, 5]), "`events` holds -1.0 at 1"),
        (lambda: empirical_bayes([1, np.nan], [5, 5]), "`events` holds nan at 1"),
        (lambda: empirical_bayes([1, 1], [5, -5]), "`population` holds -5.0 at 1"),
        (lambda: empirical_bayes([1, 1], [5, np.inf]), "`population` holds inf at 1"),
        (lambda: empirical_bayes([1, 1], [5]), r"`population` has shape \(1,\)"),
        (lambda: benjamini_hochberg([0.1, np.nan]), "`p` holds nan at 1"),
        (lambda: benjamini_hochberg([0.1, 1.5]), "`p` holds 1.5 at 1: each must be 1 or less"),
        (lambda: exposure_p([1, 2], [1.0]), r"`expected` has shape \(1,\)"),
        (lambda: exposure_p([1.5], [1.0]), "`observed` holds 1.5 at 0"),
        (lambda: exposure_p([1], [np.nan]), "`expected` holds nan at 0"),
        (lambda: exposure_p([1], [1.0], dispersion=np.nan), "`dispersion` is nan"),
    ],
)
def test_what_rates_and_p_cannot_be_made_of_is_refused_in_words(call, words):
    with pytest.raises(BadInput, match=words):
        call()


def shuffled(values):
    return pd.Series(values, index=np.arange(len(values))[::-1] % 3)


@pytest.mark.parametrize("kind", [list, shuffled, lambda values: pd.DataFrame({"x": values})["x"]])
def test_lists_series_and_columns_are_taken_by_position(kind):
    random = np.random.default_rng(3)
    x, people = random.poisson(3, 20), random.integers(5, 50, 20)
    near = (random.uniform(size=(20, 20)) < 0.2).astype(float)
    plain = sparse.csr_array(near)
    for weights in (near, sparse.coo_array(near), sparse.csr_matrix(near), plain.astype(int)):
        assert gi_star(kind(x), weights).tolist() == gi_star(x, plain).tolist()
        assert local_moran(kind(x), weights) == pytest.approx(local_moran(x, plain), abs=1e-12)
    assert empirical_bayes(kind(x), kind(people)).tolist() == empirical_bayes(x, people).tolist()
    p = exposure_p(x, people * 0.1)
    assert exposure_p(kind(x), kind(people * 0.1)).tolist() == p.tolist()
    assert benjamini_hochberg(kind(p)).tolist() == benjamini_hochberg(p).tolist()


@given(seed=st.integers(0, 999), n=st.integers(2, 12))
def test_relabelling_places_moves_rates_and_q_with_them(seed, n):
    random = np.random.default_rng(seed)
    order, events, people = random.permutation(n), random.poisson(3, n), random.uniform(1, 9, n)
    usual, p = empirical_bayes(events, people), random.uniform(size=n)
    assert empirical_bayes(events[order], people[order]) == pytest.approx(usual[order])
    assert benjamini_hochberg(p[order]) == pytest.approx(benjamini_hochberg(p)[order])


def test_the_order_of_counties_changes_no_local_statistic(counties, queen):
    order = np.random.default_rng(1).permutation(len(counties))
    rates, plain = counties["SIDR74"].to_numpy(), queen.sparse
    mixed = plain.tocsr()[order][:, order]
    assert local_moran(rates[order], mixed) == pytest.approx(local_moran(rates, plain)[order])
    assert gi_star(rates[order], mixed) == pytest.approx(gi_star(rates, plain)[order])


def test_rates_have_the_common_rate_as_their_mean_when_people_are_equal():
    events = np.array([1.0, 4.0, 7.0, 0.0])
    assert empirical_bayes(events, np.full(4, 50.0)).mean() == pytest.approx(3 / 50)


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


@pytest.mark.parametrize("size", [1, 2, 4])
def test_the_conditional_p_is_what_counting_all_sets_with_that_place_gives(size):
    counts = np.array([0, 0, 1, 2, 0, 3])
    for at, own in enumerate(counts.tolist()):
        others = np.delete(counts, at).tolist()
        drawn = np.array([own + sum(chosen) for chosen in combinations(others, size - 1)])
        sums = np.arange(own, 8)
        full = {"sizes": np.full(len(sums), size), "own": np.full(len(sums), own)}
        upper = exact_p(counts, sums, **full)
        lower = exact_p(counts, sums, **full, tail="lower")
        assert upper == pytest.approx([(drawn >= s).mean() for s in sums])
        assert lower == pytest.approx([(drawn <= s).mean() for s in sums])


def test_an_own_count_that_no_place_has_is_refused():
    with pytest.raises(BadInput, match="count 5"):
        exact_p(np.array([1, 2]), np.array([6]), np.array([2]), own=np.array([5]))


def test_the_p_of_an_exposure_by_hand():
    # 2 or more where 1 is expected: 1 − 2/e; geometric (φ = 1, mean 1): 1/4.
    expected = np.array([1.0, 1.0, 0.0, 0.0])
    observed = np.array([2, 0, 0, 1])
    assert exposure_p(observed, expected) == pytest.approx([1 - 2 / np.e, 1, 1, 0])
    assert exposure_p(observed, expected, dispersion=1.0) == pytest.approx([0.25, 1, 1, 0])
    with pytest.raises(BadInput, match="0 or more"):
        exposure_p(observed, -expected)


def test_a_set_larger_than_the_domain_is_refused():
    with pytest.raises(BadInput, match="at most"):
        exact_p(np.array([1, 2]), np.array([3]), np.array([3]))
