"""The outbox: deliveries that wait, taken one at a time by any number of processes.

A delivery is locked by the transaction that sends it. When the process dies it still waits, and is
sent again with the same key: at least once. Deliveries of one alert to one subscription keep their
order.

A gap is the least time between two notifications of one alert to one subscription, unless its tier
rises above that of the last one. Of those that wait meanwhile the latest is sent, if it is still
news.

A digest is what waits for one subscription and is not urgent, sent as one.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Connection, Row, text

from gis.alerts.states import Act
from gis.database.engine import Database
from gis.notify.events import notification_of
from gis.notify.notification import Language, Notification

_LONGEST_DIGEST = 100  # notifications; the rest follows as another


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
    others: "tuple[Delivery, ...]" = ()  # sent with it, as one digest

    @property
    def digest(self) -> tuple[Notification, ...]:
        """All notifications of a digest; empty where there is one alone."""
        if not self.others:
            return ()
        return (self.notification, *(other.notification for other in self.others))

    @property
    def ids(self) -> list[int]:
        return [self.id, *(other.id for other in self.others)]

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
       s.digest_minutes > 0 AND gis.event_rank(n) < gis.severity_rank('urgent') AS is_gathered,
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
  AND (CAST(:gathering AS bigint) IS NULL
       OR s.id = :gathering AND d.id <> ALL(CAST(:gathered AS bigint[]))
          AND gis.event_rank(n) < gis.severity_rank('urgent'))
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
    values = {"gap": gap, "healthy": healthy, "gathering": None, "gathered": []}
    row, delivery = _first(connection, values)
    if row is None or delivery is None or not row.is_gathered:
        return delivery
    # The lock of the subscription's row, taken with the first, keeps other senders away.
    gathered = [delivery]
    while len(gathered) < _LONGEST_DIGEST:
        ids = [each.id for each in gathered]
        _, other = _first(connection, values | {"gathering": row.subscription_id, "gathered": ids})
        if other is None:
            break
        gathered.append(other)
    return _digest(gathered)


def _first(
    connection: Connection, values: Mapping[str, Any]
) -> tuple[Row[Any], Delivery] | tuple[None, None]:
    """The next delivery that is still news; those that are not are dropped on the way."""
    while (row := connection.execute(_TAKE, values).one_or_none()) is not None:
        if not values["gap"]:
            return row, _delivery(row, row.attempts)
        superseded = connection.execute(_SUPERSEDE, {"id": row.delivery_id}).scalars().all()
        if not (row.was_notified and (row.is_known or row.is_hidden)):
            return row, _delivery(row, max([row.attempts, *superseded]))
        connection.execute(_DROP, {"id": row.delivery_id})
    return None, None


def _digest(gathered: Sequence[Delivery]) -> Delivery:
    """One delivery of all: its key is another for other ones, so that no receiver takes what a
    repeat holds beside for known.
    """
    first, *others = gathered
    if not others:
        return first
    key = str(uuid5(UUID(first.key), " ".join(other.key for other in others)))
    failures = max(each.failures for each in gathered)
    return replace(first, key=key, failures=failures, others=tuple(others))


def record_delivered(connection: Connection, delivery: Delivery) -> None:
    connection.execute(
        text(
            "UPDATE gis.delivery SET status = 'delivered', attempts = attempts + 1, error = '',"
            " ended_at = clock_timestamp() WHERE id = ANY(:ids)"
        ),
        {"ids": delivery.ids},
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
            " WHERE id = ANY(:ids)"
        ),
        {"ids": delivery.ids, "failures": delivery.failures, "why": why[:500], "wait": wait},
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
