"""Gathering: alerts of detectors lie within the situation that they are part of.

They stay open and are seen; but who is notified of the situation is not notified of each of them
too. `CONDITIONS` is the whole rule. An alert leaves when it reaches beyond the situation, or when
that ends, and is notified by itself again.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, text

from gis.alerts.engine import AlertState, LastNotification, Step
from gis.alerts.identity import gap, shares_most
from gis.alerts.policy import Policy
from gis.alerts.states import LIVE, Act, Status
from gis.alerts.store import SERVICE, alert_of, live_alerts, record_event, write_step

SITUATION = "situation"  # the rule under which a layer raises one
GATHERED: Final = {"scan", "series"}  # of detectors, never one that a person wrote

# Conditions on a situation and an alert that lies within it.
CONDITIONS: Final[Mapping[str, Callable[[AlertState, AlertState], bool]]] = {
    "a situation, and what a detector found": lambda outer, inner: (
        outer.rule == SITUATION
        and (
            inner.rule in GATHERED or (inner.rule == SITUATION and inner.layer_id != outer.layer_id)
        )
    ),
    "it is notified": lambda outer, inner: outer.status in (Status.OPEN, Status.ACKNOWLEDGED),
    "not simulated, unless both are": lambda outer, inner: not outer.simulated or inner.simulated,
    "official, if the alert is": lambda outer, inner: outer.official or not inner.official,
    "of its time": lambda outer, inner: gap(outer.signal, inner.signal) == timedelta(0),
    "of its subjects": lambda outer, inner: (
        inner.layer_id != outer.layer_id or inner.stream in subjects(outer)
    ),
    "in its communes, or of its records": lambda outer, inner: (
        _is_inside(outer, inner)
        or (
            inner.layer_id == outer.layer_id
            and shares_most(inner.signal.records, outer.signal.records)
        )
    ),
}


def lies_within(outer: AlertState, inner: AlertState) -> bool:
    """True if an alert is part of a situation: all `CONDITIONS` hold."""
    return all(holds(outer, inner) for holds in CONDITIONS.values())


def subjects(situation: AlertState) -> set[str]:
    """The streams of its layer that a situation tells of."""
    facts: Mapping[str, Any] = situation.signal.measures.get("situation") or {}
    return {str(one["code"]) for one in facts.get("streams", ())}


def _is_inside(outer: AlertState, inner: AlertState) -> bool:
    """True if the communes of an alert are the situation's; one that is within already stays while
    it reaches no commune that it was not notified with: a situation that subsides shrinks.
    """
    communes = set(outer.signal.communes)
    if inner.within_id is not None and inner.within_id == outer.id and inner.last_notification:
        communes |= inner.last_notification.communes
    return bool(inner.signal.communes) and set(inner.signal.communes) <= communes


def gather(connection: Connection, layer_id: str, policy: Policy, now: datetime) -> None:
    """Put the live alerts of a layer, which are locked, within the situations of this moment.

    Situations of other layers count where these are public: its number must not tell readers of
    this layer of one that is closed to them.
    """
    values = {"rule": SITUATION, "live": sorted(LIVE), "layer": layer_id}
    situations = [alert_of(row) for row in connection.execute(_SITUATIONS, values)]
    for alert in live_alerts(connection, layer_id):
        wanted = _situation_of(alert, situations)
        if wanted != alert.within_id:
            _move(connection, alert, wanted, policy, now)


def _situation_of(alert: AlertState, situations: Iterable[AlertState]) -> int | None:
    """The number of the situation of an alert: of its own layer first, then the oldest."""
    around = [
        one
        for one in situations
        if lies_within(one, alert)
        # Of two situations the older is the outer one.
        and (alert.rule != SITUATION or (one.id or 0) < (alert.id or 0))
    ]
    own_first = sorted(around, key=lambda one: (one.layer_id != alert.layer_id, one.id or 0))
    return next((one.id for one in own_first), None)


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
WHERE a.rule = :rule AND a.status = ANY(:live)
  AND (a.layer_id = :layer OR gis.is_public(a.layer_id)) ORDER BY a.id
""")
_MOVE = text("UPDATE gis.alert SET within_id = :within WHERE id = :id")
