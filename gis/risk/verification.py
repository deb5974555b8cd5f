"""Verification of daily levels against recorded events: hits, misses, false alarms."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class RiskScore:
    """Counts of place-days, and what they give; None where there is nothing to divide by.

    `hit_rate` of events that were warned of; `false_alarm_ratio` of warnings without an event;
    `critical_success` of hits among all that was warned of or happened (Wilks 2019, ch. 9).
    `unknown` place-days had no level, and events among them are neither hits nor misses.
    """

    hits: int
    misses: int
    false_alarms: int
    quiet: int
    unknown: int
    events_unknown: int

    @property
    def hit_rate(self) -> float | None:
        return _share(self.hits, self.hits + self.misses)

    @property
    def false_alarm_ratio(self) -> float | None:
        return _share(self.false_alarms, self.hits + self.false_alarms)

    @property
    def critical_success(self) -> float | None:
        return _share(self.hits, self.hits + self.misses + self.false_alarms)


def verify(levels: ArrayLike, events: ArrayLike, from_level: int) -> RiskScore:
    """The score of warnings from a level on; both of shape (days, places), events true or false."""
    level, happened = np.broadcast_arrays(np.asarray(levels), np.asarray(events, np.bool_))
    unknown, warned = level < 0, level >= from_level
    return RiskScore(
        hits=int((warned & happened).sum()),
        misses=int((~warned & ~unknown & happened).sum()),
        false_alarms=int((warned & ~happened).sum()),
        quiet=int((~warned & ~unknown & ~happened).sum()),
        unknown=int(unknown.sum()),
        events_unknown=int((unknown & happened).sum()),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
