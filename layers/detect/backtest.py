"""A layer's alerts as they would have been: its alarms report by report and its rules hour by hour,
over the rows as they are today. Nothing is stored.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from gis.alerts.engine import local_day
from gis.alerts.findings import Findings
from gis.alerts.gathering import SITUATION
from gis.alerts.identity import shares_most
from gis.alerts.policy import DAYS_A_YEAR, Tier
from gis.alerts.replay import ReplayedAlert, ReplayedAlerts
from gis.clock import HERE
from gis.errors import BadInput
from layers.definition.model import Layer, RiskRule, RowRule
from layers.detect.budget import STATISTICAL
from layers.detect.findings_late import LATE, UNDATED
from layers.detect.injection import Injection
from layers.detect.methods import alarms_of
from layers.detect.observations import commune_names
from layers.detect.replay import past_findings, replay
from layers.detect.thresholds import find_beyond
from layers.storage.tables import table_of

LONGEST = timedelta(days=400)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)

Show = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Backtest:
    """The alerts that would have been, and how many of the alarms' the budget allows."""

    layer: Layer
    since: datetime
    until: datetime
    alerts: tuple[
        ReplayedAlert, ...
    ]  # recipients would have been notified of them, in the order of opening
    pending: int  # did not hold for long enough
    records: int  # of the layer that are of this time

    @property
    def allowed(self) -> float:
        """False alerts of the alarms, in this time."""
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
            past.alert.rule in STATISTICAL and past.alert.last_notification is not None
            and past.alert.last_notification.tier is not Tier.WATCH
            for past in self.alerts
        )  # fmt: skip


def backtest(
    connection: Connection,
    layer: Layer,
    since: datetime,
    until: datetime,
    *,
    rule: str | None = None,
    injection: Injection | None = None,
    show: Show = lambda done, total: None,
) -> Backtest:
    """Replay one rule, or all: `scan` and `series` are the alarms, `situation` is above them, and
    `held_back` and `undated` are what they do not judge. `injection`: records that the alarms are
    given beside those of the layer; rules that a person wrote do not see them.

    Raises BadInput for a layer without alerts, an unknown rule, or a time that is no time.
    """
    rules = _chosen(layer, rule)
    if not timedelta(0) < until - since <= LONGEST:
        raise BadInput(
            f"from {_as_clock(since)} to {_as_clock(until)} is no time for a backtest: "
            f"it must be later, and within {LONGEST.days} days"
        )
    if injection is not None:
        _check_category(layer, injection)
    ledger = ReplayedAlerts()
    evaluations = [
        _hourly(connection, layer, each, _instants(since, until, _HOUR), ledger) for each in rules
    ]
    if alarms := _alarms(layer, rule):
        evaluations.append(_reported(connection, layer, alarms, since, until, injection))
    for found in heapq.merge(*evaluations, key=lambda found: found.until):
        ledger.apply(found)
        show((found.until - since) // _HOUR, (until - since) // _HOUR)
    raised = tuple(ledger.raised())
    records = _count(connection, layer, since, until)
    return Backtest(layer, since, until, raised, len(ledger.alerts) - len(raised), records)


def _check_category(layer: Layer, injection: Injection) -> None:
    name = layer.hotspots.category if layer.hotspots else None
    known = list(layer.fields[name].values or {}) if name else []
    if known and injection.category not in known:
        raise BadInput(
            f"there is no category {injection.category!r} of {layer.id} to inject; end it with one "
            f"of {', '.join(known)}"
        )


def seen_injected(result: Backtest, injection: Injection) -> ReplayedAlert | None:
    """The first alert of tier alert or urgent that rests mostly on injected records; None: none
    would have been seen.
    """
    return next(
        (
            past
            for past in result.alerts
            if past.alert.last_notification is not None
            and past.alert.last_notification.tier is not Tier.WATCH
            and shares_most(past.alert.signal.records, range(-injection.count, 0))
        ),
        None,
    )


def by_day(result: Backtest) -> list[dict[str, object]]:
    """Each day on which an alert opened: how many by tier, and how many lived at its end."""
    opened = sorted({local_day(past.opened_at) for past in result.alerts})
    rows: list[dict[str, object]] = []
    for day in opened:
        today = [past for past in result.alerts if local_day(past.opened_at) == day]
        tiers = [
            past.alert.last_notification.tier for past in today if past.alert.last_notification
        ]
        counted = {tier.value: tiers.count(tier) for tier in Tier}
        live = sum(
            local_day(past.opened_at) <= day
            and (past.ended_at is None or local_day(past.ended_at) > day)
            for past in result.alerts
        )
        rows.append({"day": day.isoformat(), **counted, "live": live})
    return rows


def _as_clock(moment: datetime) -> str:
    return moment.astimezone(HERE).strftime("%H:%M %d/%m/%Y")


def _count(connection: Connection, layer: Layer, since: datetime, until: datetime) -> int:
    of = table_of(layer)
    inside = select(func.count()).where(of.c.valid_at >= since, of.c.valid_at < until)
    return connection.execute(inside).scalar_one()


def _chosen(layer: Layer, rule: str | None) -> list[RowRule]:
    if layer.alerts is None:
        raise BadInput(f"layer {layer.id} has no section `alerts` in its file")
    rules = [each for each in layer.alerts.rules if rule in (None, each.id)]
    if not rules and not _alarms(layer, rule):
        known = [*_alarms(layer, None), *(each.id for each in layer.alerts.rules)]
        raise BadInput(f"layer {layer.id} has no rule {rule}; it has {', '.join(known)}")
    if rule is not None and any(isinstance(each, RiskRule) for each in rules):
        raise BadInput(f"{rule} is of rasters: `gis risk verify` holds it against recorded events")
    return [each for each in rules if not isinstance(each, RiskRule)]


def _alarms(layer: Layer, rule: str | None) -> list[str]:
    """The rules of the layer's alarms, of situations, and of what is held back from alarms.

    `rule` names one; None: all.
    """
    rules = [each for each, method in STATISTICAL.items() if method in alarms_of(layer)]
    others = [SITUATION, LATE, UNDATED] if rules else []
    return [each for each in [*rules, *others] if rule in (None, each)]


def _reported(
    connection: Connection,
    layer: Layer,
    alarms: list[str],
    since: datetime,
    until: datetime,
    injection: Injection | None,
) -> Iterator[Findings]:
    names = commune_names(connection)
    for past in replay(connection, layer, since, until, injection):
        yield from (each for each in past_findings(layer, past, names) if each.rule in alarms)


def _hourly(
    connection: Connection,
    layer: Layer,
    rule: RowRule,
    instants: Sequence[datetime],
    ledger: ReplayedAlerts,
) -> Iterator[Findings]:
    """Each evaluation is made when those before it have been applied."""
    for moment in instants:
        live = [each.signal.key for each in ledger.live() if each.rule == rule.id]
        yield find_beyond(connection, layer, rule, moment, [key for key in live if key])


def _instants(since: datetime, until: datetime, step: timedelta) -> list[datetime]:
    """The ends of the steps, the last of which may be short."""
    steps = -((since - until) // step)
    return [min(since + step * n, until) for n in range(1, steps + 1)]
