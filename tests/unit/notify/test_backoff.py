"""Retries: later and later, never at the same moment, and not for ever."""

import random
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from gis.notify.backoff import Backoff

FIRST, LONGEST = timedelta(seconds=5), timedelta(hours=1)


def waits(seed: int) -> list[timedelta]:
    retrying, chance = Backoff(20, FIRST, LONGEST), random.Random(seed)
    return [retrying.wait(failures, chance) for failures in range(1, 20)]


@given(seed=st.integers(0, 2**32))
def test_each_wait_is_within_a_half_of_twice_the_one_before(seed):
    for n, wait in enumerate(waits(seed)):
        steady = min(FIRST * 2**n, LONGEST)
        assert steady * 0.5 <= wait <= steady * 1.5


def test_two_that_failed_together_do_not_return_together():
    assert all(one != other for one, other in zip(waits(1), waits(2), strict=True))


def test_one_gives_up_at_the_last_attempt_after_about_half_a_day():
    assert Backoff().wait(20, random.Random(1)) is None
    assert Backoff().wait(19, random.Random(1)) is not None
    assert timedelta(hours=7) < sum(waits(3), timedelta()) < timedelta(hours=14)


@given(failures=st.integers(1, 10**9))
def test_however_often_it_failed_a_wait_is_no_longer_than_the_longest(failures):
    wait = Backoff(attempts=10**10).wait(failures, random.Random(failures))
    assert wait <= LONGEST * 1.5
