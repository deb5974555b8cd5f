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
from gis.alerts.situations import gather
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
    """The numbers of the alerts that an evaluation opened, updated and closed."""

    opened: tuple[int, ...] = ()
    updated: tuple[int, ...] = ()
    closed: tuple[int, ...] = ()


def apply_findings(
    connection: Connection, findings: Findings, now: datetime | None = None, *, alone: bool = False
) -> AlertChanges:
    """Open, update, correct, suppress, release and close the alerts of a stream.

    An evaluation older than one already applied changes nothing.
    `alone`: the layer's other alerts stay as they are, since the policy is not the layer's.
    """
    now = now or datetime.now(UTC)
    lock_alerts(connection, findings.layer_id)
    latest = last_evaluation(connection, findings, now)
    if latest is not None and findings.until < latest:
        return AlertChanges()
    suppressions = suppressions_of(connection, findings.layer_id, findings.policy, now, findings)
    steps = decide(alerts_of_stream(connection, findings), findings, suppressions.why, now)
    written = [(write_step(connection, step, now), step) for step in steps]
    record_evaluation(connection, findings, now)
    if not alone:
        written += _settled_by(connection, findings, now)
        gather(connection, findings.layer_id, findings.policy, now)
    return _changes(written)


def settled(
    connection: Connection,
    layer_id: str,
    policy: Policy,
    now: datetime,
    waits: Callable[[AlertState], bool],
) -> list[tuple[int, Step]]:
    """Suppress and release the layer's alerts as of now, but those that wait for an evaluation."""
    suppressions = suppressions_of(connection, layer_id, policy, now)
    steps = settle(suppressions.alerts, suppressions.why, policy, now, waits=waits)
    return [(write_step(connection, step, now), step) for step in steps]


def _settled_by(
    connection: Connection, findings: Findings, now: datetime
) -> list[tuple[int, Step]]:
    """Suppress and release the alerts of an evaluation and those that they inhibit.

    One that is released because records are gone was covered by the alert that inhibited it.
    """
    suppressions = suppressions_of(connection, findings.layer_id, findings.policy, now, findings)
    evidence = findings.evidence
    inhibited = (
        inhibited_alerts(connection, findings.layer_id, findings.stream)
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
        for alert in suppressions.alerts
        if alert.stream == findings.stream
        and (alert.rule == findings.rule or (findings.rule, alert.rule) in INHIBITS)
    ]
    steps = settle(
        concerned,
        suppressions.why,
        findings.policy,
        now,
        waits=suppressions.is_outdated,
        quiet=is_known,
    )
    return [(write_step(connection, step, now), step) for step in steps]


def suppressions_of(
    connection: Connection,
    layer_id: str,
    policy: Policy,
    now: datetime,
    findings: Findings | None = None,
) -> Suppressions:
    """The silences in force and the live alerts of a layer, which are locked."""
    alerts = tuple(live_alerts(connection, layer_id))
    return Suppressions(silences_at(connection, now), alerts, policy.inhibit, findings)


def _changes(written: Iterable[tuple[int, Step]]) -> AlertChanges:
    done = list(written)

    def numbers(wanted: Callable[[Step], bool]) -> tuple[int, ...]:
        return tuple(dict.fromkeys(number for number, step in done if wanted(step)))

    return AlertChanges(
        opened=numbers(lambda step: step.act is Act.OPEN),
        updated=numbers(lambda step: step.act in (Act.UPDATE, Act.NOTIFY, Act.CORRECTED)),
        closed=numbers(lambda step: step.act is Act.EXPIRED),
    )
