"""Farrington flexible: a second way, seasons by hand, laws, and how often a quiet series alarms."""

from math import exp, lgamma, log

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import norm, poisson

from gis.analysis import farrington, farrington_flexible, newest_farrington
from gis.analysis.series import AllWeeks

few = settings(deadline=None, max_examples=15)
sparse = st.lists(
    st.sampled_from([0] * 30 + [1, 2, 40]), min_size=4 * 52 + 4, max_size=4 * 52 + 4
).map(np.array)


def seasonal(size, mean=12.0, dispersion=1.0, seed=0, slope=0.0):
    rng = np.random.default_rng(seed)
    time = np.arange(size)
    mu = mean * np.exp(0.5 * np.sin(2 * np.pi * time / 52) + slope * time)
    if dispersion == 1:
        return rng.poisson(mu)
    return rng.negative_binomial(mu / (dispersion - 1), 1 / dispersion)


class SecondWay:
    """The mean and dispersion of a step, from the paper: likelihood by a general optimiser, levels
    and weights in plain Python.
    """

    def __init__(self, counts, step, years, trend=True):
        self.times = list(range(step - 52 * years - 3, step - 26))
        self.past = np.array([counts[at] for at in self.times], float)
        self.design = np.array([self._row(at, step, trend) for at in self.times])
        self._fit(np.ones(len(self.past)))
        residuals = self._anscombe()
        weights = np.array([1 / s**2 if s > 2.58 else 1.0 for s in residuals])
        self._fit(weights * len(weights) / weights.sum())
        self.mean = exp(self.found[0])

    def _row(self, at, step, trend):
        since = (at - step + 3) % 52  # weeks since the last window of seven began
        level = 0 if since < 7 else 1 + (since - 7) // 5
        season = [1.0 if level == one else 0.0 for one in range(1, 10)]
        return [1.0, *([(at - step) / 100] if trend else []), *season]

    def _fit(self, weights):
        def minus(beta):
            eta = self.design @ beta
            return -(weights * (self.past * eta - np.exp(eta))).sum()

        def slope(beta):
            return -self.design.T @ (weights * (self.past - np.exp(self.design @ beta)))

        start = np.zeros(self.design.shape[1])
        start[0] = log(self.past.mean())
        options = {"gtol": 1e-9, "maxiter": 2000}
        self.found = minimize(minus, start, jac=slope, method="BFGS", options=options).x
        self.fitted, self.weights = np.exp(self.design @ self.found), weights
        freedom = len(self.past) - self.design.shape[1]
        pearson = weights * (self.past - self.fitted) ** 2 / self.fitted
        self.dispersion = max(pearson.sum() / freedom, 1.0)

    def _anscombe(self):
        rooted = np.sqrt(self.weights * self.fitted)[:, None] * self.design
        basis, _ = np.linalg.qr(rooted)
        hat = (basis**2).sum(axis=1)
        raw = 1.5 * (self.past ** (2 / 3) / self.fitted ** (1 / 6) - self.fitted**0.5)
        return raw / np.sqrt(self.dispersion * (1 - hat))

    def quantile(self, alpha):
        """Negative binomial, summed from 0 on."""
        phi, total = self.dispersion, 0.0
        size = self.mean / (phi - 1)
        for count in range(100_000):
            term = lgamma(count + size) - lgamma(size) - lgamma(count + 1)
            total += exp(term - size * log(phi) + count * log(1 - 1 / phi))
            if total >= 1 - alpha:
                return count
        raise AssertionError("no quantile")


@pytest.mark.parametrize("seed", range(4))
def test_the_bound_is_that_of_a_second_way(seed):
    counts = seasonal(5 * 52 + 8, dispersion=2.5, seed=seed, slope=-0.001)
    counts[[60, 61, 150]] += 60
    found = farrington_flexible(counts, years=5, start=5 * 52 + 5)
    for row in found.itertuples():
        other = SecondWay(counts, row.step, 5)
        assert row.expected == pytest.approx(other.mean, rel=1e-6)
        assert row.bound == other.quantile(0.005)
        usual = AllWeeks(5).expectation(counts, row.step)
        assert usual.dispersion == pytest.approx(other.dispersion, rel=1e-3)


def test_two_years_have_no_trend():
    counts = seasonal(2 * 52 + 4, dispersion=2.0, slope=0.005)
    found = farrington_flexible(counts, years=2).iloc[0]
    assert found["expected"] == pytest.approx(SecondWay(counts, 107, 2, trend=False).mean, rel=1e-6)


def test_the_levels_of_a_week_of_seven_days_by_hand():
    """The day itself and its neighbours; then two days, then two."""
    past = AllWeeks(1, half_window=1, period=7, levels=3, gap=0)
    offsets = np.arange(-8, 1)
    assert past.level_of(offsets).tolist() == [0, 0, 0, 1, 1, 2, 2, 0, 0]


def test_what_does_not_divide_goes_to_the_first_levels():
    past = AllWeeks(1, half_window=1, period=13, levels=5, gap=0)
    assert past.level_of(np.arange(-1, 12)).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 4]
    year = AllWeeks(1).level_of(np.arange(-3, 49))
    assert np.bincount(year).tolist() == [7] + [5] * 9


def test_each_level_has_the_mean_of_its_own_weeks():
    """Without a trend the mean is that of the same weeks of both years, 1 to 7 and 3 to 9."""
    counts = np.full(2 * 52 + 4, 40)
    step = len(counts) - 1
    counts[step - 104 - 3 : step - 104 + 4] = range(1, 8)
    counts[step - 52 - 3 : step - 52 + 4] = range(3, 10)
    assert farrington_flexible(counts, years=2)["expected"].iloc[0] == pytest.approx(5.0)


def test_a_level_series_has_the_quantile_of_poisson():
    counts = np.full(300, 9)
    found = farrington_flexible(counts, years=4, start=290, alpha=0.01)
    assert found["expected"].to_numpy() == pytest.approx(np.full(10, 9.0))
    assert (found["bound"] == poisson.isf(0.01, 9)).all()
    assert not found["alarm"].any()


def test_the_power_bound_is_the_formula_of_1996_one_sided():
    usual = AllWeeks(4).expectation(seasonal(212, dispersion=2.0), 211)
    found = farrington_flexible(
        seasonal(212, dispersion=2.0), years=4, method="delta", alpha=0.005
    ).iloc[0]
    spread = usual.dispersion + usual.error**2 / usual.mean
    deviation = np.sqrt(4 / 9 * usual.mean ** (1 / 3) * spread)
    bound = (usual.mean ** (2 / 3) + norm.isf(0.005) * deviation) ** 1.5
    assert found["bound"] == pytest.approx(bound)


def test_the_last_26_weeks_are_left_out_and_all_before_them_count():
    counts = seasonal(212)
    plain = farrington_flexible(counts, years=4)["expected"].iloc[0]
    for back, counted in [(1, False), (26, False), (27, True), (40, True), (211, True)]:
        other = counts.copy()
        other[211 - back] += 5
        changed = farrington_flexible(other, years=4)["expected"].iloc[0]
        assert (abs(changed - plain) > 1e-9) == counted


@pytest.mark.parametrize("back", [5, 30])
def test_an_outbreak_of_this_year_does_not_hide_a_new_one(back):
    """Nor in the method of 1996, which has none of these weeks; here those 30 ago have a weight."""
    counts = seasonal(212)
    counts[211] = 35
    outbreak = counts.copy()
    outbreak[211 - back : 214 - back] += 60
    old, new = (f(outbreak, years=4).iloc[0] for f in (farrington, farrington_flexible))
    assert old["alarm"] and new["alarm"]
    assert new["bound"] <= farrington_flexible(counts, years=4)["bound"].iloc[0] * 1.15


def test_growth_is_followed():
    counts = seasonal(212, slope=0.003)
    usual = 12 * np.exp(0.5 * np.sin(2 * np.pi * 211 / 52) + 0.003 * 211)
    expected = farrington_flexible(counts, years=4)["expected"].iloc[0]
    assert expected == pytest.approx(usual, rel=0.15)


def test_a_trend_that_leads_beyond_all_that_was_seen_is_left_out():
    steady = np.rint(10 * np.exp(0.004 * np.arange(212))).astype(int)
    same = steady[AllWeeks(4).times(211)].mean()
    assert farrington_flexible(steady, years=4)["expected"].iloc[0] == pytest.approx(same)
    falling = farrington_flexible(steady[::-1], years=4)["expected"].iloc[0]
    assert falling == pytest.approx(10, abs=1)


@few
@given(before=st.integers(0, 150), seed=st.integers(0, 99))
def test_what_lies_before_the_years_and_how_steps_are_numbered_is_irrelevant(before, seed):
    counts = seasonal(215, seed=seed, dispersion=1.5)
    moved = np.concatenate([np.full(before, 99), counts])
    plain = farrington_flexible(counts, years=4)
    later = farrington_flexible(moved, years=4, start=before + 211)
    assert (later["step"] - before).tolist() == plain["step"].tolist()
    pd.testing.assert_frame_equal(later.drop(columns="step"), plain.drop(columns="step"))


@few
@given(seed=st.integers(0, 999))
def test_without_a_trend_the_order_within_a_level_is_irrelevant(seed):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(6, 108)
    past, step = AllWeeks(2), 107
    times = np.arange(step - past.first, step - 26)
    other, level = counts.copy(), past.level_of(times - step)
    for one in range(10):
        at = times[level == one]
        other[at] = rng.permutation(counts[at])
    one, two = (past.expectation(c, step) for c in (counts, other))
    assert (one.mean, one.error, one.dispersion) == pytest.approx(
        (two.mean, two.error, two.dispersion)
    )


@few
@given(counts=sparse)
def test_few_cases_have_a_finite_bound_and_a_p(counts):
    found = farrington_flexible(counts, years=4)
    assert np.isfinite(found[["expected", "bound"]].to_numpy()).all()
    p = newest_farrington(counts, flexible=True).p_of(np.arange(50))
    assert ((p >= 0) & (p <= 1)).all() and (np.diff(p) <= 1e-12).all()


def test_weeks_without_a_case_in_any_year_tell_nothing_of_the_others():
    """A stream of the rainy half of the year: the dry levels have mean 0 and no dispersion."""
    step = 211
    season = (np.arange(212) - step + 3) % 52 < 27
    counts = np.where(season, seasonal(212, mean=8), 0)
    found = AllWeeks(4).expectation(counts, step)
    assert 4 < found.mean < 14
    assert found.dispersion < 1.5


def test_fewer_than_five_cases_in_four_weeks_raise_no_alarm():
    counts = np.zeros(212, int)
    counts[210:] = 2
    found = farrington_flexible(counts, years=4).iloc[0]
    assert found["bound"] == 0 and not found["alarm"]
    counts[210] = 3
    assert farrington_flexible(counts, years=4)["alarm"].iloc[0]


def test_the_outbreak_of_salmonella_agona_alarms(shared):
    salmonella = pd.read_csv(shared / "oracles" / "salmonella_agona.csv")["x"]
    found = farrington_flexible(salmonella, years=4, start=260)
    assert (found["step"][found["alarm"]] + 1).tolist() == [262, 263, 264]


def test_the_newest_week_has_the_same_mean_and_a_p_that_fits_the_bound():
    counts = seasonal(212, mean=40, dispersion=2.0)
    told = newest_farrington(counts, flexible=True)
    last = farrington_flexible(counts, years=4, alpha=0.01).iloc[-1]
    assert told.expected == pytest.approx(last["expected"])
    beyond = told.p_of(np.array([last["bound"], last["bound"] + 1]))
    assert beyond[0] > 0.006 and beyond[1] < 0.016
    assert newest_farrington(counts).expected != told.expected


@pytest.mark.parametrize(("mean", "dispersion"), [(10, 1), (10, 2.5)])
def test_a_quiet_season_alarms_about_as_often_as_alpha_says(mean, dispersion):
    alpha, alarms, rare = 0.05, 0, 0
    for seed in range(200):
        counts = seasonal(212 + seed % 52, mean, dispersion, seed)[seed % 52 :]
        alarms += farrington_flexible(counts, years=4, alpha=alpha)["alarm"].iloc[-1]
        rare += newest_farrington(counts, flexible=True).p <= alpha
    # Nominal 10, with a standard deviation of 3; counts are whole, so rather fewer.
    assert 2 <= alarms <= 19
    assert rare <= 17
