"""Gathering: alerts of detectors lie within the situation that they are part of.

They stay open and are seen; but who is notified of the situation is not notified of each of them
too. `CONDITIONS` is the whole rule. An alert leaves when it reaches beyond the situation, or when
that ends, and is notified by itself again.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from gis.alerts.engine import AlertState
from gis.alerts.identity import shares_most
from gis.alerts.states import Status

SITUATION = "situation"  # the rule under which a layer raises one
JOINT = "joint"  # the rule of those of several streams or layers in one valley
OUTER: Final = {SITUATION, JOINT}
GATHERED: Final = {"scan", "series"}  # of detectors, never one that a person wrote

# Conditions on a situation and an alert that lies within it.
CONDITIONS: Final[Mapping[str, Callable[[AlertState, AlertState], bool]]] = {
    "a situation, and what a detector found": lambda outer, inner: (
        outer.rule in OUTER
        and (
            inner.rule in GATHERED
            or (
                inner.rule in OUTER and (inner.layer_id, inner.rule) != (outer.layer_id, outer.rule)
            )
        )
    ),
    "it is notified": lambda outer, inner: outer.status in (Status.OPEN, Status.ACKNOWLEDGED),
    "not simulated, unless both are": lambda outer, inner: not outer.simulated or inner.simulated,
    "official, if the alert is": lambda outer, inner: outer.official or not inner.official,
    # It goes on until it expires, also where nothing has been evaluated since.
    "of its time": lambda outer, inner: (
        inner.signal.until >= outer.signal.since and inner.signal.since <= outer.expires_at
    ),
    "of its subjects": lambda outer, inner: (
        inner.layer_id != outer.layer_id
        or inner.stream in subjects(outer)
        or (inner.rule in OUTER and bool(subjects(inner) & subjects(outer)))
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


def situation_of(alert: AlertState, situations: Iterable[AlertState]) -> int | None:
    """The number of the situation of an alert: of its own layer first, then the oldest."""
    around = [
        one
        for one in situations
        if lies_within(one, alert)
        # Of two situations the older is the outer one.
        and (alert.rule not in OUTER or (one.id or 0) < (alert.id or 0))
    ]
    own_first = sorted(around, key=lambda one: (one.layer_id != alert.layer_id, one.id or 0))
    return next((one.id for one in own_first), None)
