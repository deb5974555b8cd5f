"""Two periods: known figures, symmetry, and the sum of probabilities as a second way."""

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layers.processes.operations.change import compared


def two_sided(k: int, n: int, p: float) -> float:
    """The probability of all that is no likelier than k of n."""
    chances = [comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(n + 1)]
    return sum(chance for chance in chances if chance <= chances[k] * (1 + 1e-7))


@given(st.integers(0, 40), st.integers(0, 40), st.floats(1, 400), st.floats(1, 400))
def test_p_is_the_sum_of_what_is_no_likelier(one, other, days, more_days):
    (row,) = compared([one], [other], days, more_days, 0.05)
    share = more_days / (days + more_days)
    wanted = two_sided(other, one + other, share) if one + other else 1
    assert row["p"] == pytest.approx(min(wanted, 1), rel=1e-6, abs=1e-12)


@given(st.integers(1, 99), st.integers(1, 99))
def test_the_reverse_is_the_reverse(one, other):
    (ahead,), (back,) = (compared(*each, 0.05) for each in (
        ([one], [other], 30, 60), ([other], [one], 60, 30),
    ))  # fmt: skip
    assert ahead["p"] == pytest.approx(back["p"])
    assert ahead["ratio"] == pytest.approx(1 / back["ratio"])
    assert ahead["ratio_low"] == pytest.approx(1 / back["ratio_high"])
    words = {"more": "fewer", "fewer": "more", "unclear": "unclear"}
    assert ahead["change"] == words[back["change"]]


def test_by_hand():
    """Ten against none in as many days: p = 2 / 2^10."""
    none, twice, same = compared([0, 10, 5], [10, 20, 5], 30, 30, 0.05)
    assert none["p"] == pytest.approx(2 / 1024)
    assert (none["ratio"], none["ratio_high"]) == (None, None)
    assert none["change"] == "more"
    assert twice["ratio"] == 2 and twice["ratio_low"] < 2 < twice["ratio_high"]
    assert twice["change"] == "unclear"
    assert (same["p"], same["change"]) == (1, "unclear")


def test_many_areas_ask_for_more():
    """Benjamini and Hochberg: q = p · m / rank, no smaller than that of smaller p."""
    rows = compared([0] * 20, [6] + [1] * 19, 30, 30, 0.05)
    assert rows[0]["p"] < 0.05
    assert rows[0]["q"] == pytest.approx(min(rows[0]["p"] * 20, 1))
    assert {row["change"] for row in rows} == {"unclear"}


def test_twice_as_long_is_no_change():
    (row,) = compared([30], [60], 30, 60, 0.05)
    assert row["ratio"] == 1 and row["p"] > 0.9
