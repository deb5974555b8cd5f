"""Precision of alerts: the share that was true, by those who resolved them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The numbers of alerts that people found true and false; unknown ones are neither."""

    true: int
    false: int

    @property
    def share_true(self) -> float | None:
        """Share of true alerts among those found true or false, 0–1; None without any."""
        judged = self.true + self.false
        return self.true / judged if judged else None

    @property
    def interval(self) -> tuple[float, float]:
        """Jeffreys' 95 % interval of that share (Brown, Cai, DasGupta 2001)."""
        from scipy.special import betaincinv

        true, false = self.true, self.false
        low = float(betaincinv(true + 0.5, false + 0.5, 0.025)) if true else 0.0
        high = float(betaincinv(true + 0.5, false + 0.5, 0.975)) if false else 1.0
        return low, high


@dataclass(frozen=True, slots=True)
class RulePrecision:
    """The answers about the alerts of one rule of one layer."""

    layer_id: str
    rule: str
    simulated: bool
    alerts: int  # that were notified
    answers: Outcomes
    unknown: int


_COUNT = text("""
SELECT layer_id, rule, simulated, count(*) AS alerts,
       count(*) FILTER (WHERE outcome = 'true') AS true,
       count(*) FILTER (WHERE outcome = 'false') AS false,
       count(*) FILTER (WHERE outcome = 'unknown') AS unknown
FROM gis.alert
WHERE layer_id = ANY(:layers) AND opened_at >= :since AND last_notification IS NOT NULL
  AND NOT gis.is_internal(rule)
GROUP BY layer_id, rule, simulated ORDER BY layer_id, rule, simulated
""")


def precision(
    connection: Connection, layers: Sequence[str], since: datetime
) -> list[RulePrecision]:
    """The precision of the rules of these layers since a moment, simulated alerts apart."""
    rows = connection.execute(_COUNT, {"layers": list(layers), "since": since})
    return [
        RulePrecision(
            layer_id=row.layer_id,
            rule=row.rule,
            simulated=row.simulated,
            alerts=row.alerts,
            answers=Outcomes(row.true, row.false),
            unknown=row.unknown,
        )
        for row in rows
    ]
