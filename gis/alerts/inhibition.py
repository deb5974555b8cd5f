"""Suppression of alerts: those that a person silenced, and those of units that an alert of a
cluster covers already (inhibition).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from gis.alerts.engine import AlertState
from gis.alerts.findings import Findings
from gis.alerts.gathering import SITUATION
from gis.alerts.identity import shares_most
from gis.alerts.states import Status
from gis.alerts.suppression import InhibitedBy, Reason, Silenced

LONGEST_HOURS = 8784  # of a silence: a leap year


@dataclass(frozen=True, slots=True)
class Silence:
    """The scope of a silence, its end and reason. None and no communes: any, but no situation."""

    id: int
    layer_id: str | None
    rule: str | None
    communes: frozenset[str]
    who: str
    why: str
    created_at: datetime
    until: datetime

    def covers(self, alert: AlertState) -> bool:
        """True if every part of the alert is in it: one that reaches further is notified."""
        units = frozenset(alert.signal.communes)
        if alert.rule == SITUATION and self.rule != SITUATION:
            return False  # a silence of ordinary days does not hold on this one
        return (
            self.layer_id in (None, alert.layer_id)
            and self.rule in (None, alert.rule)
            and (not self.communes or (bool(units) and units <= self.communes))
        )


# The rule that inhibits, and the one that is inhibited: a scan locates more closely what a series
# finds in a commune. No other rule is ever inhibited, least of all a threshold that a person wrote.
INHIBITS: Final = {("scan", "series")}

# Further conditions on an alert and one within it, which is then not notified by itself. Each keeps
# one alert from hiding another.
CONDITIONS: Final[dict[str, Callable[[AlertState, AlertState], bool]]] = {
    "one rule sees the other's subject": lambda outer, inner: (outer.rule, inner.rule) in INHIBITS,
    "a circle, of units": lambda outer, inner: (
        outer.signal.radius_m is not None and not inner.signal.cells
    ),
    "of one stream of one layer": lambda outer, inner: (
        (outer.layer_id, outer.stream) == (inner.layer_id, inner.stream)
    ),
    "it is notified": lambda outer, inner: outer.status in (Status.OPEN, Status.ACKNOWLEDGED),
    "its latest evaluation showed it": lambda outer, inner: outer.weak_days == 0,
    "as grave": lambda outer, inner: outer.signal.tier.rank >= inner.signal.tier.rank,
    "not simulated, unless both are": lambda outer, inner: not outer.simulated or inner.simulated,
    "it reaches all units": lambda outer, inner: (
        bool(inner.signal.communes) and set(inner.signal.communes) <= set(outer.signal.communes)
    ),
}


def covers(outer: AlertState, inner: AlertState) -> bool:
    """True if `outer` covers `inner`: all `CONDITIONS` hold, and it has most of its records."""
    alike = all(holds(outer, inner) for holds in CONDITIONS.values())
    return alike and shares_most(inner.signal.records, outer.signal.records)


@dataclass(frozen=True)
class Suppressions:
    """Silences and alerts that suppress others, at one moment.

    `findings`: of the evaluation being applied, which know the records of the stream that are gone;
    None: there is none.
    """

    silences: tuple[Silence, ...]
    alerts: tuple[AlertState, ...]  # that live, of the layer
    inhibit: bool = True
    findings: Findings | None = None

    def why(self, alert: AlertState) -> Reason | None:
        """The reason for which an alert is suppressed; None: it is not.

        A silence covers what tells of the same: what the silenced alert would inhibit is silenced
        with it. As the silence ends, the one that inhibits is about to be notified again.
        """
        silence = self._silence_of(alert)
        if silence is None and self.inhibit:
            inner = self._standing(alert)
            outer = next((each for each in self.alerts if covers(self._heard(each), inner)), None)
            silence = None if outer is None else self._silence_of(outer)
            if outer is not None and silence is None:
                return InhibitedBy(outer.id)
        return None if silence is None else Silenced(silence.id, silence.who, silence.why)

    def _silence_of(self, alert: AlertState) -> Silence | None:
        return next((each for each in self.silences if each.covers(alert)), None)

    def _heard(self, alert: AlertState) -> AlertState:
        """An alert as it would be if nothing suppressed it."""
        standing = self._standing(alert)
        return standing if standing.resumes is None else replace(standing, status=standing.resumes)

    def is_outdated(self, alert: AlertState) -> bool:
        """True if records of an alert are gone and its own rule has not evaluated it since."""
        return self._standing(alert) != alert

    def _standing(self, alert: AlertState) -> AlertState:
        """An alert of another rule with those of its records that are left."""
        findings = self.findings
        if findings is None or findings.evidence is None or alert.rule == findings.rule:
            return alert
        if (alert.layer_id, alert.stream) != (findings.layer_id, findings.stream):
            return alert
        gone = findings.evidence.gone
        records = tuple(record for record in alert.signal.records if record not in gone)
        return replace(alert, signal=replace(alert.signal, records=records))
