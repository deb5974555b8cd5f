"""CAP documents of notices, made once, in their order, and never changed."""

import secrets
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection, text

from gis.alerts.states import UNTOLD, Act
from gis.database.engine import Database
from gis.delivery.cap import CapMessage, MessageType, Reference, cap_xml
from gis.delivery.cap_check import cap_faults
from gis.delivery.notices import told_of
from gis.delivery.told import Told

_PUBLISHED_ACTS = frozenset({Act.OPEN, Act.NOTIFY, Act.APPROVED})
_BATCH = 50

log = structlog.get_logger("cap")


@dataclass(frozen=True, slots=True)
class Earlier:
    """A document of an alert that was made before."""

    type: MessageType
    reference: Reference


# One process at a time; the others have nothing to do meanwhile.
_PROGRESS = text("SELECT seq FROM gis.cap_progress FOR UPDATE SKIP LOCKED")
_NEXT = text("SELECT * FROM gis.notice WHERE seq > :seq ORDER BY seq LIMIT :limit")
# The public's documents know nothing of those that the public cannot read.
_EARLIER = text("""
SELECT type, sender, identifier, sent FROM gis.cap_message
WHERE alert_id = :alert AND public = :public ORDER BY seq
""")
_INSERT = text("""
INSERT INTO gis.cap_message (identifier, seq, alert_id, layer_id, sender, sent, type, public,
                             document)
VALUES (:identifier, :seq, :alert_id, :layer_id, :sender, :sent, :type, :public, :document)
""")


def publish_due(database: Database, sender: str) -> int:
    """Make the documents of all new notices; gives how many were made."""
    made = 0
    while True:
        with database.writing() as connection:
            notices = _take(connection)
            made += sum(_publish(connection, told, sender) for told in notices)
        if len(notices) < _BATCH:
            return made


def message_type(told: Told, earlier: MessageType | None) -> MessageType | None:
    """Which document a step needs, after the newest one for the same readers; None: none."""
    is_known = earlier is not None and earlier is not MessageType.CANCEL
    if told.is_over:
        return MessageType.CANCEL if is_known else None
    if told.act not in _PUBLISHED_ACTS or told.status in UNTOLD:
        return None
    return MessageType.UPDATE if is_known else MessageType.ALERT


def _take(connection: Connection) -> list[Told]:
    seq = connection.scalar(_PROGRESS)
    if seq is None:
        return []
    found = [told_of(row) for row in connection.execute(_NEXT, {"seq": seq, "limit": _BATCH})]
    if found:
        connection.execute(text("UPDATE gis.cap_progress SET seq = :seq"), {"seq": found[-1].seq})
    return found


def _publish(connection: Connection, told: Told, sender: str) -> bool:
    earlier = _earlier(connection, told)
    kind = message_type(told, earlier[-1].type if earlier else None)
    if kind is None:
        return False
    references = () if kind is MessageType.ALERT else [each.reference for each in earlier]
    identifier = f"{told.alert_id}.{told.seq}.{secrets.token_hex(6)}"
    message = CapMessage(identifier, sender, kind, told, references)
    document = cap_xml(message)
    faults = cap_faults(document)
    if faults:  # never published; the alert itself is told by all other ways
        log.error("no CAP document", alert=told.alert_id, faults=faults)
        return False
    connection.execute(_INSERT, _values(message, document))
    return True


def _earlier(connection: Connection, told: Told) -> list[Earlier]:
    """All documents of the alert for the same readers, the oldest first."""
    rows = connection.execute(_EARLIER, {"alert": told.alert_id, "public": told.approved})
    return [
        Earlier(MessageType(row.type), Reference(row.sender, row.identifier, row.sent))
        for row in rows
    ]


def _values(message: CapMessage, document: str) -> dict[str, Any]:
    told = message.told
    return {
        "identifier": message.identifier,
        "seq": told.seq,
        "alert_id": told.alert_id,
        "layer_id": told.layer_id,
        "sender": message.sender,
        "sent": told.at,
        "type": message.type.value,
        "public": told.approved,
        "document": document,
    }
