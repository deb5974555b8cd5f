"""The lifecycle of alerts in memory: those that past evaluations would have raised."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from gis.alerts.engine import AlertState, Step, decide, settle
from gis.alerts.findings import Findings
from gis.alerts.inhibition import Suppressions
from gis.alerts.states import ENDS, LIVE, Act


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One line of a history."""

    at: datetime
    act: Act
    why: str
    notify: bool


@dataclass(slots=True)
class ReplayedAlert:
    """An alert of the replay, with its history."""

    alert: AlertState
    history: list[HistoryEntry] = field(default_factory=list)

    @property
    def opened_at(self) -> datetime:
        """The time of the first notification; without one, that of the first event."""
        return next((line.at for line in self.history if line.notify), self.history[0].at)

    @property
    def ended_at(self) -> datetime | None:
        return self.history[-1].at if self.alert.status in ENDS else None


@dataclass(slots=True)
class ReplayedAlerts:
    """Alerts numbered from 1, as apply_findings would have stored them."""

    alerts: dict[int, ReplayedAlert] = field(default_factory=dict)
    evaluated: dict[tuple[str, str, str], datetime] = field(default_factory=dict)

    def apply(self, findings: Findings, now: datetime | None = None) -> list[Step]:
        """The steps of one evaluation; none of one that is older than one before."""
        now = now or findings.until
        stream = (findings.layer_id, findings.rule, findings.stream)
        if findings.until < self.evaluated.get(stream, findings.until):
            return []
        self.evaluated[stream] = findings.until
        steps = decide(self._of(stream), findings, self._suppressions(findings).why, now)
        done = [self._write(step, now) for step in steps]
        suppressions = self._suppressions(findings)
        after = settle(suppressions.alerts, suppressions.why, findings.policy, now)
        return done + [self._write(step, now) for step in after]

    def live(self) -> list[AlertState]:
        return [past.alert for past in self.alerts.values() if past.alert.status in LIVE]

    def raised(self) -> Iterable[ReplayedAlert]:
        """Alerts that would have been notified, in the order of their opening."""
        return (past for past in self.alerts.values() if past.alert.last_notification is not None)

    def _of(self, stream: tuple[str, str, str]) -> list[AlertState]:
        known = (past.alert for past in self.alerts.values())
        return [each for each in known if (each.layer_id, each.rule, each.stream) == stream]

    def _suppressions(self, findings: Findings) -> Suppressions:
        layer = tuple(alert for alert in self.live() if alert.layer_id == findings.layer_id)
        return Suppressions((), layer, findings.policy.inhibit)

    def _write(self, step: Step, now: datetime) -> Step:
        number = step.alert.id or len(self.alerts) + 1
        past = self.alerts.setdefault(number, ReplayedAlert(step.alert))
        past.alert = replace(step.alert, id=number)
        if step.act is not None:
            past.history.append(HistoryEntry(now, step.act, step.why, step.notify))
        return replace(step, alert=past.alert)
