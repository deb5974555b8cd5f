"""Timers of alerts: escalation, silences and closing, without any new evidence."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from gis.alerts.engine import AlertState, Step, expire
from gis.alerts.gathering import SITUATION
from gis.alerts.policy import Policy
from gis.alerts.situations import gather
from gis.alerts.states import Act, Status
from gis.alerts.store import live_alerts, lock_alerts, write_step
from gis.alerts.updates import settled

# Evaluations close quiet alerts; this is for alerts that nothing evaluates any more.
_ORPHANED = timedelta(days=1)

# An alarm that has not run for so long has failed: better to escalate on old evidence than not.
_EVALUATED_WITHIN = timedelta(minutes=5)

# True if records of an alert were deleted or changed since the last evaluation of its stream.
Outdated = Callable[[Connection, AlertState], bool]

# Layers with an alert to escalate or to close, or that a silence may concern.
_DUE = text("""
SELECT DISTINCT layer_id FROM gis.alert
WHERE status IN ('pending', 'open', 'acknowledged', 'suppressed')
  AND (escalate_at <= :now OR expires_at <= :orphaned OR status = 'suppressed'
       OR within_id IS NOT NULL
       OR EXISTS (SELECT FROM gis.alert s WHERE s.rule = :situation
                  AND s.status IN ('open', 'acknowledged'))
       OR EXISTS (SELECT FROM gis.silence WHERE until > :now AND ended_at IS NULL))
ORDER BY layer_id
""")


def advance_alerts(
    connection: Connection,
    policies: Mapping[str, Policy],
    now: datetime,
    outdated: Outdated = lambda connection, alert: False,
) -> list[tuple[int, Step]]:
    """Escalate what nobody acknowledged, begin and end suppression, close orphaned alerts, and
    gather alerts within situations.

    `policies` are those of the layers; a layer that is gone has the defaults. What is `outdated`
    neither escalates nor is released before its next evaluation, which takes some seconds. Gives
    the steps with the numbers of their alerts.
    """
    values = {"now": now, "orphaned": now - _ORPHANED, "situation": SITUATION}
    due = connection.execute(_DUE, values).scalars().all()
    return [
        written
        for layer_id in due
        for written in _advance(
            connection, layer_id, policies.get(layer_id, Policy()), now, outdated
        )
    ]


def _advance(
    connection: Connection, layer_id: str, policy: Policy, now: datetime, outdated: Outdated
) -> list[tuple[int, Step]]:
    lock_alerts(connection, layer_id)

    def waits(alert: AlertState) -> bool:
        return outdated(connection, alert)

    steps = [
        step for alert in live_alerts(connection, layer_id) if (step := _passed(alert, now, waits))
    ]
    written = [(write_step(connection, step, now), step) for step in steps]
    written += settled(connection, layer_id, policy, now, waits)
    gather(connection, layer_id, policy, now)
    return written


def _passed(alert: AlertState, now: datetime, waits: Callable[[AlertState], bool]) -> Step | None:
    if alert.expires_at <= now - _ORPHANED:
        return expire(alert, "its stream is no longer evaluated")
    if alert.escalate_at is None or alert.escalate_at > now or alert.status is not Status.OPEN:
        return None
    if alert.within_id is not None:
        return None  # the situation escalates for all that lie within it
    if alert.escalate_at > now - _EVALUATED_WITHIN and waits(alert):
        return None
    waiting = replace(alert, escalate_at=None)
    return Step(waiting, Act.ESCALATE, "nobody has acknowledged it", notify=True)
