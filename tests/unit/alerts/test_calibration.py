"""When the alarms of a layer are out of band; the bounds by a table of the Poisson law."""

from dataclasses import replace

import pytest

from gis.alerts.calibration import Tally
from gis.alerts.precision import Outcomes

FAIR = Tally(
    layer_id="reports",
    days=365,
    simulated_days=0,
    alarms=4,
    answers=Outcomes(0, 0),
    allowed=4.0,
    p_values=(),
    spaced=tuple(n / 26 for n in range(1, 27)),
    spaced_least=tuple(n / 26 for n in range(1, 27)),
)


def faults(**changes) -> list[str]:
    return [english for _, english in replace(FAIR, **changes).faults()]


def test_what_the_budget_allows_is_in_band():
    assert faults() == []


# P(X ≥ 11) = .0028, P(X ≥ 12) = .0009 for a mean of 4.
@pytest.mark.parametrize(("alarms", "many"), [(11, False), (12, True)])
def test_too_many_alarms_are_a_fault(alarms, many):
    assert (faults(alarms=alarms) == ["12 alerts not found true in 365 days, budget 4.0"]) is many


# P(X ≤ 0) = .0010078 for a mean of 6.9, .0009 for 7: half of what the budget allows.
@pytest.mark.parametrize(("allowed", "deaf"), [(13.8, False), (14, True)])
def test_a_deaf_detector_is_a_fault(allowed, deaf):
    assert any("deaf" in one for one in faults(alarms=0, allowed=allowed)) is deaf


# P(X ≥ 6) = .0015, P(X ≥ 7) = .0002 for 26 trials at .05.
@pytest.mark.parametrize(("small", "told"), [(6, False), (7, True)])
def test_too_many_small_p_values_are_a_fault(small, told):
    spaced = (0.05,) * small + (0.5,) * (26 - small)
    assert (faults(spaced=spaced) == ["7 of 26 p-values are at most 0.05"]) is told


# As many, of p at most .05/3: a day is worth three looks, of which the rarest counts.
@pytest.mark.parametrize(("small", "told"), [(6, False), (7, True)])
def test_too_many_rare_evaluations_are_a_fault_though_the_last_of_each_day_is_common(small, told):
    least = (0.016,) * small + (0.017,) * (26 - small)
    words = ["7 of 26 least p-values of a day's evaluations, times 3, are at most 0.05"]
    assert (faults(spaced_least=least) == words) is told


def test_a_month_must_have_passed():
    assert faults(days=27, alarms=50, allowed=0.3) == []
    assert faults(days=28, alarms=50, allowed=0.3)


@pytest.mark.parametrize(("p_values", "worth"), [(5, 1), (280, 20)])
def test_p_values_of_neighbouring_days_are_worth_one_a_fortnight(p_values, worth):
    assert replace(FAIR, p_values=(0.5,) * p_values).worth == worth
