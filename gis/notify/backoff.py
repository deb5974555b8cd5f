"""When a delivery that failed is tried again."""

import random
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Backoff:
    """After the n-th failure one waits first · 2^(n-1), at most `longest`, give or take a half.

    The chance in it keeps many deliveries that failed together from returning together. With the
    defaults one gives up after about half a day.
    """

    attempts: int = 20
    first: timedelta = timedelta(seconds=5)
    longest: timedelta = timedelta(hours=1)

    def wait(self, failures: int, chance: random.Random) -> timedelta | None:
        """How long to wait after so many failures (from 1); None: give up."""
        if failures >= self.attempts:
            return None
        doublings = min(failures - 1, 32)
        steady = min(self.first * (1 << doublings), self.longest)
        return steady * chance.uniform(0.5, 1.5)
