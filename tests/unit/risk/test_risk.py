"""Levels of risk: each row of the law, each gap, second opinions, and planted events."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import BadInput
from gis.risk.law import DECISION_18_2021, RiskLevel, read_risk_table
from gis.risk.second_opinions import (
    LOCAL_THRESHOLDS,
    antecedent_rain_index,
    lhasa,
    usual_index,
)
from gis.risk.verification import verify

TABLE = read_risk_table()
LOW, MEDIUM, HIGH, VERY_HIGH = 1, 2, 3, 4


@pytest.mark.parametrize(
    ("rain", "days", "place", "level"),
    [
        (100, 1, LOW, 1),
        (200, 2, MEDIUM, 1),
        (150, 1, HIGH, 2),
        (250, 3, LOW, 1),
        (400, 9, LOW, 1),
        (99.9, 5, VERY_HIGH, RiskLevel.NONE),
        # What could not be read in the text is not guessed.
        (150, 1, VERY_HIGH, RiskLevel.UNKNOWN),
        (150, 0, LOW, RiskLevel.UNKNOWN),
        (150, 3, LOW, RiskLevel.UNKNOWN),
        (250, 3, MEDIUM, RiskLevel.UNKNOWN),
        (250, 2, LOW, RiskLevel.UNKNOWN),
        (401, 3, LOW, RiskLevel.UNKNOWN),
        (np.nan, 1, LOW, RiskLevel.UNKNOWN),
        (150, np.nan, LOW, RiskLevel.UNKNOWN),
        (150, 1, np.nan, RiskLevel.UNKNOWN),
        (20, np.nan, np.nan, RiskLevel.NONE),
    ],
)
def test_each_row_and_each_gap_of_article_46(rain, days, place, level):
    assert TABLE.levels(rain, days, place) == level


@given(rain=st.floats(0, 800), days=st.integers(0, 10), place=st.integers(1, 4))
def test_a_level_is_always_that_of_a_row_with_its_article(rain, days, place):
    level = int(TABLE.levels(rain, days, place))
    if level > 0:
        rows = [row for row in TABLE.rows if row.level == level and place in row.susceptibility]
        assert any(row.days[0] <= days <= row.days[1] and rain <= row.rain_mm[1] for row in rows)
    assert all(row.article.startswith("46") for row in TABLE.rows)
    assert (TABLE.decision, TABLE.region) == ("18/2021/QĐ-TTg", 1)


def test_a_row_that_is_added_closes_a_gap_and_one_that_contradicts_is_refused(tmp_path):
    text = DECISION_18_2021.read_text()
    more = (
        '\n[[levels]]\nlevel = 3\narticle = "46"\nrain_mm = [100, 200]\ndays = [1, 2]\n'
        "susceptibility = [4]\n"
    )
    path = tmp_path / "table.toml"
    path.write_text(text + more)
    assert read_risk_table(path).levels(150, 1, VERY_HIGH) == 3
    path.write_text(text + more.replace("[4]", "[3, 4]"))
    with pytest.raises(BadInput, match="levels 2 and 3 hold the same case"):
        read_risk_table(path)
    path.write_text(text + more.replace("level = 3", "level = 9"))
    with pytest.raises(BadInput, match="row 4"):
        read_risk_table(path)


def test_the_index_of_lhasa_weighs_days_by_inverse_squares():
    days = np.zeros((7, 1))
    days[-1] = 49
    weights = 1 / np.arange(1, 8) ** 2
    assert antecedent_rain_index(days) == pytest.approx([49 / weights.sum()])
    assert antecedent_rain_index(np.full((9, 2), 12.0)) == pytest.approx([12, 12])
    assert np.isnan(antecedent_rain_index(np.zeros((6, 1)))).all()


def test_lhasa_is_wet_and_susceptible():
    assert lhasa([10, 10, 10, 1, np.nan], [5] * 5, [2, 3, 5, 5, 5]).tolist() == [0, 1, 2, 0, -1]
    assert np.isnan(usual_index(np.zeros((364, 2)))).all()
    assert usual_index(np.full((365, 2), 3.0)) == pytest.approx([3, 3])


def test_local_thresholds_are_those_that_were_published():
    ha_giang, mai_chau = LOCAL_THRESHOLDS
    days = np.zeros((11, 3))
    days[-1] = [40.8, 40.9, 129]
    assert ha_giang.is_reached(days).tolist() == [0, 1, 1]
    assert mai_chau.is_reached(days).tolist() == [0, 0, 1]
    days[-1, 0] = np.nan
    assert ha_giang.is_reached(days)[0] == -1
    assert mai_chau.is_reached(days[-5:]).tolist() == [-1, -1, -1]


def test_planted_events_are_hits_misses_and_false_alarms():
    levels = np.array([[0, 1, 2, -1], [2, 0, 1, -1]])
    events = np.array([[0, 1, 0, 1], [1, 1, 0, 0]])
    score = verify(levels, events, from_level=1)
    assert (score.hits, score.misses, score.false_alarms, score.quiet) == (2, 1, 2, 1)
    assert (score.unknown, score.events_unknown) == (2, 1)
    assert score.hit_rate == pytest.approx(2 / 3)
    assert score.false_alarm_ratio == pytest.approx(1 / 2)
    assert score.critical_success == pytest.approx(2 / 5)
    none = verify(np.zeros((2, 2)), np.zeros((2, 2)), from_level=1)
    assert (none.hit_rate, none.false_alarm_ratio, none.critical_success) == (None, None, None)
