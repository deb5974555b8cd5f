"""Suitability: scores by hand, Saaty's own example, and judgements that contradict themselves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import BadInput
from layers.processes.operations.suitability import ahp, contributions


def test_scores_by_hand():
    values = np.array([[0.0, 100.0], [50.0, 50.0], [np.nan, 0.0], [200.0, -5.0]])
    parts = contributions(
        values.copy(), np.array([0.0, 100.0]), np.array([100.0, 0.0]), np.array([0.75, 0.25])
    )
    assert parts.tolist() == [[0, 0], [0.375, 0.125], [0, 0.25], [0.75, 0.25]]


@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=8))
def test_consistent_judgements_give_back_their_weights(weights):
    wanted = np.array(weights) / sum(weights)
    found, ratio = ahp(wanted[:, None] / wanted[None, :])
    assert found == pytest.approx(wanted, rel=1e-6)
    assert ratio < 1e-6


def test_a_published_example():
    """Saaty (1980), the choice of a school by six criteria; he gives weights to two digits."""
    judgements = np.array([
        [1, 4, 3, 1, 3, 4], [1 / 4, 1, 7, 3, 1 / 5, 1], [1 / 3, 1 / 7, 1, 1 / 5, 1 / 5, 1 / 6],
        [1, 1 / 3, 5, 1, 1, 1 / 3], [1 / 3, 5, 5, 1, 1, 3], [1 / 4, 1, 6, 3, 1 / 3, 1],
    ])  # fmt: skip
    weights, ratio = ahp(judgements)
    assert weights == pytest.approx([0.32, 0.14, 0.03, 0.13, 0.24, 0.14], abs=0.01)
    assert ratio == pytest.approx(0.24, abs=0.015)


def test_what_is_not_reciprocal_is_refused():
    with pytest.raises(BadInput, match="reciprocal"):
        ahp(np.array([[1.0, 2.0], [2.0, 1.0]]))
    with pytest.raises(BadInput, match="reciprocal"):
        ahp(np.array([[1.0, -2.0], [-0.5, 1.0]]))
