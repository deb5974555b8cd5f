"""Classes of emerging hot spots: a truth table made by hand, and its mirror."""

import time

import h3
import numpy as np
import pandas as pd
import pytest

from gis.analysis.emerging import EmergingRules, categories, emerging_hot_spots
from gis.analysis.trend import mann_kendall
from gis.analysis.weights import disk_matrix
from gis.errors import BadInput

# Ten steps, oldest first: h hot, c cold, . neither; then the trend, then the class.
TABLE = """
.........h  0 new
.........h  1 new
.........h -1 new
c........h  0 new
cccccccc.h  0 new
cccccccccc  0 cold_persistent
........hh  0 consecutive
........hh  1 consecutive
........hh -1 consecutive
c.......hh  0 consecutive
..hhhhhhhh  0 consecutive
..hhhhhhhh  1 consecutive
cchhhhhhhh  0 consecutive
.hhhhhhhhh  1 intensifying
.hhhhhhhhh  0 persistent
.hhhhhhhhh -1 diminishing
hhhhhhhhhh  1 intensifying
hhhhhhhhhh  0 persistent
hhhhhhhhhh -1 diminishing
hhhh.hhhhh  1 intensifying
hhhh.hhhhh  0 persistent
hhhh.hhhhh -1 diminishing
hhhhchhhhh  0 persistent
chhhhhhhhh  1 intensifying
chhhhhhhhh  0 persistent
chhhhhhhhh -1 diminishing
hhhhhhhh.h  0 persistent
hhhhhhhh.h  1 intensifying
hhh.hhhh.h  0 sporadic
hhh.hhhh.h  1 sporadic
h........h  0 sporadic
h........h  1 sporadic
h........h -1 sporadic
.h......hh  0 sporadic
h.hhhhhhh.  0 none
h.hh.hhhhh  0 sporadic
hc.......h  0 oscillating
h.c......h  0 oscillating
h.c.....hh  0 oscillating
ch.......h  1 oscillating
hhh.hhhhch  0 oscillating
hhhchhhhch  0 oscillating
hcccccccch  0 oscillating
hhhhhhhhh.  0 historical
hhhhhhhhh.  1 historical
hhhhhhhhh. -1 historical
hhhhhhhhhc  0 historical
hhhhhhhh..  0 none
.hhhhhhhh.  0 none
..........  0 none
..........  1 none
h.........  0 none
hh........  0 none
.....hhhh.  0 none
c........c  0 cold_sporadic
.........c  0 cold_new
........cc  0 cold_consecutive
.ccccccccc -1 cold_intensifying
.ccccccccc  0 cold_persistent
.ccccccccc  1 cold_diminishing
ch.......c  0 cold_oscillating
ccccccccc.  0 cold_historical
ccccccccch  0 new
cccccccc..  0 none
""".strip().splitlines()


def rows():
    for line in TABLE:
        history, trend, name = line.split()
        plain = name == "none" or name.startswith("cold_")
        yield history, int(trend), name if plain else f"hot_{name}"


def classed(history: str, trend: int) -> str:
    letters = np.array([list(history)])
    return categories(letters == "h", letters == "c", np.array([trend]))[0]


def test_the_truth_table_is_long_enough():
    assert len(set(TABLE)) == len(TABLE) >= 60


@pytest.mark.parametrize(("history", "trend", "name"), list(rows()))
def test_a_history_has_the_class_of_the_table(history, trend, name):
    assert classed(history, trend) == name


@pytest.mark.parametrize(
    ("history", "trend", "name"), [row for row in rows() if not {"h", "c"} <= set(row[0])]
)
def test_cold_mirrors_hot(history, trend, name):
    swapped = {"hot": "cold", "cold": "hot"}
    kind, _, rest = name.partition("_")
    expected = f"{swapped[kind]}_{rest}" if rest else name
    assert classed(history.translate(str.maketrans("hc", "ch")), -trend) == expected


def cube():
    centre = h3.latlng_to_cell(22.3, 104.0, 8)
    disk = h3.grid_disk(centre, 5)
    cells = np.sort(np.array([h3.str_to_int(c) for c in disk], np.uint64))
    middle = int(np.searchsorted(cells, np.uint64(h3.str_to_int(centre))))
    return cells, middle, np.random.default_rng(4).poisson(0.3, (len(cells), 12))


def test_a_disk_that_grows_hot_at_the_end_is_new():
    cells, middle, counts = cube()
    weights = disk_matrix(cells)
    counts[weights[[middle]].toarray()[0] > 0, -1] += 3
    found = emerging_hot_spots(counts, weights)
    assert found.loc[middle, "category"] == "hot_new"
    assert found.loc[middle, "hot_now"]


def test_one_spike_in_one_hex_is_no_hot_spot():
    # Wherever permuting puts the spike, 14 of the bins have it near: p cannot fall below 14/1092.
    cells, middle, counts = cube()
    counts[middle, -1] += 15
    found = emerging_hot_spots(counts, disk_matrix(cells))
    assert not found["hot_now"].any()
    assert found["z"].max() > 6


def test_noise_alone_has_hardly_a_class():
    cells, _, counts = cube()
    found = emerging_hot_spots(counts, disk_matrix(cells))
    assert (found["category"] != "none").sum() <= 2


def test_the_order_of_hexes_changes_no_class():
    cells, middle, counts = cube()
    counts[middle, 3:] += 9
    order = np.random.default_rng(1).permutation(len(cells))
    usual = emerging_hot_spots(counts, disk_matrix(cells))
    other = emerging_hot_spots(counts[order], disk_matrix(cells[order]))
    assert other["category"].tolist() == usual["category"].to_numpy()[order].tolist()


COUNTS, ALONE = np.arange(12).reshape(3, 4), np.eye(3)
YES = np.ones((1, 2), bool)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: emerging_hot_spots(COUNTS - 5, ALONE), "`counts` holds -5 at 0, 0"),
        (lambda: emerging_hot_spots(COUNTS / 2, ALONE), "`counts` holds 0.5 at 0, 1"),
        (lambda: emerging_hot_spots(COUNTS[0], ALONE), r"`counts` has shape \(4,\)"),
        (lambda: emerging_hot_spots(np.zeros((3, 0)), ALONE), "give a hex and a step at least"),
        (lambda: emerging_hot_spots(np.zeros((0, 4)), np.eye(0)), "give a hex and a step at least"),
        (lambda: emerging_hot_spots(COUNTS, np.eye(4)), "3 values need weights"),
        (lambda: emerging_hot_spots(COUNTS, ALONE / 7), "`weights` are binary disks"),
        (lambda: emerging_hot_spots(COUNTS, ALONE, edge=[True]), r"`edge` has shape \(1,\)"),
        (lambda: emerging_hot_spots(COUNTS, ALONE, edge=[0, 1, 2]), "`edge` holds 2 at 2"),
        (lambda: EmergingRules(share=0), "`share` is 0: give a number above 0"),
        (lambda: EmergingRules(share=90), "`share` is 90: give a number from 0 to 1"),
        (lambda: EmergingRules(bin_alpha=-1), "`bin_alpha` is -1"),
        (lambda: EmergingRules(trend_alpha=np.nan), "`trend_alpha` is nan"),
        (lambda: categories(YES, YES[:, :1], [1]), r"`cold` has shape \(1, 1\)"),
        (lambda: categories(YES, ~YES, [1, 1]), r"`trend` has shape \(2,\)"),
        (lambda: categories(YES, ~YES, [2]), "`trend` holds 2 at 0: each must be 1 or less"),
        (lambda: categories(YES[:, :0], YES[:, :0], [1]), "no step: give one at least"),
        (lambda: mann_kendall([1.0, 2.0]), r"`series` has shape \(2,\), it must have \(any, any\)"),
        (lambda: mann_kendall([[1.0, np.inf]]), "`series` holds inf at 0, 1"),
        (lambda: mann_kendall([[1.0, 2.0]], alpha=5), "`alpha` is 5"),
    ],
)
def test_what_has_no_history_is_refused_in_words(call, words):
    with pytest.raises(BadInput, match=words):
        call()


@pytest.mark.parametrize(
    "kind", [lambda a: a.tolist(), lambda a: pd.DataFrame(a, index=np.arange(len(a))[::-1] % 3)]
)
def test_lists_and_frames_are_taken_by_position(kind):
    _, _, counts = cube()
    counts = counts[:30]
    weights = disk_matrix(cube()[0][:30])
    edge = np.asarray(weights.sum(axis=1)) < 7
    usual = emerging_hot_spots(counts, weights, edge=edge)
    for given in (weights.toarray(), weights.tocoo(), pd.DataFrame(weights.toarray())):
        found = emerging_hot_spots(kind(counts), given, edge=pd.Series(edge, index=edge * 1))
        assert found.equals(usual)
    assert mann_kendall(kind(counts)).equals(mann_kendall(counts))
    hot, trend = counts > 0, np.arange(30) % 3 - 1
    assert categories(kind(hot), kind(~hot), list(trend)) == categories(hot, ~hot, trend)


@pytest.mark.parametrize("mean", [3_000, 300_000, 30_000_000])
def test_large_counts_take_seconds_and_find_what_stands_out(mean):
    """The last step is higher in one disk: there it is hot, and hardly anywhere else."""
    cells = np.array(sorted(int(cell, 16) for cell in h3.grid_disk("8841a6a6a7fffff", 2)))
    weights = disk_matrix(cells, 1)
    counts = np.random.default_rng(4).poisson(mean, (len(cells), 5))
    middle = int(np.flatnonzero(cells == 0x8841A6A6A7FFFFF)[0])
    counts[weights[[middle]].toarray()[0] > 0, -1] += round(12 * np.sqrt(mean))
    began = time.process_time()
    found = emerging_hot_spots(counts, weights)
    assert time.process_time() - began < 20
    assert found["category"][middle] == "hot_new"
    assert not (found["hot_share"] > 0.2).any(), "nor was it before"


def test_what_all_counts_have_in_common_changes_no_class():
    cells = np.array(sorted(int(cell, 16) for cell in h3.grid_disk("8841a6a6a7fffff", 3)))
    weights = disk_matrix(cells, 1)
    counts = np.random.default_rng(5).poisson(3, (len(cells), 9))
    counts[:5, -2:] += 9
    small, large = (emerging_hot_spots(counts + more, weights) for more in (0, 100_000_000))
    assert small["category"].tolist() == large["category"].tolist()
    assert small["hot_now"].any()
