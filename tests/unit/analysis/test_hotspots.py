"""Gi* and exact p on hexes: small cases counted by hand, published figures, and laws."""

from itertools import combinations

import h3
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.analysis.hotspots import hex_hotspots
from gis.analysis.local import benjamini_hochberg, exact_p, gi_star, permuted_p
from gis.analysis.weights import disk_matrix, disk_size
from gis.errors import BadInput

CENTRE = h3.latlng_to_cell(22.3, 104.0, 8)
CELLS = np.sort(np.array([h3.str_to_int(c) for c in h3.grid_disk(CENTRE, 6)], np.uint64))

counts_of_cells = st.lists(st.integers(0, 9), min_size=len(CELLS), max_size=len(CELLS)).map(
    lambda values: np.array(values, np.int64)
)
few = settings(deadline=None, max_examples=25)


def test_the_disk_of_a_hex_is_what_h3_says():
    matrix = disk_matrix(CELLS, 1)
    row = matrix[[int(np.searchsorted(CELLS, h3.str_to_int(CENTRE)))]].toarray()[0]
    assert {int(cell) for cell in CELLS[row > 0]} == {
        h3.str_to_int(cell) for cell in h3.grid_disk(CENTRE, 1)
    }


def test_a_hex_without_neighbours_keeps_its_row():
    far = np.array([h3.str_to_int(h3.latlng_to_cell(lat, 104.0, 8)) for lat in (21, 22)], np.uint64)
    assert disk_matrix(far, 1).toarray().tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_exact_p_is_what_counting_all_sets_gives(size):
    counts = np.array([0, 0, 1, 2, 0, 3])
    sums = np.arange(8)
    drawn = [sum(chosen) for chosen in combinations(counts.tolist(), size)]
    counted = [np.mean([total >= s for total in drawn]) for s in sums]
    assert exact_p(counts, sums, np.full(8, size)) == pytest.approx(counted)


def test_exact_p_agrees_with_drawing_at_random():
    random = np.random.default_rng(1)
    counts = random.poisson(0.5, 200)
    drawn = np.array([random.choice(counts, 7, replace=False).sum() for _ in range(20_000)])
    sums = np.arange(10)
    expected = [(drawn >= s).mean() for s in sums]
    assert exact_p(counts, sums, np.full(10, 7)) == pytest.approx(expected, abs=0.012)


def test_benjamini_hochberg_on_the_example_of_its_paper():
    # The 15 p-values of Benjamini & Hochberg 1995, section 3.2: at 0.05 four are rejected.
    p = np.array(
        [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240,
         0.4262, 0.5719, 0.6528, 0.7590, 1.0000]
    )  # fmt: skip
    assert (benjamini_hochberg(p) <= 0.05).sum() == 4


def test_gi_star_of_the_sudden_infant_deaths_of_north_carolina():
    libpysal = pytest.importorskip("libpysal")
    geopandas = pytest.importorskip("geopandas")
    frame = geopandas.read_file(libpysal.examples.get_path("sids2.shp"))
    graph = libpysal.graph.Graph.build_contiguity(frame, rook=False).assign_self_weight()
    z = dict(zip(frame["NAME"], gi_star(frame["SIDR74"].to_numpy(), graph.sparse), strict=True))
    assert z["Northampton"] == pytest.approx(4.251772569, abs=1e-9)
    assert z["Bertie"] == pytest.approx(3.945757473, abs=1e-9)
    assert z["Wilkes"] == pytest.approx(-2.327788855, abs=1e-9)


@few
@given(counts=counts_of_cells, seed=st.integers(0, 999))
def test_the_order_of_the_hexes_is_irrelevant(counts, seed):
    order = np.random.default_rng(seed).permutation(len(CELLS))
    usual = hex_hotspots(CELLS, counts).set_index("cell")
    other = hex_hotspots(CELLS[order], counts[order]).set_index("cell").loc[usual.index]
    assert np.allclose(usual["p"], other["p"])
    assert np.allclose(usual["z"], other["z"], equal_nan=True)


@few
@given(counts=counts_of_cells, factor=st.integers(2, 5), more=st.integers(1, 5))
def test_scaling_and_adding_a_constant_change_no_z(counts, factor, more):
    weights = disk_matrix(CELLS, 1)
    plain = gi_star(counts.astype(float), weights)
    assert np.allclose(plain, gi_star(counts * factor + more * 1.0, weights), equal_nan=True)


def test_equal_counts_have_no_hotspot_and_no_z():
    found = hex_hotspots(CELLS, np.full(len(CELLS), 3))
    assert not found["hot"].any()
    assert found["z"].isna().all()
    assert (found["p"] == 1).all()


def test_no_events_have_no_hotspot():
    assert not hex_hotspots(CELLS, np.zeros(len(CELLS), np.int64))["hot"].any()


def test_a_heap_in_the_middle_is_hot_and_the_far_border_is_not():
    counts = np.zeros(len(CELLS), np.int64)
    middle = int(np.searchsorted(CELLS, h3.str_to_int(CENTRE)))
    counts[middle] = 2
    near = disk_matrix(CELLS, 1)[[middle]].toarray()[0] > 0
    counts[near] += 3
    found = hex_hotspots(CELLS, counts)
    assert found.loc[middle, "hot"]
    assert found.loc[middle, "neighbours_count"] == 23
    far = found[~found["cell"].isin(CELLS[disk_matrix(CELLS, 2)[[middle]].toarray()[0] > 0])]
    assert not far["hot"].any()


def test_twice_the_events_among_twice_the_people_are_not_hot():
    people = np.ones(len(CELLS))
    people[: len(CELLS) // 2] = 20.0
    counts = np.random.default_rng(6).poisson(people * 0.2)
    assert hex_hotspots(CELLS, counts)["hot"].any()
    found = hex_hotspots(CELLS, counts, exposure=people)
    assert not found["hot"].any()
    disk = disk_matrix(CELLS, 1)
    assert found["expected"].to_numpy() == pytest.approx(
        disk @ people * counts.sum() / people.sum()
    )


def test_cells_at_the_border_of_the_domain_say_so():
    found = hex_hotspots(CELLS, np.zeros(len(CELLS), np.int64))
    assert found["edge"].sum() == 6 * 6
    assert (found["k"][~found["edge"]] == disk_size(1)).all()


def test_noise_on_sparse_counts_is_not_hot():
    # Analytic p of Gi* would mark some hex in nearly each of these maps.
    random = np.random.default_rng(2)
    alarms = sum(
        hex_hotspots(CELLS, random.poisson(0.05, len(CELLS)))["hot"].any() for _ in range(60)
    )
    assert alarms <= 6


def test_sums_of_money_are_judged_too_by_what_they_share_or_by_random_sets():
    random = np.random.default_rng(5)
    counts = np.where(random.random(len(CELLS)) < 0.2, random.integers(1, 90, len(CELLS)), 0)
    few = hex_hotspots(CELLS, counts)
    thousands = hex_hotspots(CELLS, counts * 1_000_000)
    assert np.allclose(thousands["p"], few["p"], rtol=1e-9)
    odd = hex_hotspots(CELLS, counts * 1_000_000 + (counts > 0))  # no common unit
    assert np.abs(odd["p"] - few["p"]).max() < 0.03
    assert hex_hotspots(CELLS, counts - 1)["p"].between(0, 1).all()


def test_sums_too_many_to_list_are_refused_with_what_takes_them():
    with pytest.raises(BadInput, match="sums of 2 places reach 1,000,000,005, too many to list"):
        exact_p([10**9, 0, 3, 5], [10**9], [2])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: exact_p([1, -1], [1], [1]), "`counts` holds -1 at 1: each must be 0 or more"),
        (lambda: exact_p([1, 2], [1], [-1]), "`sizes` holds -1 at 0"),
        (lambda: exact_p([1, 2], [1], [0], own=[1]), "`sizes` holds 0 at 0: each must be 1"),
        (lambda: exact_p([1, 2], [1, 2], [1]), r"`sizes` has shape \(1,\), it must have \(2\)"),
        (lambda: exact_p([1, 2.5], [1], [1]), "`counts` holds 2.5 at 1: each must be a whole"),
        (lambda: exact_p([1, 2], [1], [1], tail="foo"), "`tail` is 'foo': give one of upper"),
        (lambda: permuted_p([1.0], [1.0], [2], [True]), "a set of 2 out of 1 places"),
        (lambda: permuted_p([1.0, np.nan], [1, 1], [1, 1], [True, True]), "`values` holds nan"),
        (lambda: hex_hotspots(CELLS, [1, 2]), "`counts` has shape"),
        (lambda: hex_hotspots(CELLS, np.ones(len(CELLS)), exposure=[1]), "`exposure` has shape"),
    ],
)
def test_what_is_no_population_and_no_set_is_refused(call, words):
    with pytest.raises(BadInput, match=words):
        call()


def test_lists_and_series_are_counts_too():
    counts, index = [0, 2, 1, 0], [3, 3, 1, 9]
    known = exact_p(np.array(counts), np.array([2, 3]), np.array([1, 2]))
    assert exact_p(counts, [2, 3], [1, 2]).tolist() == known.tolist()
    assert (
        exact_p(pd.Series(counts, index), pd.Series([2.0, 3.0]), [1, 2]).tolist() == known.tolist()
    )
