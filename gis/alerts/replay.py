"""The life of alerts in memory: what looks at the past would have raised. Nothing is stored."""

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
        """When people were first told; of one that they never were, when it began."""
        return next((line.at for line in self.history if line.notify), self.history[0].at)

    @property
    def ended_at(self) -> datetime | None:
        return self.history[-1].at if self.alert.status in ENDS else None


@dataclass(slots=True)
class ReplayedAlerts:
    """Alerts numbered from 1, as apply_findings would have kept them."""

    alerts: dict[int, ReplayedAlert] = field(default_factory=dict)
    looked: dict[tuple[str, str, str], datetime] = field(default_factory=dict)

    def apply(self, found: Findings, now: datetime | None = None) -> list[Step]:
        """The steps of one look; none of a look that is older than one before."""
        now = now or found.until
        stream = (found.layer_id, found.rule, found.stream)
        if found.until < self.looked.get(stream, found.until):
            return []
        self.looked[stream] = found.until
        steps = decide(self._of(stream), found, self._muting(found).why, now)
        done = [self._write(step, now) for step in steps]
        muting = self._muting(found)
        after = settle(muting.alerts, muting.why, found.policy, now)
        return done + [self._write(step, now) for step in after]

    def live(self) -> list[AlertState]:
        return [past.alert for past in self.alerts.values() if past.alert.status in LIVE]

    def raised(self) -> Iterable[ReplayedAlert]:
        """Those that people would have been told of, in the order of their opening."""
        return (past for past in self.alerts.values() if past.alert.told is not None)

    def _of(self, stream: tuple[str, str, str]) -> list[AlertState]:
        known = (past.alert for past in self.alerts.values())
        return [each for each in known if (each.layer_id, each.rule, each.stream) == stream]

    def _muting(self, found: Findings) -> Suppressions:
        layer = tuple(alert for alert in self.live() if alert.layer_id == found.layer_id)
        return Suppressions((), layer, found.policy.inhibit)

    def _write(self, step: Step, now: datetime) -> Step:
        number = step.alert.id or len(self.alerts) + 1
        past = self.alerts.setdefault(number, ReplayedAlert(step.alert))
        past.alert = replace(step.alert, id=number)
        if step.act is not None:
            past.history.append(HistoryEntry(now, step.act, step.why, step.notify))
        return replace(step, alert=past.alert)
