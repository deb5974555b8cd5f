"""Waiting for what is about to happen, on a busy machine too."""

import time
from collections.abc import Callable
from datetime import date, datetime, timedelta

from gis.clock import HERE


def wait_until(holds: Callable[[], bool], *, within_s: float = 60, every_s: float = 0.02) -> None:
    """Returns as soon as it holds; fails when it does not in time."""
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, f"it did not happen within {within_s} s"
        time.sleep(every_s)


def lasting_today(lasts: timedelta = timedelta(minutes=1)) -> date:
    """The date in Vietnam, once it goes on being that for so long: midnight is waited for."""
    while (now := datetime.now(HERE)).date() != (now + lasts).date():
        time.sleep(1)
    return now.date()
