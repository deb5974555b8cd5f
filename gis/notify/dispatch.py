"""Sending what waits in the outbox, until nothing more is due."""

import random
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from sqlalchemy import Connection

from gis.database.engine import Database
from gis.egress import EgressPolicy, networks_of
from gis.notify.backoff import Backoff
from gis.notify.channels.mail import MailServer, mail_server, send_mail
from gis.notify.channels.webhook import send_webhook
from gis.notify.dead_letters import raise_dead_letter_alerts
from gis.notify.errors import NotDelivered, Undeliverable
from gis.notify.outbox import Delivery, record_delivered, record_failure, taken
from gis.settings import Settings

log = structlog.get_logger("delivery")


@dataclass(frozen=True, slots=True)
class Sender:
    """By which ways messages leave, and when they are tried again."""

    reach: EgressPolicy
    mail: MailServer | None = None
    map_url: str | None = None  # of the map, without a final slash
    timeout_s: float = 20.0  # for the whole of an attempt
    retrying: Backoff = field(default_factory=Backoff)
    gap: timedelta = timedelta(0)  # between two of one alert to one subscription; 0: each is sent

    def send(self, delivery: Delivery) -> None:
        """Raises NotDelivered."""
        if delivery.channel == "webhook":
            send_webhook(delivery, self.reach, self.timeout_s)
        elif self.mail is None:
            raise NotDelivered("no mail server: set GIS_SMTP_URL")
        else:
            send_mail(delivery, self.mail, self.timeout_s, self.map_url)


def sender_of(settings: Settings) -> Sender:
    """As the settings say. Raises BadInput."""
    mail = settings.smtp_url and mail_server(
        settings.smtp_url.get_secret_value(), settings.mail_from
    )
    first = timedelta(seconds=settings.delivery_retry_s)
    return Sender(
        reach=EgressPolicy(networks_of(settings.webhook_networks)),
        mail=mail or None,
        map_url=settings.public_url,
        timeout_s=settings.delivery_timeout_s,
        retrying=Backoff(settings.delivery_attempts, first),
        gap=timedelta(minutes=settings.notification_gap_minutes),
    )


def send_due(database: Database, sender: Sender, *, healthy: bool = False) -> int:
    """Send what is due, one after the other; gives how many were tried.

    `healthy`: only to subscriptions none of whose messages waits for another attempt.
    """
    tried = 0
    while send_next(database, sender, healthy=healthy):
        tried += 1
    return tried


def send_next(database: Database, sender: Sender, *, healthy: bool = False) -> bool:
    """Send the next delivery that is due and free; whether there was one."""
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
