"""Of which alerts nobody is told now: those that a person silenced, and those of units within a
cluster that has an alert itself.
"""

from dataclasses import dataclass
from datetime import datetime

from gis.alerts.deciding import Standing
from gis.alerts.reasons import Reason, Silenced, Within
from gis.alerts.states import Status


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

    def covers(self, alert: Standing) -> bool:
        """Whether every part of the alert is in it: one that reaches further is heard."""
        units = frozenset(alert.signal.communes)
        return (
            self.layer_id in (None, alert.layer_id)
            and self.rule in (None, alert.rule)
            and (not self.communes or (bool(units) and units <= self.communes))
        )


@dataclass(frozen=True)
class Muting:
    """Why an alert is not told of, at one moment."""

    silences: tuple[Silence, ...]
    alerts: tuple[Standing, ...]  # that live, of the layer
    inhibit: bool = True

    def why(self, alert: Standing) -> Reason | None:
        for silence in self.silences:
            if silence.covers(alert):
                return Silenced(silence.id, silence.who, silence.why)
        if not self.inhibit:
            return None
        return next((Within(each.id) for each in self.alerts if covers(each, alert)), None)


def covers(outer: Standing, inner: Standing) -> bool:
    """Whether `outer` is a circle of a scan and reaches all units of `inner`, which has no hexes.

    A sensor or the rain of a hex says nothing of the number of reports in its commune.
    """
    units = set(inner.signal.communes)
    return (
        outer.layer_id == inner.layer_id
        and outer.status in (Status.OPEN, Status.ACKNOWLEDGED)
        and outer.signal.tier.rank >= inner.signal.tier.rank
        and outer.signal.radius_m is not None
        and not inner.signal.cells
        and bool(units)
        and units <= set(outer.signal.communes)
    )
