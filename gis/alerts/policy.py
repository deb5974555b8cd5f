"""Policy of a layer's alerts: thresholds, identity, closing, notification, escalation.

Every number is a setting of the layer's file; the defaults are those of the specification.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

DAYS_A_YEAR = 365.0
# Each report is evaluated, and any evaluation may alarm: the rarest of a day is about as rare as a
# single one in three days. Measured on quiet days (docs/calibration.md).
EVALUATIONS_A_DAY = 3.0


class Tier(StrEnum):
    """The urgency of an alert: watch it, act on it, act at once."""

    WATCH = "watch"
    ALERT = "alert"
    URGENT = "urgent"

    @property
    def rank(self) -> int:
        return list(Tier).index(self)


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings of one layer's alerts. Recurrence intervals are in days."""

    streams: int = 1  # how many detectors share the budget
    false_alerts_a_year: float = 4.0
    watch_days: float = 30.0
    urgent_factor: float = 10.0
    urgent_min_count: float = 5.0
    urgent_min_ratio: float = 2.0  # observed to expected
    hold: timedelta = timedelta(0)  # how long evidence must hold until its alert opens
    same_jaccard: float = 0.3
    same_gap: timedelta = timedelta(days=3)
    close_share: float = 1 / 3  # of the recurrence interval that opened it
    close_days: int | None = 3  # days whose evidence is weaker; None: they do not close it
    quiet: timedelta = timedelta(days=14)
    notify_llr: float = 2.0
    inhibit: bool = True  # alerts of units by a cluster that covers them
    escalate_urgent: timedelta | None = timedelta(minutes=15)
    escalate_alert: timedelta | None = timedelta(hours=4)

    @property
    def alert_days(self) -> float:
        """The least recurrence interval of an alert: 365·K/F."""
        return DAYS_A_YEAR * self.streams / self.false_alerts_a_year

    def tier(
        self, recurrence_days: float, observed: float, expected: float | None = None
    ) -> Tier | None:
        """The tier of a statistical signal; None below the least.

        Urgent needs urgent_factor times the interval of an alert and, of the counts themselves,
        urgent_min_count and urgent_min_ratio.
        """
        if recurrence_days < self.alert_days:
            return Tier.WATCH if recurrence_days >= self.watch_days else None
        much = observed >= self.urgent_min_count
        manifold = expected is None or observed >= self.urgent_min_ratio * expected
        rare = recurrence_days >= self.urgent_factor * self.alert_days
        return Tier.URGENT if rare and much and manifold else Tier.ALERT

    def keeps(self, tier: Tier, recurrence_days: float | None) -> bool:
        """True if evidence is strong enough to keep an alert of this tier alive."""
        if recurrence_days is None:
            return True
        opened_at = self.watch_days if tier is Tier.WATCH else self.alert_days
        return recurrence_days >= self.close_share * opened_at

    def escalates_after(self, tier: Tier) -> timedelta | None:
        """The time within which somebody must acknowledge it; None: there is no limit."""
        waits = {Tier.URGENT: self.escalate_urgent, Tier.ALERT: self.escalate_alert}
        return waits.get(tier)
