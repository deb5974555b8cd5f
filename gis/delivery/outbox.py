"""The outbox: deliveries that wait, taken one at a time by any number of processes.

A delivery is held by the transaction that sends it. A process that dies leaves it waiting, so it
is sent again with the same key. Deliveries of one alert to one subscription keep their order.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, text

from gis.database.engine import Database
from gis.delivery.notices import told_of
from gis.delivery.told import Language, Told


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
    told: Told

    def __repr__(self) -> str:
        return f"Delivery({self.id}, key={self.key})"  # never the secret, also not in a log


# One that is due and before which no other of its alert waits. While it is sent, nothing else goes
# to its subscription: a receiver that hangs holds one sender, not all.
_TAKE = text("""
SELECT d.id AS delivery_id, d.key, d.attempts, d.subscription_id, s.channel, s.target, s.language,
       w.secret, n.*
FROM gis.delivery d
JOIN gis.subscription s ON s.id = d.subscription_id
JOIN gis.notice n ON n.seq = d.seq
LEFT JOIN private.webhook_secret w ON w.subscription_id = s.id
WHERE d.status = 'waiting' AND d.due_at <= now() AND s.ended_at IS NULL
  AND NOT EXISTS (SELECT FROM gis.delivery earlier
                  WHERE earlier.status = 'waiting' AND earlier.alert_id = d.alert_id
                    AND earlier.subscription_id = d.subscription_id AND earlier.id < d.id)
ORDER BY d.due_at, d.id LIMIT 1
FOR NO KEY UPDATE OF d, s SKIP LOCKED
""")


@contextmanager
def taken(database: Database) -> Iterator[tuple[Connection, Delivery | None]]:
    """A transaction that holds the next delivery that is due; None when none is free."""
    with database.writing() as connection:
        row = connection.execute(_TAKE).one_or_none()
        yield connection, None if row is None else _delivery(row)


def note_delivered(connection: Connection, delivery: Delivery) -> None:
    connection.execute(
        text(
            "UPDATE gis.delivery SET status = 'delivered', attempts = attempts + 1, error = '',"
            " ended_at = clock_timestamp() WHERE id = :id"
        ),
        {"id": delivery.id},
    )


def note_failure(
    connection: Connection, delivery: Delivery, why: str, wait: timedelta | None
) -> None:
    """It failed: tried again after `wait`, dead where there is none."""
    connection.execute(
        text(
            "UPDATE gis.delivery SET attempts = attempts + 1, error = :why,"
            " status = CASE WHEN CAST(:wait AS interval) IS NULL THEN 'dead' ELSE 'waiting' END,"
            " due_at = clock_timestamp() + coalesce(:wait, interval '0'),"
            " ended_at = CASE WHEN CAST(:wait AS interval) IS NULL THEN clock_timestamp() END"
            " WHERE id = :id"
        ),
        {"id": delivery.id, "why": why[:500], "wait": wait},
    )


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        id=row.delivery_id,
        key=str(row.key),
        failures=row.attempts,
        subscription_id=row.subscription_id,
        channel=row.channel,
        target=row.target,
        language=Language(row.language),
        secret=row.secret,
        told=told_of(row),
    )
