"""The sender: deliveries of the outbox that are due leave by their channels."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from sqlalchemy import Connection

from gis.database.engine import Database
from gis.deadline import deadline
from gis.errors import NotDelivered, Undeliverable
from gis.notify.backoff import Backoff
from gis.notify.channels import channels_from
from gis.notify.channels.channel import Channel
from gis.notify.dead_letters import raise_dead_letter_alerts
from gis.notify.outbox import Delivery, record_delivered, record_failure, taken
from gis.settings import Settings

log = structlog.get_logger("delivery")


@dataclass(frozen=True, slots=True)
class Sender:
    """The channels by which notifications leave, and when a failed one is tried again."""

    channels: Mapping[str, Channel]  # by name
    timeout_s: float = 20.0  # for the whole of an attempt
    retrying: Backoff = field(default_factory=Backoff)
    gap: timedelta = timedelta(0)  # between two of one alert to one subscription; 0: each is sent

    def send(self, delivery: Delivery) -> None:
        """One attempt. Raises NotDelivered, and Undeliverable where no other can succeed."""
        channel = self.channels.get(delivery.channel)
        if channel is None:
            raise Undeliverable(
                f"this service has no channel {delivery.channel}: subscribe by "
                f"{' or '.join(self.channels)}"
            )
        with deadline(self.timeout_s) as until:
            channel.send(delivery, until)


def sender_of(settings: Settings) -> Sender:
    """The sender as the settings configure it. Raises BadInput."""
    return Sender(
        channels=channels_from(settings),
        timeout_s=settings.delivery_timeout_s,
        retrying=Backoff(settings.delivery_attempts, timedelta(seconds=settings.delivery_retry_s)),
        gap=timedelta(minutes=settings.notification_gap_minutes),
    )


def send_due(database: Database, sender: Sender, *, healthy: bool = False) -> int:
    """Send the deliveries that are due, one after the other; gives the number of attempts.

    `healthy`: only to subscriptions of which no failed delivery waits.
    """
    tried = 0
    while send_next(database, sender, healthy=healthy):
        tried += 1
    return tried


def send_next(database: Database, sender: Sender, *, healthy: bool = False) -> bool:
    """Send the next delivery that is due and not held by another sender; False: there is none."""
    with taken(database, sender.gap, healthy=healthy) as (connection, delivery):
        if delivery is None:
            return False
        try:
            sender.send(delivery)
        except NotDelivered as error:
            _failed(connection, delivery, error, sender.retrying)
        else:
            record_delivered(connection, delivery)
            log.info("delivered", key=delivery.key, channel=delivery.channel)
        return True


def _failed(
    connection: Connection, delivery: Delivery, error: NotDelivered, retrying: Backoff
) -> None:
    # Chance that need not be secret.
    wait = retrying.wait(delivery.failures + 1, random.Random())
    if isinstance(error, Undeliverable):
        wait = None
    record_failure(connection, delivery, str(error), wait)
    if wait is None:
        raise_dead_letter_alerts(connection, delivery)
    kind = "not delivered" if wait else "given up"
    log.warning(kind, key=delivery.key, channel=delivery.channel, why=str(error))
