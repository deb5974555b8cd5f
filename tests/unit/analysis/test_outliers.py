"""Hexes like and unlike their surroundings, on maps that a person can check."""

import h3
import numpy as np
import pandas as pd
import pytest

from gis.analysis.local import exact_p, permuted_p
from gis.analysis.outliers import CATEGORIES, hex_outliers
from gis.analysis.weights import disk_matrix
from gis.errors import BadInput

CENTRE = h3.latlng_to_cell(22.3, 104.0, 7)
CELLS = np.array([h3.str_to_int(cell) for cell in h3.grid_disk(CENTRE, 6)], np.uint64)
RING = np.isin(CELLS, [h3.str_to_int(cell) for cell in h3.grid_ring(CENTRE, 1)])
AT = int(np.flatnonzero(h3.str_to_int(CENTRE) == CELLS)[0])
USUAL = np.arange(len(CELLS)) % 3 + 4  # four to six everywhere


def surrounded(here: int, around: int) -> np.ndarray:
    counts = USUAL.copy()
    counts[AT], counts[RING] = here, around
    return counts


@pytest.mark.parametrize(
    ("here", "around", "category"),
    [
        (0, 20, "low_high"), (40, 0, "high_low"), (20, 20, "high_high"), (0, 0, "low_low"),
        (40, 5, "none"),  # alone: its surroundings are as usual
    ],
)  # fmt: skip
def test_a_hex_is_described_by_its_own_count_and_that_around_it(here, around, category):
    found = hex_outliers(CELLS, surrounded(here, around)).iloc[AT]
    assert found["category"] == category
    assert (found["count"], found["neighbours_count"], found["k"]) == (here, 6 * around, 6)
    assert (found["moran"] > 0) == (category in ("high_high", "low_low"))


def test_noise_and_equal_counts_have_no_category():
    for seed in range(5):
        noise = np.random.default_rng(seed).poisson(0.2, len(CELLS))
        assert set(hex_outliers(CELLS, noise)["category"]) == {"none"}
    equal = hex_outliers(CELLS, np.full(len(CELLS), 3))
    assert set(equal["category"]) == {"none"}
    assert equal["moran"].isna().all()


def test_rates_are_compared_where_there_is_an_exposure():
    """Many among as many people are usual; as many as elsewhere among very many people are few."""
    counts = surrounded(20, 20)
    people = counts * 100.0
    assert set(hex_outliers(CELLS, counts, exposure=people)["category"]) == {"none"}
    crowded = np.full(len(CELLS), 500.0)
    crowded[RING] = 20_000
    found = hex_outliers(CELLS, surrounded(12, 5), exposure=crowded).iloc[AT]
    assert found["category"] == "high_low"
    assert found["neighbours_count"] < found["neighbours_expected"]


def test_a_hex_without_exposure_has_no_rate_and_no_row():
    people = np.full(len(CELLS), 500.0)
    people[AT] = 0
    found = hex_outliers(CELLS, USUAL, exposure=people)
    assert len(found) == len(CELLS) - 1
    assert CELLS[AT] not in set(found["cell"])
    with pytest.raises(BadInput, match="all are 0"):
        hex_outliers(CELLS, USUAL, exposure=np.zeros(len(CELLS)))


def test_a_seed_gives_the_same_p_each_time():
    once, again = (hex_outliers(CELLS, surrounded(0, 9), seed=3) for _ in range(2))
    assert once.equals(again)


@pytest.mark.parametrize("upper", [True, False])
def test_p_by_random_orders_is_the_exact_one_of_counts(upper):
    counts = np.array([0, 0, 1, 1, 2, 3, 3, 5, 8, 9, 12, 40])
    sizes = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 3])
    sums = np.array([5, 3, 20, 9, 50, 17, 30, 40, 70, 80, 44, 61])
    known = exact_p(
        counts, sums + counts, sizes + 1, own=counts, tail="upper" if upper else "lower"
    )
    found = permuted_p(counts.astype(float), sums.astype(float), sizes, np.full(12, upper), seed=1)
    assert found == pytest.approx(known, abs=0.03)


def test_places_without_neighbours_have_p_1():
    far = np.array([h3.str_to_int(h3.latlng_to_cell(22 + n, 104, 7)) for n in range(4)], np.uint64)
    found = hex_outliers(far, np.array([0, 9, 1, 2]))
    assert found["p"].tolist() == [1.0] * 4
    assert set(found["category"]) == {"none"} != set(CATEGORIES)


PEOPLE = np.full(len(CELLS), 500.0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: hex_outliers(CELLS, USUAL[1:]), "`counts` has shape"),
        (lambda: hex_outliers(CELLS, -USUAL), "`counts` holds -4 at 0: each must be 0 or more"),
        (lambda: hex_outliers(CELLS, USUAL + 0.5), "`counts` holds 4.5 at 0"),
        (lambda: hex_outliers(CELLS, USUAL, exposure=PEOPLE[1:]), "`exposure` has shape"),
        (lambda: hex_outliers(CELLS, USUAL, exposure=-PEOPLE), "`exposure` holds -500.0 at 0"),
        (lambda: hex_outliers(CELLS, USUAL, exposure=PEOPLE * np.nan), "`exposure` holds nan at 0"),
        (lambda: hex_outliers(CELLS, USUAL, alpha=5), "`alpha` is 5"),
        (
            lambda: hex_outliers(CELLS, USUAL, seed=-1),
            "`seed` is -1: give a whole number of at least 0",
        ),
        (lambda: hex_outliers(CELLS, USUAL, k=-1), "`k` is -1: give a whole number of at least 0"),
        (lambda: disk_matrix(CELLS[[0, 1, 0]]), "`cells` holds a cell twice"),
        (lambda: disk_matrix([1, 2]), "`cells` holds 1 at 0, which is no H3 cell"),
        (lambda: disk_matrix([CENTRE]), "`cells` holds <U15 and no numbers"),
        (
            lambda: disk_matrix([int(CELLS[0]), h3.str_to_int(h3.cell_to_parent(CENTRE, 6))]),
            "`cells` are of different resolutions",
        ),
    ],
)
def test_what_is_no_map_of_hexes_is_refused_in_words(call, words):
    with pytest.raises(BadInput, match=words):
        call()


def shuffled(values):
    return pd.Series(values, index=np.arange(len(values))[::-1] % 3)


@pytest.mark.parametrize(
    "kind", [list, shuffled, lambda values: values.astype(np.int64), lambda values: values.tolist()]
)
def test_lists_and_series_of_cells_and_counts_are_taken_by_position(kind):
    usual = hex_outliers(CELLS, surrounded(0, 9), exposure=PEOPLE)
    found = hex_outliers(kind(CELLS), kind(surrounded(0, 9)), exposure=kind(PEOPLE))
    assert found.equals(usual)
    assert (disk_matrix(kind(CELLS)) != disk_matrix(CELLS)).nnz == 0
