"""CAP documents of events, made once, in the order of the events, and never changed.

An event without its document is stored in gis.cap_retry and tried again, as deliveries are; a
newer document of the same alert makes it needless.
"""

import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog
from sqlalchemy import Connection, Row, text

from gis.alerts.states import ENDS, NOT_NOTIFIED, Act
from gis.alerts.store import SERVICE, record_event
from gis.database.engine import Database
from gis.errors import NotPublished
from gis.notify.backoff import Backoff
from gis.notify.cap.document import CapMessage, MessageType, Reference, cap_xml, expires_at
from gis.notify.cap.validation import cap_faults
from gis.notify.dead_letters import raise_unpublished_alerts
from gis.notify.events import notification_of
from gis.notify.notification import Notification

_PUBLISHED_ACTS = frozenset({Act.OPEN, Act.NOTIFY, Act.CORRECTED, Act.APPROVED, Act.RENEWED})
_BATCH = 50

log = structlog.get_logger("cap")


@dataclass(frozen=True, slots=True)
class EarlierDocument:
    """A document of an alert that was made before."""

    type: MessageType
    reference: Reference


# One process at a time; the others have nothing to do meanwhile.
_PROGRESS = text("SELECT seq FROM gis.cap_progress FOR UPDATE SKIP LOCKED")
_NEXT = text("""
SELECT n.*, 0 AS failures, gis.is_internal(n.alert ->> 'rule') AS is_internal
FROM gis.notification n WHERE n.seq > :seq ORDER BY n.seq LIMIT :limit
""")
_AGAIN = text("""
SELECT n.*, u.failures, gis.is_internal(n.alert ->> 'rule') AS is_internal
FROM gis.cap_retry u JOIN gis.notification n ON n.seq = u.seq
WHERE u.ended_at IS NULL AND u.due_at <= now() ORDER BY n.seq LIMIT :limit
""")
# The public's documents know nothing of those that the public cannot read.
_EARLIER = text("""
SELECT type, sender, identifier, sent FROM gis.cap_message
WHERE alert_id = :alert AND public = :public ORDER BY seq
""")
_INSERT = text("""
INSERT INTO gis.cap_message (identifier, seq, alert_id, layer_id, sender, sent, expires, type,
                             public, document)
VALUES (:identifier, :seq, :alert_id, :layer_id, :sender, :sent, :expires, :type,
        :public, :document)
""")
_DONE = text("DELETE FROM gis.cap_retry WHERE alert_id = :alert AND seq <= :seq")
_UNDONE = text("""
INSERT INTO gis.cap_retry (seq, alert_id, failures, due_at, error, ended_at)
VALUES (:seq, :alert, :failures, now() + coalesce(:wait, interval '0'), :why,
        CASE WHEN CAST(:wait AS interval) IS NULL THEN now() END)
ON CONFLICT (seq) DO UPDATE SET failures = excluded.failures, due_at = excluded.due_at,
  error = excluded.error, ended_at = excluded.ended_at
""")
# Alerts that go on while three quarters of the validity of their latest document are over; none
# twice within an hour, also if its document fails.
_RENEWED = text("""
SELECT a.id FROM gis.alert a
CROSS JOIN LATERAL (
  SELECT m.type, m.sent, m.expires FROM gis.cap_message m
  WHERE m.alert_id = a.id
    AND m.public = (gis.is_approved(a.id) AND gis.is_public(a.layer_id))
  ORDER BY m.seq DESC LIMIT 1) AS latest
WHERE a.status IN ('open', 'acknowledged') AND latest.type <> 'Cancel'
  AND now() >= latest.expires - (latest.expires - latest.sent) / 4
  AND NOT EXISTS (SELECT FROM gis.notification n WHERE n.alert_id = a.id AND n.act = 'renewed'
                  AND n.at > now() - interval '1 hour')
  AND NOT EXISTS (SELECT FROM gis.cap_retry u WHERE u.alert_id = a.id AND u.ended_at IS NULL)
ORDER BY a.id
""")


def publish_due(database: Database, sender: str, retrying: Backoff | None = None) -> int:
    """Make the documents of new events, of those that failed and are due again, and of alerts that
    outlast their document; gives the number of documents.
    """
    published = 0
    while True:
        with database.writing() as connection:
            seq = connection.scalar(_PROGRESS)
            if seq is None:
                return published
            rows = [*_again(connection), *_new(connection, seq)]
            published += sum(
                _publish(connection, row, sender, retrying or Backoff()) for row in rows
            )
            renewed = _renew(connection)
        if not rows and not renewed:
            return published


def message_type(notification: Notification, earlier: MessageType | None) -> MessageType | None:
    """The type of document that an event needs after the latest for the same readers, if any."""
    is_known = earlier is not None and earlier is not MessageType.CANCEL
    if notification.is_over or notification.act == Act.WITHDRAWN:
        return MessageType.CANCEL if is_known else None
    if notification.act not in _PUBLISHED_ACTS or notification.status in NOT_NOTIFIED:
        return None
    return MessageType.UPDATE if is_known else MessageType.ALERT


def retry_undone(connection: Connection) -> int:
    """Queue the documents again that were given up; gives their number."""
    result = connection.execute(
        text(
            "UPDATE gis.cap_retry SET failures = 0, due_at = now(), ended_at = NULL"
            " WHERE ended_at IS NOT NULL"
        )
    )
    return result.rowcount


def _again(connection: Connection) -> Sequence[Row[Any]]:
    return connection.execute(_AGAIN, {"limit": _BATCH}).all()


def _new(connection: Connection, seq: int) -> Sequence[Row[Any]]:
    rows = connection.execute(_NEXT, {"seq": seq, "limit": _BATCH}).all()
    if rows:
        connection.execute(text("UPDATE gis.cap_progress SET seq = :seq"), {"seq": rows[-1].seq})
    return rows


def _renew(connection: Connection) -> int:
    """Record an event `renewed` of each alert whose document would expire while it lasts; gives
    their number. An approval holds for as long as the alert lasts.
    """
    lasting = connection.execute(_RENEWED).scalars().all()
    for alert_id in lasting:
        record_event(connection, alert_id, SERVICE, Act.RENEWED, "", notify=False)
    return len(lasting)


def _publish(connection: Connection, row: Row[Any], sender: str, retrying: Backoff) -> bool:
    """Make the document of one event; False: it needs none, or it failed."""
    if row.is_internal:
        return False
    # That an approval was taken back is for the public.
    public = bool(row.alert.get("approved")) or row.act == Act.WITHDRAWN
    earlier = _earlier(connection, row.alert_id, public)
    try:
        notification = replace(notification_of(row), approved=public)
        message = _message(notification, earlier, sender)
    except Exception as error:  # a fault of one event must not hold up the others
        _failed(connection, row, error, retrying)
        return False
    if message is not None:
        connection.execute(_INSERT, _values(*message))
    if message is not None or row.failures or row.alert["status"] in ENDS:
        connection.execute(_DONE, {"alert": row.alert_id, "seq": row.seq})
    return message is not None


def _message(
    notification: Notification, earlier: Sequence[EarlierDocument], sender: str
) -> tuple[CapMessage, str] | None:
    """The message of an event and its text; None: it needs none. Raises NotPublished."""
    kind = message_type(notification, earlier[-1].type if earlier else None)
    if kind is None:
        return None
    references = () if kind is MessageType.ALERT else [each.reference for each in earlier]
    identifier = f"{notification.alert_id}.{notification.seq}.{secrets.token_hex(6)}"
    message = CapMessage(identifier, sender, kind, notification, references)
    document = cap_xml(message)
    faults = cap_faults(document)
    if faults:
        raise NotPublished("; ".join(faults))
    return message, document


def _failed(connection: Connection, row: Row[Any], error: Exception, retrying: Backoff) -> None:
    """Store the failure; the alert itself goes out by all other ways meanwhile."""
    # Chance that need not be secret.
    wait = retrying.wait(row.failures + 1, random.Random())
    why = f"{type(error).__name__}: {error}"[:500]
    values = {"seq": row.seq, "alert": row.alert_id, "failures": row.failures + 1}
    connection.execute(_UNDONE, values | {"wait": wait, "why": why})
    if wait is None:
        raise_unpublished_alerts(connection, row)
    kind = "no CAP document yet" if wait else "no CAP document: given up"
    log.error(kind, alert=row.alert_id, seq=row.seq, why=why)


def _earlier(connection: Connection, alert_id: int, public: bool) -> list[EarlierDocument]:
    """All documents of the alert for the same readers, the oldest first."""
    rows = connection.execute(_EARLIER, {"alert": alert_id, "public": public})
    return [
        EarlierDocument(MessageType(row.type), Reference(row.sender, row.identifier, row.sent))
        for row in rows
    ]


def _values(message: CapMessage, document: str) -> dict[str, Any]:
    notification = message.notification
    return {
        "identifier": message.identifier,
        "seq": notification.seq,
        "alert_id": notification.alert_id,
        "layer_id": notification.layer_id,
        "sender": message.sender,
        "sent": notification.at,
        "expires": expires_at(notification),
        "type": message.type.value,
        "public": notification.approved,
        "document": document,
    }
