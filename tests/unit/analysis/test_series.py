"""EARS, Farrington, CUSUM, Mann–Kendall: published alarms, peers, laws."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.analysis.series import ears, farrington, nb_cusum
from gis.analysis.trend import mann_kendall
from gis.errors import BadInput

few = settings(deadline=None, max_examples=30)
series = st.lists(st.integers(0, 6), min_size=4, max_size=40).map(np.array)


@pytest.fixture(scope="module")
def salmonella(shared):
    return pd.read_csv(shared / "oracles" / "salmonella_agona.csv")["x"].to_numpy()


def test_ears_c1_of_salmonella_agona(salmonella):
    weeks = np.flatnonzero(ears(salmonella)["alarm"]) + 1
    assert weeks[(weeks >= 20) & (weeks <= 312)].tolist() == [
        21, 30, 36, 62, 75, 80, 82, 111, 128, 191, 192, 210, 232, 283, 284, 294,
    ]  # fmt: skip


def test_farrington_of_salmonella_agona(salmonella):
    found = farrington(salmonella, years=4, half_window=3, alpha=0.01, start=260)
    assert (found["step"][found["alarm"]] + 1).tolist() == [262, 263, 264, 284, 285]
    assert found["bound"][:3].to_numpy() == pytest.approx(
        [5.271781075, 5.432469265, 5.329282586], abs=1e-9
    )


def test_c2_leaves_two_steps_out_of_its_baseline():
    counts = np.array([0, 2, 0, 2, 0, 2, 1, 50, 50, 1])
    assert ears(counts, method="C2")["expected"][9] == 1.0
    assert ears(counts, method="C1")["expected"][9] > 10


def test_c3_adds_what_the_days_before_had_in_excess():
    # Baseline 0, 2, 0, 2, 0, 2, 1: mean 1, standard deviation 1. Each day 3 is 2 deviations above.
    counts = np.array([0, 2, 0, 2, 0, 2, 1, 1, 1, 3, 3])
    steady = ears(counts, method="C2")
    summed = ears(counts, method="C3")
    excess = steady["statistic"][9] - 1
    assert excess == pytest.approx(1.0)
    lower = steady["bound"][10] - summed["bound"][10]
    deviation = (counts[10] - steady["expected"][10]) / steady["statistic"][10]
    assert lower == pytest.approx(excess * deviation)


def test_a_baseline_of_one_is_refused():
    with pytest.raises(BadInput, match="at least 2"):
        ears(np.zeros(9, int), baseline=1)


@few
@given(counts=series, more=st.integers(1, 5))
def test_adding_a_constant_moves_the_bound_of_ears_by_it(counts, more):
    plain, moved = ears(counts), ears(counts + more)
    assert np.allclose(plain["bound"] + more, moved["bound"], equal_nan=True)


def test_a_cusum_counted_by_hand():
    # Poisson, expected 1, ratio 2: each step gains x·ln 2 − 1.
    found = nb_cusum(np.array([0, 3, 3, 9, 0]), np.ones(5), threshold=5.0)
    gain = 3 * np.log(2) - 1
    assert found["statistic"].to_numpy() == pytest.approx(
        [0, gain, 2 * gain, 2 * gain + 9 * np.log(2) - 1, 0]
    )
    assert found["alarm"].tolist() == [False, False, False, True, False]


def test_a_cusum_of_little_dispersion_is_that_of_poisson():
    counts, expected = np.array([1, 4, 2, 0, 7]), np.full(5, 1.5)
    near = nb_cusum(counts, expected, dispersion=1e-9)["statistic"].to_numpy()
    assert near == pytest.approx(nb_cusum(counts, expected)["statistic"].to_numpy(), abs=1e-6)


@few
@given(counts=series)
def test_mann_kendall_equals_pymannkendall(counts):
    peer = pytest.importorskip("pymannkendall")
    ours = mann_kendall(counts[None, :].astype(float)).iloc[0]
    if ours["var_s"] == 0:
        assert ours["p"] == 1
        return
    theirs = peer.original_test(counts)
    assert ours["s"] == theirs.s
    assert ours["var_s"] == pytest.approx(theirs.var_s)
    assert ours["p"] == pytest.approx(theirs.p, abs=1e-12)
    assert ours["tau"] == pytest.approx(theirs.Tau)
    names = {1: "increasing", 0: "no trend", -1: "decreasing"}
    assert names[int(ours["trend"])] == theirs.trend


@few
@given(counts=series)
def test_a_series_backwards_has_the_opposite_trend(counts):
    there = mann_kendall(counts[None, :].astype(float))
    back = mann_kendall(counts[None, ::-1].astype(float))
    assert (there["z"] == -back["z"]).all()


def test_a_series_with_a_hole_is_refused():
    with pytest.raises(BadInput, match="without a value"):
        mann_kendall(np.array([[1.0, np.nan]]))
