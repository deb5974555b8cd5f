"""The outbox: deliveries that wait, taken one at a time by any number of processes.

A delivery is held by the transaction that sends it. A process that dies leaves it waiting, so it
is sent again with the same key. Deliveries of one alert to one subscription keep their order.

With a gap, so much time lies between two that arrive of one alert at one subscription, unless its
tier is higher than the one told last. What waits meanwhile is sent as one, the newest, if it is
still news.
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
    """One message to one subscription; the same key at each attempt. `secret` signs webhooks."""

    id: int
    key: str
    failures: int
    subscription_id: int
    channel: str
    target: str
    language: Language
    secret: str | None
    told: Notification

    def __repr__(self) -> str:
        return f"Delivery({self.id}, key={self.key})"  # never the secret, also not in a log


# One that is due; while it is sent, nothing else goes to its subscription: a receiver that hangs
# holds one sender, not all. Without a gap it is the oldest of its alert and subscription, with one
# the newest, which also waits for as long as one before it that is tried again.
_TAKE = text("""
SELECT d.id AS delivery_id, d.key, d.attempts, d.subscription_id, s.channel, s.target, s.language,
       w.secret, last.seq IS NOT NULL AS has_heard,
       n.act IN ('open', 'notify') AND n.alert -> 'status' = last.alert -> 'status'
         AND n.alert -> 'severity' = last.alert -> 'severity'
         AND n.alert -> 'observed' = last.alert -> 'observed'
         AND n.alert -> 'communes' = last.alert -> 'communes' AS is_known,
       EXISTS (SELECT FROM gis.alert a WHERE a.id = d.alert_id
               AND a.status IN ('pending', 'suppressed')) AS is_untold,
       n.*
FROM gis.delivery d
JOIN gis.subscription s ON s.id = d.subscription_id
JOIN gis.notice n ON n.seq = d.seq
LEFT JOIN private.webhook_secret w ON w.subscription_id = s.id
LEFT JOIN LATERAL (
  SELECT e.ended_at, m.seq, m.alert FROM gis.delivery e JOIN gis.notice m ON m.seq = e.seq
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
_FORGET = text(
    "UPDATE gis.delivery SET status = 'superseded', ended_at = clock_timestamp() WHERE id = :id"
)


@contextmanager
def taken(
    database: Database, gap: timedelta = timedelta(0), *, healthy: bool = False
) -> Iterator[tuple[Connection, Delivery | None]]:
    """A transaction that holds the next delivery that is due; None when none is free.

    `gap`: least time between two of one alert to one subscription. `healthy`: none to a
    subscription one of whose messages failed and waits.
    """
    with database.writing() as connection:
        yield connection, _next(connection, gap, healthy)


def _next(connection: Connection, gap: timedelta, healthy: bool) -> Delivery | None:
    values = {"gap": gap, "healthy": healthy}
    while (row := connection.execute(_TAKE, values).one_or_none()) is not None:
        if not gap:
            return _delivery(row, row.attempts)
        before = connection.execute(_SUPERSEDE, {"id": row.delivery_id}).scalars().all()
        if not (row.has_heard and (row.is_known or row.is_untold)):
            return _delivery(row, max([row.attempts, *before]))
        connection.execute(_FORGET, {"id": row.delivery_id})
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
    """It failed: tried again after `wait`, dead where there is none."""
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
    told = notification_of(row)
    if not row.has_heard and told.act == Act.NOTIFY:
        told = replace(told, act=Act.OPEN.value)  # to who hears of it for the first time
    return Delivery(
        id=row.delivery_id,
        key=str(row.key),
        failures=failures,
        subscription_id=row.subscription_id,
        channel=row.channel,
        target=row.target,
        language=Language(row.language),
        secret=row.secret,
        told=told,
    )
