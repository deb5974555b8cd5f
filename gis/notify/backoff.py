"""Waiting times between the attempts of a delivery."""

import random
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with jitter: first · 2^(n-1) after the n-th failure, at most `longest`,
    times 0.5 to 1.5.

    Jitter keeps deliveries that failed together from being tried together. With the defaults the
    last attempt is made after about half a day.
    """

    attempts: int = 20
    first: timedelta = timedelta(seconds=5)
    longest: timedelta = timedelta(hours=1)

    def wait(self, failures: int, chance: random.Random) -> timedelta | None:
        """The time until the next attempt after so many failures (from 1); None: there is none."""
        if failures >= self.attempts:
            return None
        doublings = min(failures - 1, 32)
        steady = min(self.first * (1 << doublings), self.longest)
        return steady * chance.uniform(0.5, 1.5)
