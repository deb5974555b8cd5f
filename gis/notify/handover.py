"""Hand-over between two shifts: what is open, who has it, what was told, what changed."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from gis.alerts.actions import Alert, list_alerts
from gis.alerts.inhibition import Silence
from gis.alerts.silences import silences_at
from gis.alerts.states import LIVE, NOT_NOTIFIED
from gis.notify.roster.shifts import RosterGap, Shift
from gis.notify.roster.store import roster_in_force

_USUAL_SHIFT = timedelta(hours=12)
_LONGEST_SHIFT = timedelta(days=3)
AHEAD = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class AlertDeliveries:
    """What became of the notifications of one alert."""

    delivered: int
    recipients: int  # that were notified
    last_at: datetime | None  # of a notification that arrived
    waiting: int
    dead: int


@dataclass(frozen=True, slots=True)
class ShiftEvent:
    """One step of an alert within the shift, with its headlines of today."""

    at: datetime
    alert_id: int
    act: str
    who: str
    note: str
    headline_vi: str
    headline_en: str


@dataclass(frozen=True, slots=True)
class Handover:
    """The state of things at the change of shifts. Times have a zone."""

    since: datetime  # the beginning of the shift that ends
    at: datetime
    on_duty: tuple[Shift, ...]
    next_shifts: tuple[Shift, ...]  # that begin within a day
    open: tuple[Alert, ...]  # open and acknowledged, the gravest first
    silent: tuple[Alert, ...]  # pending and suppressed
    deliveries: dict[int, AlertDeliveries]  # by alert
    events: tuple[ShiftEvent, ...]  # the newest first
    silences: tuple[Silence, ...]  # in force, the first to end first
    gaps: tuple[RosterGap, ...] = ()  # of the next day


_NONE = AlertDeliveries(0, 0, None, 0, 0)
_DELIVERIES = text("""
SELECT d.alert_id, count(*) FILTER (WHERE d.status = 'delivered') AS delivered,
       count(DISTINCT d.subscription_id) FILTER (WHERE d.status = 'delivered') AS recipients,
       max(d.ended_at) FILTER (WHERE d.status = 'delivered') AS last_at,
       count(*) FILTER (WHERE d.status = 'waiting') AS waiting,
       count(*) FILTER (WHERE d.status = 'dead') AS dead
FROM gis.delivery d JOIN gis.subscription s ON s.id = d.subscription_id
WHERE d.alert_id = ANY(:alerts) AND s.layers <@ CAST(:layers AS text[]) GROUP BY d.alert_id
""")
_EVENTS = text("""
SELECT e.at, e.alert_id, e.act, e.who, e.note, a.headline_vi, a.headline_en
FROM gis.alert_event e JOIN gis.alert a ON a.id = e.alert_id
WHERE e.at >= :since AND a.layer_id = ANY(:layers) AND e.act NOT IN ('update', 'renewed')
ORDER BY e.id DESC LIMIT 500
""")


def handover(
    connection: Connection,
    layers: Sequence[str],
    now: datetime,
    since: datetime | None = None,
    gaps: Iterable[RosterGap] = (),
) -> Handover:
    """The hand-over of the alerts of these layers. Without `since`: from the beginning of the shift
    that began last, else from twelve hours ago.
    """
    shifts = roster_in_force(connection, now - _LONGEST_SHIFT, now + AHEAD)
    alerts = list_alerts(connection, layers=layers, statuses=sorted(LIVE))
    since = since or _begin(shifts, now)
    events = connection.execute(_EVENTS, {"since": since, "layers": list(layers)})
    in_force = [one for one in silences_at(connection, now) if one.layer_id in {None, *layers}]
    return Handover(
        since=since,
        at=now.replace(second=0, microsecond=0),
        on_duty=tuple(shift for shift in shifts if shift.is_at(now)),
        next_shifts=tuple(shift for shift in shifts if shift.since > now),
        open=tuple(alert for alert in alerts if alert.status not in NOT_NOTIFIED),
        silent=tuple(alert for alert in alerts if alert.status in NOT_NOTIFIED),
        deliveries=_deliveries(connection, [alert.id for alert in alerts], layers),
        events=tuple(ShiftEvent(*row) for row in events),
        silences=tuple(sorted(in_force, key=lambda one: one.until)),
        gaps=tuple(gaps),
    )


def _begin(shifts: Sequence[Shift], now: datetime) -> datetime:
    """Of the shifts that hold, the latest beginning; in the first half hour of one, that of before.

    At that time it is the new shift who reads.
    """
    begun = sorted({shift.since for shift in shifts if shift.since <= now}, reverse=True)
    settled = [moment for moment in begun if now - moment >= timedelta(minutes=30)]
    return settled[0] if settled else now.replace(second=0, microsecond=0) - _USUAL_SHIFT


def _deliveries(
    connection: Connection, alerts: Sequence[int], layers: Collection[str]
) -> dict[int, AlertDeliveries]:
    """Of subscriptions that name none but these layers."""
    rows = connection.execute(_DELIVERIES, {"alerts": list(alerts), "layers": list(layers)})
    found = {row[0]: AlertDeliveries(*row[1:]) for row in rows}
    return {alert: found.get(alert, _NONE) for alert in alerts}
