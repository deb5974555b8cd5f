"""Of which alerts nobody is told now: those that a person silenced, and those of units that tell of
what an alert of a cluster tells already.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from gis.alerts.engine import AlertState
from gis.alerts.findings import Findings
from gis.alerts.identity import shares_most
from gis.alerts.states import Status
from gis.alerts.suppression import InhibitedBy, Reason, Silenced

LONGEST_HOURS = 8784  # of a silence: a leap year


@dataclass(frozen=True, slots=True)
class Silence:
    """What a person wants not to hear of, until when, and why. None and no communes: any."""

    id: int
    layer_id: str | None
    rule: str | None
    communes: frozenset[str]
    who: str
    why: str
    created_at: datetime
    until: datetime

    def covers(self, alert: AlertState) -> bool:
        """Whether every part of the alert is in it: one that reaches further is heard."""
        units = frozenset(alert.signal.communes)
        return (
            self.layer_id in (None, alert.layer_id)
            and self.rule in (None, alert.rule)
            and (not self.communes or (bool(units) and units <= self.communes))
        )


# The rule that inhibits, and the one that is inhibited: what a series sees of a commune, a scan
# sees more closely. No other rule is ever inhibited, least of all one that a person wrote, who
# wants to hear of the threshold itself.
INHIBITS: Final = {("scan", "series")}

# What else must hold of an alert and of one within it, which is then not told by itself. With
# each, the fault that it keeps away: one alert that hides another.
CONDITIONS: Final[dict[str, Callable[[AlertState, AlertState], bool]]] = {
    "one rule sees the other's subject": lambda outer, inner: (outer.rule, inner.rule) in INHIBITS,
    "a circle, of units": lambda outer, inner: (
        outer.signal.radius_m is not None and not inner.signal.cells
    ),
    "of one stream of one layer": lambda outer, inner: (
        (outer.layer_id, outer.stream) == (inner.layer_id, inner.stream)
    ),
    "people hear of it": lambda outer, inner: outer.status in (Status.OPEN, Status.ACKNOWLEDGED),
    "its newest look showed it": lambda outer, inner: outer.weak_days == 0,
    "as grave": lambda outer, inner: outer.signal.tier.rank >= inner.signal.tier.rank,
    "not simulated, unless both are": lambda outer, inner: not outer.simulated or inner.simulated,
    "it reaches all units": lambda outer, inner: (
        bool(inner.signal.communes) and set(inner.signal.communes) <= set(outer.signal.communes)
    ),
}


def covers(outer: AlertState, inner: AlertState) -> bool:
    """Whether `outer` tells of what `inner` tells: all `CONDITIONS`, and most of its records."""
    alike = all(holds(outer, inner) for holds in CONDITIONS.values())
    return alike and shares_most(inner.signal.records, outer.signal.records)


@dataclass(frozen=True)
class Suppressions:
    """Why an alert is not told of, at one moment.

    `found`: the look that is being applied, which tells of records of its stream that are gone;
    None: no look is.
    """

    silences: tuple[Silence, ...]
    alerts: tuple[AlertState, ...]  # that live, of the layer
    inhibit: bool = True
    found: Findings | None = None

    def why(self, alert: AlertState) -> Reason | None:
        for silence in self.silences:
            if silence.covers(alert):
                return Silenced(silence.id, silence.who, silence.why)
        if not self.inhibit:
            return None
        inner = self._standing(alert)
        within = (each for each in self.alerts if covers(self._standing(each), inner))
        return next((InhibitedBy(each.id) for each in within), None)

    def is_outdated(self, alert: AlertState) -> bool:
        """Whether records of an alert went that its own rule has not looked at since."""
        return self._standing(alert) != alert

    def _standing(self, alert: AlertState) -> AlertState:
        """An alert of another rule with those of its records that are left."""
        found = self.found
        if found is None or found.evidence is None or alert.rule == found.rule:
            return alert
        if (alert.layer_id, alert.stream) != (found.layer_id, found.stream):
            return alert
        gone = found.evidence.gone
        records = tuple(one for one in alert.signal.records if one not in gone)
        return replace(alert, signal=replace(alert.signal, records=records))
