"""What a layer's alerts would have been: its alarm day by day and its rules hour by hour, over the
rows as they are today. Nothing is stored.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from gis.alerts.deciding import local_day
from gis.alerts.findings import Findings
from gis.alerts.policy import DAYS_A_YEAR, Tier
from gis.alerts.replay import Ledger, Past
from gis.errors import BadInput
from layers.model import Layer, ThresholdRule
from layers.runs.replaying import past_findings, replay
from layers.runs.telling import RULE
from layers.thresholds import find_beyond

LONGEST = timedelta(days=400)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)

Show = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Backtest:
    """The alerts that would have been, and how many of the alarm's the budget allows."""

    layer: Layer
    since: datetime
    until: datetime
    alerts: tuple[Past, ...]  # people would have been told of them, in the order of opening
    pending: int  # did not hold for long enough

    @property
    def allowed(self) -> float:
        """False alerts of the alarm, in this time."""
        assert self.layer.alerts is not None
        return (
            self.layer.alerts.false_alerts_a_year
            * ((self.until - self.since) / _DAY)
            / (DAYS_A_YEAR)
        )

    @property
    def counted(self) -> int:
        """Alarms that count against the budget: of tier alert or urgent."""
        return sum(
            past.alert.rule == RULE and past.alert.told is not None
            and past.alert.told.tier is not Tier.WATCH
            for past in self.alerts
        )  # fmt: skip


def backtest(
    connection: Connection,
    layer: Layer,
    since: datetime,
    until: datetime,
    *,
    rule: str | None = None,
    show: Show = lambda done, total: None,
) -> Backtest:
    """Replay one rule (`scan` is the alarm), or all. Raises BadInput for a layer without alerts, an
    unknown rule, or a time that is no time.
    """
    rules = _chosen(layer, rule)
    if not timedelta(0) < until - since <= LONGEST:
        raise BadInput(
            f"from {since.isoformat()} to {until.isoformat()} is no time to look at: "
            f"it must be later, and within {LONGEST.days} days"
        )
    ledger = Ledger()
    looks = [
        _hourly(connection, layer, each, _instants(since, until, _HOUR), ledger) for each in rules
    ]
    if rule in (None, RULE) and layer.hotspots is not None and layer.hotspots.scan is not None:
        looks.append(_daily(connection, layer, since, until))
    for found in heapq.merge(*looks, key=lambda found: found.until):
        ledger.apply(found)
        show((found.until - since) // _HOUR, (until - since) // _HOUR)
    raised = tuple(ledger.raised())
    return Backtest(layer, since, until, raised, len(ledger.alerts) - len(raised))


def by_day(result: Backtest) -> list[dict[str, object]]:
    """Each day on which an alert opened: how many by tier, and how many lived at its end."""
    opened = sorted({local_day(past.opened_at) for past in result.alerts})
    rows: list[dict[str, object]] = []
    for day in opened:
        today = [past for past in result.alerts if local_day(past.opened_at) == day]
        tiers = [past.alert.told.tier for past in today if past.alert.told]
        counted = {tier.value: tiers.count(tier) for tier in Tier}
        live = sum(
            local_day(past.opened_at) <= day
            and (past.ended_at is None or local_day(past.ended_at) > day)
            for past in result.alerts
        )
        rows.append({"day": day.isoformat(), **counted, "live": live})
    return rows


def _chosen(layer: Layer, rule: str | None) -> list[ThresholdRule]:
    if layer.alerts is None:
        raise BadInput(f"layer {layer.id} has no section `alerts` in its file")
    rules = [each for each in layer.alerts.rules if rule in (None, each.id)]
    scans = layer.hotspots is not None and layer.hotspots.scan is not None
    if not rules and not (scans and rule in (None, RULE)):
        known = [*([RULE] if scans else []), *(each.id for each in layer.alerts.rules)]
        raise BadInput(f"layer {layer.id} has no rule {rule}; it has {', '.join(known)}")
    return rules


def _daily(
    connection: Connection, layer: Layer, since: datetime, until: datetime
) -> Iterator[Findings]:
    rows = connection.execute(text("SELECT code, full_name FROM layer.communes"))
    names = {row.code: row.full_name for row in rows}
    for look in replay(connection, layer, _instants(since, until, _DAY)):
        yield from past_findings(layer, look, names)


def _hourly(
    connection: Connection,
    layer: Layer,
    rule: ThresholdRule,
    instants: Sequence[datetime],
    ledger: Ledger,
) -> Iterator[Findings]:
    """Each look is made when those before it have been applied."""
    for moment in instants:
        kept = [each.signal.key for each in ledger.live() if each.rule == rule.id]
        yield find_beyond(connection, layer, rule, moment, [key for key in kept if key])


def _instants(since: datetime, until: datetime, step: timedelta) -> list[datetime]:
    """The ends of the steps, the last of which may be short."""
    steps = -((since - until) // step)
    return [min(since + step * n, until) for n in range(1, steps + 1)]
