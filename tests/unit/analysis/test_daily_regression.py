"""The newest day against its like: weekdays, marked days, quiet weeks and shares of a stream."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gis.analysis import MarkedDays, newest_ears, newest_regression, usual_days
from gis.errors import BadInput

WEEK = np.array([28, 22, 21, 20, 20, 14, 8])  # Monday first
DAYS = 171


def calendar(length: int = DAYS, marked=(), last_weekday: int = 6, unknown: float = 0.0):
    """Days that end on a weekday, of which those so long ago are marked."""
    ago = np.arange(length)[::-1]
    marks = np.isin(ago, list(marked))[:, None]
    return MarkedDays((last_weekday - ago) % 7, marks, np.array([unknown]))


def weekly(days: MarkedDays) -> np.ndarray:
    return WEEK[days.weekday]


@pytest.mark.parametrize("weekday", range(7))
def test_a_day_is_expected_to_have_what_its_weekday_has(weekday):
    days = calendar(last_weekday=weekday)
    found = newest_regression(weekly(days), days)
    assert found.expected == pytest.approx(WEEK[weekday], rel=0.02)
    assert 0.4 < found.p < 0.6


def test_a_rise_of_five_deviations_is_seen_on_a_sunday_that_ears_does_not_see():
    days = calendar(last_weekday=6)
    counts = weekly(days)
    counts[-1] += round(5 * np.sqrt(counts[-1]))  # 22 in place of 8, as on any Tuesday
    assert newest_regression(counts, days).p < 0.001
    assert newest_ears(counts).p > 0.2


def test_a_monday_as_any_is_no_rise_where_ears_takes_it_for_one():
    days = calendar(last_weekday=0)
    counts = np.where(days.weekday == 0, 60, 20)
    assert newest_regression(counts, days).p > 0.4
    assert newest_ears(counts).p < 0.02


@pytest.mark.parametrize("after", range(1, 21))
def test_nine_quiet_holidays_do_not_blind_the_days_after_them(after):
    """A fifth of the usual on nine days of Tết, which ended so many days ago."""
    tet = range(after, after + 9)
    days = calendar(marked=tet, last_weekday=2)
    counts = weekly(days)
    counts[DAYS - after - 9 : DAYS - after] //= 5
    assert newest_regression(counts, days).expected == pytest.approx(WEEK[2], rel=0.05)
    counts[-1] += round(5 * np.sqrt(WEEK[2]))
    assert newest_regression(counts, days).p < 0.001


def test_a_holiday_is_expected_to_be_as_those_before_were():
    """Eight days of a fifth a year ago, and the first of them again today."""
    days = calendar(537, marked=[0, *range(365, 373)])
    counts = weekly(days)
    counts[days.marks[:, 0]] //= 5
    found = newest_regression(counts, days)
    assert found.expected == pytest.approx(WEEK[6] / 5, rel=0.15)
    risen = counts.copy()
    risen[-1] = WEEK[6]
    assert newest_regression(risen, days).p < found.p / 10


def test_a_mark_that_was_never_seen_changes_nothing_but_the_doubt():
    known, doubted = (calendar(marked=[0], unknown=unknown) for unknown in (0.0, 0.5))
    counts = weekly(known)
    counts[-1] *= 3
    sure, unsure = (newest_regression(counts, days) for days in (known, doubted))
    assert sure.expected == pytest.approx(unsure.expected) == pytest.approx(WEEK[6], rel=0.02)
    assert sure.p < 1e-3 < unsure.p


def test_one_outbreak_of_the_past_hides_no_other():
    days = calendar()
    quiet, risen = weekly(days), weekly(days)
    risen[-15] += 100
    for counts in (quiet, risen):
        counts[-1] += 20
    assert newest_regression(risen, days).p < 10 * newest_regression(quiet, days).p


def test_a_series_of_few_takes_its_week_from_its_stream():
    """A tenth of the stream, spread evenly: a Monday has three and a half times a Sunday."""
    for weekday, share in ((0, 28 / 133), (6, 8 / 133)):
        days = calendar(last_weekday=weekday)
        stream = usual_days(weekly(days), days)
        few = (np.arange(DAYS) % 5 == 0).astype(int)
        found = newest_regression(few, days, stream)
        assert found.expected == pytest.approx(0.2 * 7 * share, rel=0.15)


def test_a_series_without_any_past_is_judged_by_its_few_counts():
    days = calendar()
    counts = np.zeros(DAYS, int)
    counts[-1] = 3
    stream = usual_days(weekly(days), days)
    for usual in (None, stream):
        found = newest_regression(counts, days, usual)
        assert (found.observed, found.expected) == (3, 0.0)
        assert found.p == pytest.approx(1 / 57**3)


def test_a_past_under_four_weeks_is_not_judged():
    for length, judged in ((30, False), (31, True)):
        days = calendar(length)
        assert (newest_regression(weekly(days), days) is not None) == judged


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 9), min_size=70, max_size=70).map(np.array), st.integers(0, 20))
def test_more_is_never_less_rare_and_the_bound_is_the_least_that_is_as_rare(counts, least):
    found = newest_regression(counts, calendar(70, marked=[0, 1, 20, 21, 22, 40, 41]))
    p = found.p_of(np.arange(60))
    assert (np.diff(p) <= 1e-12).all()
    assert ((p >= 0) & (p <= 1)).all()
    bound = found.bound(0.001, least)
    assert bound >= least
    assert found.p_of(np.array([bound]))[0] <= 0.001
    if bound > least:
        assert found.p_of(np.array([bound - 1]))[0] > 0.001


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 6), st.integers(2, 5))
def test_twice_the_counts_are_expected_where_the_past_has_twice_as_many(weekday, times):
    days = calendar(last_weekday=weekday)
    one, more = (newest_regression(n * weekly(days), days).expected for n in (1, times))
    assert more == pytest.approx(times * one, rel=0.03)


def test_what_is_no_series_is_refused():
    days = calendar()
    with pytest.raises(BadInput, match="171 counts have a calendar of 70 days"):
        newest_regression(weekly(days), calendar(70))
    with pytest.raises(BadInput, match="counts"):
        newest_regression(weekly(days) / 3, days)
