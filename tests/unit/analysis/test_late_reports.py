"""Events of the last days before all their reports have come, against what came in the end."""

import numpy as np
import pytest

from gis.analysis import nowcast
from gis.errors import BadInput

DELAYS = np.array([0.5, 0.2, 0.12, 0.08, 0.04, 0.03, 0.02, 0.01])  # by days


def reports(per_day: float, seed: int, days: int = 120) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    happened = np.repeat(np.arange(days), random.poisson(per_day, days))
    return happened, happened + random.choice(len(DELAYS), len(happened), p=DELAYS)


def test_completeness_by_hand():
    """Two of three events of a day come on it, the third on the next; today has had four."""
    happened = np.array([*[0] * 3, *[1] * 3, *[2] * 4])
    received = happened + np.array([0, 0, 1, 0, 0, 1, 0, 0, 0, 0])
    found = nowcast(happened, received, last_day=2, window=3, longest=1)
    assert found["day"].tolist() == [1, 2]
    assert found["reported"].tolist() == [3, 4]
    assert found["completeness"].tolist() == pytest.approx([1, 2 / 3])
    assert found["expected"].tolist() == pytest.approx([3, 6])
    assert found["low"].tolist()[0] == found["high"].tolist()[0] == 3
    assert found["low"][1] >= 4 and found["high"][1] > 6


@pytest.mark.parametrize("per_day", [3.0, 30.0])
def test_what_is_expected_comes_in_the_end(per_day):
    inside, expected, truth = [], [], []
    for seed in range(4):
        happened, received = reports(per_day, seed)
        total = np.bincount(happened, minlength=120)
        for today in range(60, 119, 3):
            known = received <= today
            found = nowcast(happened[known], received[known], last_day=today, longest=7)
            found = found[found["completeness"] < 0.999]
            of = total[found["day"]]
            inside += ((found["low"] <= of) & (of <= found["high"])).tolist()
            expected += found["expected"].tolist()
            truth += of.tolist()
    assert np.mean(inside) == pytest.approx(0.95, abs=0.04)
    assert np.sum(expected) == pytest.approx(np.sum(truth), rel=0.03)


def test_the_law_of_delays_is_found_again():
    happened, received = reports(200.0, 1)
    known = received <= 119
    found = nowcast(happened[known], received[known], last_day=119, longest=7)
    share = found["completeness"].to_numpy()[::-1]
    assert share == pytest.approx(np.cumsum(DELAYS), abs=0.01)


def test_a_day_without_reports_may_still_have_some():
    happened, received = reports(5.0, 2)
    known = (received <= 100) & (happened != 100)
    newest = nowcast(happened[known], received[known], last_day=100).iloc[-1]
    assert (newest["reported"], newest["expected"], newest["low"]) == (0, 0, 0)
    assert newest["high"] >= 1


def test_without_any_report_nothing_is_late():
    found = nowcast([], [], last_day=9, longest=3)
    assert found["reported"].tolist() == [0] * 4
    assert found["day"].tolist() == [6, 7, 8, 9]


@pytest.mark.parametrize(
    ("happened", "received", "options"),
    [([3], [2], {}), ([3], [11], {}), ([3, 4], [3], {}), ([3], [3], {"longest": 0})],
)
def test_what_cannot_be_is_refused(happened, received, options):
    with pytest.raises(BadInput):
        nowcast(happened, received, last_day=10, **options)
