"""The newest count of a series: p by hand, the detectors it stands on, and the laws of rarity."""

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t

from gis.analysis import ears, farrington, nb_cusum, newest_cusum, newest_ears, newest_farrington

WEEK = [1, 3, 2, 2, 3, 1, 2]  # mean 2, standard deviation by n − 1: √(4/6)
days = st.lists(st.integers(0, 9), min_size=60, max_size=60).map(np.array)


def test_c1_by_hand():
    """Today 12; the week before had 14: z = 10/√(2/3), p of t with 6 degrees of freedom."""
    found = newest_ears(np.array([*WEEK, 12]), method="C1", baseline=7)
    assert (found.observed, found.expected, found.steps) == (12, 2.0, 1)
    own = t.sf(10 / np.sqrt(2 / 3) / np.sqrt(8 / 7), 6)
    few = sum(comb(26, k) * 7 ** (26 - k) for k in range(12, 27)) / 8**26
    assert found.p == pytest.approx(max(own, few))
    assert own < few


def test_after_zeros_alone_p_is_that_of_few_counts():
    """Each of three events is today's with probability 1/8."""
    found = newest_ears(np.array([0] * 7 + [3]), method="C1", baseline=7)
    assert found.p == pytest.approx(1 / 8**3)
    assert found.bound(1 / 8**3 * 1.01) == 3
    assert found.bound(1 / 8**5 * 1.01) == 5
    assert found.bound(1 / 8**3 * 1.01, least=4) == 4


def test_a_gap_keeps_the_days_before_out_of_what_is_usual():
    risen = np.array([*WEEK, 9, 9, 9])
    assert newest_ears(risen, method="C2", baseline=7).expected == 2.0
    assert (
        newest_ears(risen, method="C1", baseline=7).expected == 4.0
    )  # (2 + 2 + 3 + 1 + 2 + 9 + 9) / 7


def test_c3_judges_three_days():
    found = newest_ears(np.array([*WEEK, *WEEK, 3, 4, 4]), method="C3", baseline=7)
    assert (found.steps, found.observed) == (3, 11)
    assert found.p < newest_ears(np.array([*WEEK, *WEEK, 2, 2, 4]), method="C3", baseline=7).p
    level = newest_ears(np.array([*WEEK, *WEEK, 2, 2, 2]), method="C3", baseline=7)
    assert level.p > 0.3


@settings(deadline=None)
@given(days, st.sampled_from(["C1", "C2"]))
def test_what_ears_expects_is_what_is_reported(counts, method):
    told = newest_ears(counts, method=method)
    last = ears(counts, method=method, baseline=28).iloc[-1]
    assert told.expected == pytest.approx(last["expected"])
    assert told.observed == counts[-1]


@settings(deadline=None)
@given(days, st.integers(0, 20), st.sampled_from(["C1", "C2", "C3", "cusum"]))
def test_more_is_never_less_rare_and_the_bound_is_the_least_that_is_as_rare(counts, least, name):
    judge = newest_cusum if name == "cusum" else lambda c: newest_ears(c, method=name)
    found = judge(counts)
    p = found.p_of(np.arange(40))
    assert (np.diff(p) <= 1e-12).all()
    assert ((p >= 0) & (p <= 1)).all()
    bound = found.bound(0.001, least)
    before = found.observed - found.count
    assert bound >= least
    assert found.p_of(np.array([bound - before]))[0] <= 0.001
    if bound - 1 >= max(least, before):
        assert found.p_of(np.array([bound - before - 1]))[0] > 0.001


@pytest.mark.parametrize("judge", [newest_ears, newest_cusum, newest_farrington])
def test_a_short_past_is_not_judged(judge):
    assert judge(np.ones(30, np.int64)) is None


def test_farrington_is_as_its_bound_says():
    """A count at the bound has the p for which the bound was made, where counts are not few."""
    weeks = np.random.default_rng(5).poisson(40, 4 * 52 + 4)
    found, last = newest_farrington(weeks), farrington(weeks, alpha=0.01).iloc[-1]
    assert found.expected == pytest.approx(last["expected"])
    below, above = np.floor(last["bound"]), np.ceil(last["bound"])
    p = found.p_of(np.array([below, above]))
    assert p[1] <= 0.005 * 1.6
    assert p[0] > 0.005 * 0.6
    assert newest_farrington(np.where(np.arange(len(weeks)) < len(weeks) - 4, weeks, 1)).p == 1.0


def test_a_sum_of_log_ratios_is_its_own_rarity():
    """A level series with a rise of five days: e^−C, C that of `nb_cusum` since the rise began."""
    counts = np.array([1] * 28 + [0] * 9 + [4] * 5)
    found = newest_cusum(counts)
    mean = 28.5 / 28
    told = nb_cusum(
        counts[-14:], np.full(14, mean), dispersion=1 / 28.5, ratio=2.0, threshold=np.inf
    )
    assert found.p == pytest.approx(np.exp(-told["statistic"].iloc[-1]))
    assert (found.steps, found.observed) == (5, 20)
    assert found.expected == pytest.approx(5 * mean)
