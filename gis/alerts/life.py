"""The life of an alert: open → acknowledged → resolved, each step kept with who, when and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, Row, text

from gis.errors import BadInput, Conflict, NotFound


class Status(StrEnum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Outcome(StrEnum):
    """What became of it, said by the person who resolves it."""

    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as it stands. `bbox` is west, south, east, north in degrees, WGS 84."""

    id: int
    layer_id: str
    rule: str
    status: Status
    severity: str
    headline_vi: str
    headline_en: str
    communes: tuple[tuple[str, str], ...]  # code, full name of today
    official: bool
    simulated: bool
    opened_at: datetime
    updated_at: datetime
    bbox: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class AlertEvent:
    at: datetime
    who: str
    act: str
    note: str


_SELECT = """
SELECT a.*, ST_XMin(a.geom) AS west, ST_YMin(a.geom) AS south,
       ST_XMax(a.geom) AS east, ST_YMax(a.geom) AS north,
       ARRAY(SELECT c.code || ' ' || c.full_name FROM layer.communes c
             WHERE c.code = ANY(a.communes) ORDER BY c.code) AS named
FROM gis.alert a
"""


def list_alerts(
    connection: Connection, *, layers: Sequence[str], statuses: Sequence[Status] = tuple(Status)
) -> list[Alert]:
    """The alerts of these layers, live ones first, the newest first."""
    rows = connection.execute(
        text(
            _SELECT + "WHERE a.layer_id = ANY(:layers) AND a.status = ANY(:statuses)"
            " ORDER BY a.status = 'resolved', a.opened_at DESC, a.id DESC"
        ),
        {"layers": list(layers), "statuses": [status.value for status in statuses]},
    )
    return [_alert(row) for row in rows]


def get_alert(connection: Connection, alert_id: int) -> Alert:
    """Raises NotFound."""
    row = connection.execute(text(_SELECT + "WHERE a.id = :id"), {"id": alert_id}).one_or_none()
    if row is None:
        raise NotFound(f"there is no alert {alert_id}")
    return _alert(row)


def history(connection: Connection, alert_id: int) -> list[AlertEvent]:
    rows = connection.execute(
        text("SELECT at, who, act, note FROM gis.alert_event WHERE alert_id = :id ORDER BY id"),
        {"id": alert_id},
    )
    return [AlertEvent(*row) for row in rows]


def acknowledge(connection: Connection, alert_id: int, who: str, note: str = "") -> None:
    """Somebody looks after it. Raises NotFound, or Conflict unless it is open."""
    _step(connection, alert_id, who, Status.ACKNOWLEDGED, note, allowed=[Status.OPEN])


def resolve(
    connection: Connection, alert_id: int, who: str, outcome: Outcome, note: str = ""
) -> None:
    """It is over. A false alarm needs a reason. Raises NotFound, Conflict or BadInput."""
    if outcome is Outcome.FALSE and not note.strip():
        raise BadInput("a false alarm needs a reason: give it as the note")
    words = f"{outcome.value}: {note}" if note else outcome.value
    allowed = [Status.OPEN, Status.ACKNOWLEDGED]
    _step(connection, alert_id, who, Status.RESOLVED, words, allowed=allowed)


def note_event(connection: Connection, alert_id: int, who: str, act: str, note: str) -> None:
    connection.execute(
        text(
            "INSERT INTO gis.alert_event (alert_id, who, act, note)"
            " VALUES (:alert_id, :who, :act, :note)"
        ),
        {"alert_id": alert_id, "who": who, "act": act, "note": note},
    )


_STEP = text("""
UPDATE gis.alert SET status = :status, updated_at = now(),
  acknowledged_at = CASE WHEN :status = 'acknowledged' THEN now() ELSE acknowledged_at END,
  resolved_at = CASE WHEN :status = 'resolved' THEN now() END
WHERE id = :id AND status = ANY(:allowed)
""")


def _step(
    connection: Connection,
    alert_id: int,
    who: str,
    to: Status,
    note: str,
    *,
    allowed: Sequence[Status],
) -> None:
    values = {"id": alert_id, "status": to.value, "allowed": [status.value for status in allowed]}
    if connection.execute(_STEP, values).rowcount == 0:
        now = get_alert(connection, alert_id).status
        raise Conflict(f"alert {alert_id} is {now}, so it cannot become {to}")
    note_event(connection, alert_id, who, to.value, note)


def _alert(row: Row[tuple[object, ...]]) -> Alert:
    return Alert(
        id=row.id,
        layer_id=row.layer_id,
        rule=row.rule,
        status=Status(row.status),
        severity=row.severity,
        headline_vi=row.headline_vi,
        headline_en=row.headline_en,
        communes=tuple((named[:5], named[6:]) for named in row.named),
        official=row.official,
        simulated=row.simulated,
        opened_at=row.opened_at,
        updated_at=row.updated_at,
        bbox=(row.west, row.south, row.east, row.north),
    )
