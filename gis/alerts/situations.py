"""Alerts within situations, as rows: gathering.py has the rule."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, text

from gis.alerts.engine import AlertState, LastNotification, Step
from gis.alerts.gathering import OUTER, situation_of
from gis.alerts.policy import Policy
from gis.alerts.states import LIVE, Act, Status
from gis.alerts.store import SERVICE, alert_of, live_alerts, record_event, write_step


def gather(connection: Connection, layer_id: str, policy: Policy, now: datetime) -> None:
    """Put the live alerts of a layer, which are locked, within the situations of this moment.

    Situations of other layers count where these are public: its number must not tell readers of
    this layer of one that is closed to them.
    """
    values = {"rules": sorted(OUTER), "live": sorted(LIVE), "layer": layer_id}
    situations = [alert_of(row) for row in connection.execute(_SITUATIONS, values)]
    for alert in live_alerts(connection, layer_id):
        wanted = situation_of(alert, situations)
        if wanted != alert.within_id:
            _move(connection, alert, wanted, policy, now)


def _move(
    connection: Connection, alert: AlertState, to: int | None, policy: Policy, now: datetime
) -> None:
    assert alert.id is not None
    connection.execute(_MOVE, {"id": alert.id, "within": to})
    if to is not None:
        why = f"within situation {to}"
        record_event(connection, alert.id, SERVICE, Act.UPDATE, why, at=now, notify=False)
        return
    why = f"no longer within situation {alert.within_id}"
    if alert.status is not Status.OPEN:
        record_event(connection, alert.id, SERVICE, Act.UPDATE, why, at=now, notify=False)
        return
    wait = policy.escalates_after(alert.signal.tier)
    told = replace(
        alert,
        within_id=None,
        last_notification=LastNotification.of(alert.signal),
        escalate_at=None if wait is None else now + wait,
    )
    write_step(connection, Step(told, Act.OPEN, why, notify=True), now)


_SITUATIONS = text("""
SELECT a.*, ST_X(a.centre) AS lon, ST_Y(a.centre) AS lat FROM gis.alert a
WHERE a.rule = ANY(:rules) AND a.status = ANY(:live)
  AND (a.layer_id = :layer OR gis.is_public(a.layer_id)) ORDER BY a.id
""")
_MOVE = text("UPDATE gis.alert SET within_id = :within WHERE id = :id")
