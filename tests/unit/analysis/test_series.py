"""EARS, Farrington, CUSUM, Mann–Kendall: published alarms, peers, laws."""

from statistics import NormalDist, mean, stdev

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

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


def written_out(counts, method, alpha, step):
    """The bound of one step as the papers print it, in plain Python; None without a past."""

    def c2(at):
        past = counts[at - 9 : at - 2]
        return (counts[at] - mean(past)) / stdev(past)

    z = NormalDist().inv_cdf(1 - alpha)
    first = {"C1": 7, "C2": 9, "C3": 11}[method]
    if step < first:
        return None
    past = counts[step - 7 : step] if method == "C1" else counts[step - 9 : step - 2]
    if method == "C3":
        z -= sum(max(0, c2(at) - 1) for at in (step - 1, step - 2))
    return max(0, mean(past) + z * stdev(past))


@pytest.mark.parametrize("method", ["C1", "C2", "C3"])
@pytest.mark.parametrize("alpha", [0.001, 0.025])
def test_ears_is_its_formula_written_out(method, alpha):
    counts = np.random.default_rng(9).poisson(20, 60)
    counts[40] = 60
    found = ears(counts, method=method, alpha=alpha)
    for step, (bound, alarm) in enumerate(zip(found["bound"], found["alarm"], strict=True)):
        expected = written_out(counts.tolist(), method, alpha, step)
        if expected is None:
            assert np.isnan(bound) and not alarm
        else:
            assert bound == pytest.approx(expected)
            assert alarm == (counts[step] > expected)


def test_the_alpha_of_each_method_is_that_of_the_cdc():
    counts = np.random.default_rng(9).poisson(20, 60)
    for method, alpha in [("C1", 0.001), ("C2", 0.001), ("C3", 0.025)]:
        usual, given_alpha = ears(counts, method=method), ears(counts, method=method, alpha=alpha)
        pd.testing.assert_frame_equal(usual, given_alpha)


def test_one_event_after_zeros_alarms_unless_a_least_spread_is_given():
    counts = np.array([0] * 11 + [1])
    for method in ("C1", "C2", "C3"):
        assert ears(counts, method=method)["alarm"].tolist() == [False] * 11 + [True]
        assert not ears(counts, method=method, least_sd=1.0)["alarm"].any()


def test_a_baseline_of_one_is_refused():
    with pytest.raises(BadInput, match="at least 2"):
        ears(np.zeros(9, int), baseline=1)


@few
@given(counts=series, factor=st.integers(2, 9))
def test_scaling_the_counts_changes_no_alarm_of_ears(counts, factor):
    for method in ("C1", "C2", "C3"):
        plain, scaled = ears(counts, method=method), ears(counts * factor, method=method)
        # Not where a count sits on its bound, and rounding decides.
        clear = ~np.isclose(counts, plain["bound"])
        assert (plain["alarm"] == scaled["alarm"])[clear].all()


@few
@given(counts=series, more=st.integers(1, 5))
def test_adding_a_constant_moves_the_bound_of_ears_by_it(counts, more):
    plain, moved = ears(counts), ears(counts + more)
    assert np.allclose(plain["bound"] + more, moved["bound"], equal_nan=True)


def test_farrington_of_a_level_series_is_its_level_and_the_closed_bound():
    # Without spread the dispersion is 1, and the error of the mean √(μ/n) of n = 28 weeks.
    counts = np.full(300, 9)
    found = farrington(counts, start=260)
    spread = 1 + (9 / 28) / 9
    bound = (9 ** (2 / 3) + norm.isf(0.005) * np.sqrt(4 / 9 * 9 ** (1 / 3) * spread)) ** 1.5
    assert found["expected"].to_numpy() == pytest.approx(np.full(40, 9.0))
    assert found["bound"].to_numpy() == pytest.approx(np.full(40, bound))
    assert not found["alarm"].any()


def test_farrington_looks_at_the_same_weeks_of_past_years_alone():
    counts = np.random.default_rng(2).poisson(12, 262)
    other = counts.copy()
    used = [260 - 52 * back + around for back in (1, 2, 3, 4) for around in range(-3, 4)]
    unused = np.setdiff1d(np.arange(257), used)
    other[unused] = 99
    one, two = (farrington(c, start=260).iloc[0] for c in (counts, other))
    assert two["bound"] == one["bound"]


def test_farrington_gives_past_outbreaks_less_weight():
    counts = np.random.default_rng(2).poisson(12, 262)
    outbreak = counts.copy()
    outbreak[260 - 52] = 60
    plain, after = (farrington(c, start=260)["bound"].iloc[0] for c in (counts, outbreak))
    assert after < plain * 1.4  # unweighted: nearly twice


def test_fewer_than_five_cases_in_four_weeks_raise_no_alarm():
    counts = np.zeros(262, int)
    counts[260:] = 2
    found = farrington(counts, start=260)
    assert (counts[260:] > found["bound"]).all()
    assert found["alarm"].tolist() == [False, False]


def test_a_past_too_short_has_no_rows():
    assert farrington(np.ones(200, int)).empty


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
    with pytest.raises(BadInput, match=r"`series` holds nan at 0, 1: .* fill or drop it"):
        mann_kendall(np.array([[1.0, np.nan]]))
