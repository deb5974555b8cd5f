"""Findings become alerts, inside the caller's transaction."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from gis.alerts.engine import AlertState, Step, decide, settle
from gis.alerts.findings import Findings
from gis.alerts.inhibition import INHIBITS, Suppressions
from gis.alerts.policy import Policy
from gis.alerts.silences import silences_at
from gis.alerts.states import Act
from gis.alerts.store import (
    alerts_of_stream,
    inhibited_alerts,
    last_evaluation,
    live_alerts,
    lock_alerts,
    record_evaluation,
    write_step,
)


@dataclass(frozen=True, slots=True)
class AlertChanges:
    """The numbers of the alerts that a look opened, gave other evidence, and closed."""

    opened: tuple[int, ...] = ()
    updated: tuple[int, ...] = ()
    closed: tuple[int, ...] = ()


def apply_findings(
    connection: Connection, found: Findings, now: datetime | None = None, *, alone: bool = False
) -> AlertChanges:
    """Open, update, correct, suppress, release and close the alerts of a stream.

    A look that ends before one already applied changes nothing: what is newer has decided.
    `alone`: the layer's other alerts stay as they are, since the policy is not the layer's.
    """
    now = now or datetime.now(UTC)
    lock_alerts(connection, found.layer_id)
    newest = last_evaluation(connection, found, now)
    if newest is not None and found.until < newest:
        return AlertChanges()
    muting = muting_of(connection, found.layer_id, found.policy, now, found)
    steps = decide(alerts_of_stream(connection, found), found, muting.why, now)
    written = [(write_step(connection, step, now), step) for step in steps]
    record_evaluation(connection, found, now)
    if not alone:
        written += _settled_by(connection, found, now)
    return _changes(written)


def settled(
    connection: Connection,
    layer_id: str,
    policy: Policy,
    now: datetime,
    waits: Callable[[AlertState], bool],
) -> list[tuple[int, Step]]:
    """Suppress and release the layer's alerts by what holds now, but those that wait for a look."""
    muting = muting_of(connection, layer_id, policy, now)
    steps = settle(muting.alerts, muting.why, policy, now, waits=waits)
    return [(write_step(connection, step, now), step) for step in steps]


def _settled_by(connection: Connection, found: Findings, now: datetime) -> list[tuple[int, Step]]:
    """The same of what a look tells of, its own alerts and those that they inhibit.

    What it releases because records went was told already, by what hid it.
    """
    muting = muting_of(connection, found.layer_id, found.policy, now, found)
    evidence = found.evidence
    inhibited = (
        inhibited_alerts(connection, found.layer_id, found.stream)
        if evidence is not None and evidence.gone
        else frozenset()
    )

    def is_known(alert: AlertState) -> bool:
        return (
            evidence is not None
            and alert.id in inhibited
            and evidence.is_less(alert.signal.records)
        )

    concerned = [
        alert
        for alert in muting.alerts
        if alert.stream == found.stream
        and (alert.rule == found.rule or (found.rule, alert.rule) in INHIBITS)
    ]
    steps = settle(
        concerned, muting.why, found.policy, now, waits=muting.is_outdated, quiet=is_known
    )
    return [(write_step(connection, step, now), step) for step in steps]


def muting_of(
    connection: Connection,
    layer_id: str,
    policy: Policy,
    now: datetime,
    found: Findings | None = None,
) -> Suppressions:
    alerts = tuple(live_alerts(connection, layer_id))
    return Suppressions(silences_at(connection, now), alerts, policy.inhibit, found)


def _changes(written: Iterable[tuple[int, Step]]) -> AlertChanges:
    done = list(written)

    def numbers(wanted: Callable[[Step], bool]) -> tuple[int, ...]:
        return tuple(dict.fromkeys(number for number, step in done if wanted(step)))

    return AlertChanges(
        opened=numbers(lambda step: step.act is Act.OPEN),
        updated=numbers(lambda step: step.act in (Act.UPDATE, Act.NOTIFY, Act.CORRECTED)),
        closed=numbers(lambda step: step.act is Act.EXPIRED),
    )
