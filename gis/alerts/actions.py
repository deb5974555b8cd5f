"""Alerts as people see them, and their actions on them; each is an event with person and note."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, text

from gis.alerts.engine import AlertState, Step
from gis.alerts.gathering import SITUATION
from gis.alerts.identity import shares_most
from gis.alerts.notes import check_comment
from gis.alerts.policy import Tier
from gis.alerts.states import ENDS, LIVE, Act, Outcome, Status, check_move
from gis.alerts.store import SERVICE, locked_alert, record_event, write_step
from gis.alerts.suppression import InhibitedBy, Reason, Silenced
from gis.clock import HERE
from gis.errors import BadInput, Conflict, NotFound


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert in its present state. `bbox` is west, south, east, north in degrees, WGS 84; None
    where it has no shape, since no communes are stored.
    """

    id: int
    layer_id: str
    rule: str
    stream: str
    status: Status
    severity: str
    headline_vi: str
    headline_en: str
    detail_vi: str
    detail_en: str
    communes: tuple[tuple[str, str], ...]  # code, full name of today, or of its last day
    observed: float
    expected: float | None
    p: float | None
    recurrence_days: float | None
    since: datetime  # of the evidence
    until: datetime
    records: tuple[int, ...]  # ids of the layer's rows that are its evidence
    official: bool
    simulated: bool
    opened_at: datetime
    updated_at: datetime
    outcome: Outcome | None
    approved: bool  # it was made public, as its layer is
    published: bool  # everybody sees it now
    internal: bool  # for operators alone
    suppressed_why: Reason | None
    people: float | None  # inhabitants of its hexes; None: unknown, or it has ended
    acknowledged_by: str | None  # the person who has it, or had it when it ended
    acknowledged_at: datetime | None  # since when
    within_id: int | None  # the situation that it is part of
    within_published: bool  # everybody sees that too
    situation: Mapping[str, Any] | None  # of one: communes, streams and voices by hour, ranked
    bbox: tuple[float, float, float, float] | None


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """One event of an alert's history."""

    at: datetime
    who: str
    act: str
    note: str


_SELECT = """
SELECT a.*, ST_XMin(a.geom) AS west, ST_YMin(a.geom) AS south,
       ST_XMax(a.geom) AS east, ST_YMax(a.geom) AS north,
       ARRAY(SELECT u.code || ' ' || u.full_name FROM gis.alert_communes(a) u) AS named,
       gis.is_approved(a.id) AND gis.is_public(a.layer_id) AS approved,
       a.id IN (SELECT p.id FROM gis.published_alert p) AS published,
       a.within_id IN (SELECT p.id FROM gis.published_alert p) AS within_published,
       why.silence_id, why.silence_who, why.silence_why, why.within_id AS inhibited_by,
       gis.is_internal(a.rule) AS internal, people.sum AS people,
       taken.who AS acknowledged_by, taken.at AS taken_at
FROM gis.alert a
LEFT JOIN LATERAL (
  SELECT e.who, e.at FROM gis.alert_event e
  WHERE a.acknowledged_at IS NOT NULL AND e.alert_id = a.id AND e.act = 'acknowledged'
    AND e.who <> 'service'
  ORDER BY e.id DESC LIMIT 1) AS taken ON true
LEFT JOIN LATERAL (
  SELECT sum(p.people) AS sum FROM gis.population p
  WHERE a.status IN ('pending', 'open', 'acknowledged', 'suppressed')
    AND p.cell = ANY(a.cells)) AS people ON true
LEFT JOIN LATERAL (
  SELECT e.silence_id, s.who AS silence_who, s.why AS silence_why, e.within_id
  FROM gis.alert_event e LEFT JOIN gis.silence s ON s.id = e.silence_id
  WHERE a.status = 'suppressed' AND e.alert_id = a.id AND e.act = 'suppressed'
  ORDER BY e.id DESC LIMIT 1) AS why ON true
"""


# The person who did it, where the service has returned to that state since.
_LAST = text("""
SELECT at, who FROM gis.alert_event WHERE alert_id = :id AND act = :act
ORDER BY who = :service, id DESC LIMIT 1
""")


_IN_ORDER = """
ORDER BY a.status = ANY(:ends),
         CASE WHEN a.status <> ALL(:ends)
         THEN array_position(CAST(:severities AS text[]), a.severity) END,
         CASE WHEN a.status <> ALL(:ends) THEN a.rule NOT IN ('situation', 'joint') END,
         CASE WHEN a.status <> ALL(:ends) THEN a.status <> 'open' END,
         CASE WHEN a.status <> ALL(:ends) AND a.severity = 'urgent'
         THEN ARRAY[coalesce(a.observed - coalesce(a.expected, 0), 0), coalesce(people.sum, 0),
                    cardinality(a.communes)] END DESC NULLS LAST,
         a.opened_at DESC, a.id DESC
"""


def list_alerts(
    connection: Connection,
    *,
    layers: Sequence[str],
    statuses: Sequence[Status] = tuple(Status),
    tiers: Sequence[Tier] = tuple(Tier),
    ids: Sequence[int] = (),
) -> list[Alert]:
    """The alerts of these layers: live ones by severity, of which situations come first, then those
    that nobody has acknowledged, the newest first; then those that have ended, the newest first.

    Urgent ones that are live are ranked before that by their excess (observed less expected), then
    by the people in their hexes, then by the number of communes. `ids`: only these numbers; none:
    any.
    """
    values = {
        "layers": list(layers),
        "statuses": _values(statuses),
        "tiers": _values(tiers),
        "ids": list(ids),
    }
    sorting = {"ends": _values(sorted(ENDS)), "severities": _values(list(Tier)[::-1])}
    rows = connection.execute(
        text(
            _SELECT + "WHERE a.layer_id = ANY(:layers) AND a.status = ANY(:statuses)"
            " AND a.severity = ANY(:tiers)"
            " AND (CAST(:ids AS bigint[]) = '{}' OR a.id = ANY(:ids))" + _IN_ORDER
        ),
        values | sorting,
    )
    return [_alert(row) for row in rows]


def get_alert(connection: Connection, alert_id: int) -> Alert:
    """Raises NotFound."""
    row = connection.execute(text(_SELECT + "WHERE a.id = :id"), {"id": alert_id}).one_or_none()
    if row is None:
        raise NotFound(f"there is no alert {alert_id}")
    return _alert(row)


@dataclass(frozen=True, slots=True)
class Outline:
    """The place of an alert: its area as GeoJSON with at most some thousand vertices, and a point
    (longitude, latitude) for its mark. A situation's is in the commune that leads it.
    """

    geometry: Mapping[str, Any]
    point: tuple[float, float]


def outlines(connection: Connection, alert_ids: Sequence[int]) -> dict[int, Outline]:
    """The places of alerts by their numbers, but of those without a shape."""
    rows = connection.execute(_OUTLINES, {"ids": list(alert_ids)})
    return {row.id: Outline(row.geometry, (row.lon, row.lat)) for row in rows}


_OUTLINES = text("""
SELECT a.id, gis.payload_shape(a.geom) AS geometry, ST_X(mark.point) AS lon, ST_Y(mark.point) AS lat
FROM gis.alert a
CROSS JOIN LATERAL (
  SELECT coalesce(a.centre,
                  (SELECT ST_PointOnSurface(c.geom) FROM layer.communes c
                   WHERE c.code = a.measures #>> '{situation,communes,0,code}'),
                  ST_PointOnSurface(a.geom)) AS point) AS mark
WHERE a.id = ANY(:ids) AND NOT ST_IsEmpty(a.geom)
""")


def history(connection: Connection, alert_id: int) -> list[AlertEvent]:
    """The events of an alert, the oldest first."""
    rows = connection.execute(
        text("SELECT at, who, act, note FROM gis.alert_event WHERE alert_id = :id ORDER BY id"),
        {"id": alert_id},
    )
    return [AlertEvent(*row) for row in rows]


def acknowledge(connection: Connection, alert_id: int, who: str, note: str = "") -> None:
    """Take the alert on. Raises NotFound, BadInput, or Conflict unless it is open."""
    check_comment(note)
    alert = _locked(connection, alert_id)
    _check_new(connection, alert, ENDS | {Status.ACKNOWLEDGED})
    if alert.status is not Status.OPEN:
        raise Conflict(f"{alert.name} is {alert.status}, so it cannot become acknowledged")
    held = replace(alert, status=Status.ACKNOWLEDGED, escalate_at=None)
    _do(connection, Step(held, Act.ACKNOWLEDGED, note, notify=True), who)


def take_over(connection: Connection, alert_id: int, who: str, note: str = "") -> None:
    """Take an alert over from the person who has it, as at a change of shifts; nobody is notified.

    Raises NotFound, BadInput, or Conflict unless somebody else has it.
    """
    check_comment(note)
    alert = _locked(connection, alert_id)
    if alert.status is not Status.ACKNOWLEDGED:
        raise Conflict(f"{alert.name} is {alert.status}: nobody has it who could hand it over")
    holder = get_alert(connection, alert_id).acknowledged_by
    if holder == who:
        raise Conflict(f"{alert.name} is yours already")
    words = f"taken over from {holder}" + (f": {note}" if note else "")
    record_event(connection, alert_id, who, Act.ACKNOWLEDGED, words, notify=False)


def resolve(
    connection: Connection, alert_id: int, who: str, outcome: Outcome, note: str = ""
) -> None:
    """End the alert, and those within it that rest on its records: told twice, they end together.

    A false alarm needs a reason. Raises NotFound, Conflict or BadInput.
    """
    check_comment(note)
    if outcome is Outcome.FALSE and not note.strip():
        raise BadInput("a false alarm needs a reason: give it as the note")
    alert = _locked(connection, alert_id)
    _check_new(connection, alert, ENDS)
    check_move(alert.name, alert.status, outcome.status)
    _end(connection, alert, who, outcome, note)
    for number in connection.scalars(_WITHIN, {"id": alert_id, "live": _values(sorted(LIVE))}):
        twin = _locked(connection, number)
        if shares_most(twin.signal.records, alert.signal.records):
            _end(connection, twin, who, outcome, f"with alert {alert_id}: {note}".rstrip(": "))


def _end(connection: Connection, alert: AlertState, who: str, outcome: Outcome, note: str) -> None:
    ended = replace(alert, status=outcome.status, resumes=None, escalate_at=None)
    words = f"{outcome.value}: {note}" if note else outcome.value
    notify = alert.last_notification is not None
    _do(connection, Step(ended, Act(outcome.status.value), words, notify=notify), who)
    connection.execute(
        text("UPDATE gis.alert SET outcome = :outcome WHERE id = :id"),
        {"outcome": outcome.value, "id": alert.id},
    )


# Live alerts of the same layer that are part of one, a situation, or are inhibited by it.
_WITHIN = text("""
SELECT a.id FROM gis.alert a JOIN gis.alert o ON o.id = :id AND o.layer_id = a.layer_id
WHERE a.status = ANY(:live)
  AND (a.within_id = o.id
       OR a.status = 'suppressed'
          AND o.id = (SELECT e.within_id FROM gis.alert_event e
                      WHERE e.alert_id = a.id AND e.act = 'suppressed' ORDER BY e.id DESC LIMIT 1))
ORDER BY a.id
""")


def comment(connection: Connection, alert_id: int, who: str, note: str) -> None:
    """Add a remark to the history. Raises NotFound or BadInput."""
    check_comment(note)
    if not note.strip():
        raise BadInput("a comment needs words: give them as the note")
    _locked(connection, alert_id)
    record_event(connection, alert_id, who, Act.COMMENT, note, notify=False)


def _locked(connection: Connection, alert_id: int) -> AlertState:
    alert = locked_alert(connection, alert_id)
    if alert is None:
        raise NotFound(f"there is no alert {alert_id}")
    return alert


def _check_new(connection: Connection, alert: AlertState, done: frozenset[Status]) -> None:
    """Raises Conflict where it is done already, naming the person and the time."""
    if alert.status not in done:
        return
    values = {"id": alert.id, "act": alert.status.value, "service": SERVICE}
    at, who = connection.execute(_LAST, values).one()
    when = at.astimezone(HERE).strftime("%H:%M %d/%m/%Y")
    raise Conflict(f"{alert.name} is {alert.status} already, by {who} since {when}")


def _values(words: Sequence[StrEnum]) -> list[str]:
    return [word.value for word in words]


def _do(connection: Connection, step: Step, who: str) -> None:
    now: datetime = connection.execute(text("SELECT now()")).scalar_one()
    write_step(connection, step, now, who)


def _alert(row: Row[tuple[object, ...]]) -> Alert:
    plain = {name: getattr(row, name) for name in _PLAIN}
    return Alert(
        **plain,
        status=Status(row.status),
        communes=tuple((named[:5], named[6:]) for named in row.named),
        records=tuple(row.records),
        outcome=Outcome(row.outcome) if row.outcome else None,
        suppressed_why=_reason(row),
        acknowledged_at=row.taken_at,
        within_published=bool(row.within_published),
        situation=row.measures.get(SITUATION),
        bbox=None if row.west is None else (row.west, row.south, row.east, row.north),
    )


def _reason(row: Row[tuple[object, ...]]) -> Reason | None:
    if row.silence_id is not None:
        return Silenced(row.silence_id, row.silence_who, row.silence_why)
    return None if row.inhibited_by is None else InhibitedBy(row.inhibited_by)


_PLAIN = (
    "id", "layer_id", "rule", "stream", "severity", "headline_vi", "headline_en", "detail_vi",
    "detail_en", "observed", "expected", "p", "recurrence_days", "since", "until", "official",
    "simulated", "opened_at", "updated_at", "approved", "published", "acknowledged_by",
    "people", "within_id", "internal",
)  # fmt: skip
