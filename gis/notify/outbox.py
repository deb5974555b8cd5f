"""The outbox: deliveries that wait, taken one at a time by any number of processes.

A delivery is locked by the transaction that sends it. When the process dies it still waits, and is
sent again with the same key: at least once. Deliveries of one alert to one subscription keep their
order.

A gap is the least time between two notifications of one alert to one subscription, unless its tier
rises above that of the last one. Of those that wait meanwhile the latest is sent, if it is still
news.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, text

from gis.alerts.states import Act
from gis.database.engine import Database
from gis.notify.events import notification_of
from gis.notify.notification import Language, Notification


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notification to one subscription; the same key at each attempt. `secret` signs it."""

    id: int
    key: str
    failures: int
    subscription_id: int
    channel: str
    target: str
    language: Language
    secret: str | None
    notification: Notification

    def __repr__(self) -> str:
        # Never the secret or the address of a person, also not in a log.
        return f"Delivery({self.id}, key={self.key})"


# One that is due; while it is sent, nothing else goes to its subscription: a receiver that hangs
# occupies one sender, not all. Without a gap it is the oldest of its alert and subscription; with a
# gap the latest, which also waits while an earlier one waits for another attempt.
_TAKE = text("""
SELECT d.id AS delivery_id, d.key, d.attempts, d.subscription_id, s.channel,
       coalesce(p.address, s.target) AS target, s.language, w.secret,
       last.seq IS NOT NULL AS was_notified,
       n.act IN ('open', 'notify') AND n.alert -> 'status' = last.alert -> 'status'
         AND n.alert -> 'severity' = last.alert -> 'severity'
         AND n.alert -> 'observed' = last.alert -> 'observed'
         AND n.alert -> 'communes' = last.alert -> 'communes' AS is_known,
       EXISTS (SELECT FROM gis.alert a WHERE a.id = d.alert_id
               AND a.status IN ('pending', 'suppressed')) AS is_hidden,
       n.*
FROM gis.delivery d
JOIN gis.subscription s ON s.id = d.subscription_id
JOIN gis.notification n ON n.seq = d.seq
LEFT JOIN private.webhook_secret w ON w.subscription_id = s.id
LEFT JOIN private.subscription_address p ON p.subscription_id = s.id
LEFT JOIN LATERAL (
  SELECT e.ended_at, m.seq, m.alert FROM gis.delivery e JOIN gis.notification m ON m.seq = e.seq
  WHERE e.subscription_id = d.subscription_id AND e.alert_id = d.alert_id
    AND e.status = 'delivered'
  ORDER BY e.ended_at DESC, e.id DESC LIMIT 1) AS last ON true
WHERE d.status = 'waiting' AND d.due_at <= now() AND s.ended_at IS NULL
  AND NOT EXISTS (SELECT FROM gis.delivery other
                  WHERE other.status = 'waiting' AND other.alert_id = d.alert_id
                    AND other.subscription_id = d.subscription_id
                    AND CASE WHEN CAST(:gap AS interval) = interval '0' THEN other.id < d.id
                             ELSE other.id > d.id OR other.due_at > now() END)
  AND (last.seq IS NULL OR last.ended_at <= now() - CAST(:gap AS interval)
       OR gis.severity_rank(n.alert ->> 'severity')
          > gis.severity_rank(last.alert ->> 'severity'))
  AND NOT (:healthy AND EXISTS (
      SELECT FROM gis.delivery failed
      WHERE failed.status = 'waiting' AND failed.subscription_id = d.subscription_id
        AND failed.attempts > 0))
ORDER BY d.due_at, d.id LIMIT 1
FOR NO KEY UPDATE OF d, s SKIP LOCKED
""")
_SUPERSEDE = text("""
UPDATE gis.delivery SET status = 'superseded', ended_at = clock_timestamp()
WHERE status = 'waiting' AND id < :id
  AND (alert_id, subscription_id)
      = (SELECT d.alert_id, d.subscription_id FROM gis.delivery d WHERE d.id = :id)
RETURNING attempts
""")
_DROP = text(
    "UPDATE gis.delivery SET status = 'superseded', ended_at = clock_timestamp() WHERE id = :id"
)


@contextmanager
def taken(
    database: Database, gap: timedelta = timedelta(0), *, healthy: bool = False
) -> Iterator[tuple[Connection, Delivery | None]]:
    """A transaction that locks the next delivery that is due; None when there is none unlocked.

    `gap`: least time between two of one alert to one subscription. `healthy`: leave out
    subscriptions of which a failed delivery waits.
    """
    with database.writing() as connection:
        yield connection, _next(connection, gap, healthy)


def _next(connection: Connection, gap: timedelta, healthy: bool) -> Delivery | None:
    values = {"gap": gap, "healthy": healthy}
    while (row := connection.execute(_TAKE, values).one_or_none()) is not None:
        if not gap:
            return _delivery(row, row.attempts)
        superseded = connection.execute(_SUPERSEDE, {"id": row.delivery_id}).scalars().all()
        if not (row.was_notified and (row.is_known or row.is_hidden)):
            return _delivery(row, max([row.attempts, *superseded]))
        connection.execute(_DROP, {"id": row.delivery_id})
    return None


def record_delivered(connection: Connection, delivery: Delivery) -> None:
    connection.execute(
        text(
            "UPDATE gis.delivery SET status = 'delivered', attempts = attempts + 1, error = '',"
            " ended_at = clock_timestamp() WHERE id = :id"
        ),
        {"id": delivery.id},
    )


def record_failure(
    connection: Connection, delivery: Delivery, why: str, wait: timedelta | None
) -> None:
    """Store a failed attempt: the next is due after `wait`; None: a dead letter."""
    connection.execute(
        text(
            "UPDATE gis.delivery SET attempts = :failures + 1, error = :why,"
            " status = CASE WHEN CAST(:wait AS interval) IS NULL THEN 'dead' ELSE 'waiting' END,"
            " due_at = clock_timestamp() + coalesce(:wait, interval '0'),"
            " ended_at = CASE WHEN CAST(:wait AS interval) IS NULL THEN clock_timestamp() END"
            " WHERE id = :id"
        ),
        {"id": delivery.id, "failures": delivery.failures, "why": why[:500], "wait": wait},
    )


def _delivery(row: Row[Any], failures: int) -> Delivery:
    notification = notification_of(row)
    if not row.was_notified and notification.act == Act.NOTIFY:
        # The recipient's first notification of this alert: to them it opens.
        notification = replace(notification, act=Act.OPEN.value)
    return Delivery(
        id=row.delivery_id,
        key=str(row.key),
        failures=failures,
        subscription_id=row.subscription_id,
        channel=row.channel,
        target=row.target,
        language=Language(row.language),
        secret=row.secret,
        notification=notification,
    )
