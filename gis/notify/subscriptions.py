"""Subscriptions: the recipients of alerts, with channel, address, language and choice."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from gis.alerts.policy import Tier
from gis.boundaries.codes import check_communes
from gis.errors import BadInput, Conflict, NotFound
from gis.notify.channels.channel import Channel
from gis.notify.notification import Language
from gis.notify.quiet_hours import QuietHours

# As a recipient in a layer file: all subscriptions whose person is on duty.
ON_DUTY = "on-duty"


@dataclass(frozen=True, slots=True)
class SubscriptionRequest:
    """The alerts that a recipient wants, and the address. Without layers: all but private ones.

    For a layer whose file names the subscription, the file decides instead.
    """

    name: str
    channel: str  # a name in gis.notify.channels
    target: str  # address within the channel; listed as `Channel.shown_address` gives it
    language: Language = Language.VI
    layers: tuple[str, ...] = ()
    communes: tuple[str, ...] = ()  # codes; none: everywhere
    least_severity: Tier = Tier.ALERT
    simulated: bool = False  # whether alerts on simulated data are sent as well
    only_named: bool = False  # only alerts of layers whose files name it
    on_duty: bool = False  # only while its person is on duty by the roster, and for what
    person: str = ""  # as the roster names whose it is; empty: its name
    quiet_hours: QuietHours | None = None  # in which only what is urgent is sent
    digest_minutes: int = 0  # what is not urgent is gathered for so long; 0: each is sent by itself


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription in force, with counts of its deliveries; never with its secret."""

    id: int
    request: SubscriptionRequest
    created_at: datetime
    created_by: str
    delivered: int
    waiting: int
    dead: int  # failed deliveries: given up after the last attempt
    error: str  # of the latest delivery that failed; empty: none failed


_INSERT = text("""
INSERT INTO gis.subscription (name, channel, target, language, layers, communes, least_severity,
                              simulated, only_named, on_duty, person, quiet_from, quiet_to,
                              digest_minutes, created_by, by_admin)
VALUES (:name, :channel, :target, :language, :layers, :communes, :least_severity, :simulated,
        :only_named, :on_duty, :person, :quiet_from, :quiet_to, :digest_minutes, :who, :by_admin)
ON CONFLICT (name) WHERE ended_at IS NULL DO NOTHING RETURNING id
""")

_INSERT_SECRET = text(
    "INSERT INTO private.webhook_secret (subscription_id, secret) VALUES (:id, :secret)"
)
_INSERT_ADDRESS = text(
    "INSERT INTO private.subscription_address (subscription_id, address) VALUES (:id, :address)"
)
_LIST = text("""
SELECT s.*, count(d.id) FILTER (WHERE d.status = 'delivered') AS delivered,
       count(d.id) FILTER (WHERE d.status = 'waiting') AS waiting,
       count(d.id) FILTER (WHERE d.status = 'dead') AS dead,
       coalesce((array_agg(d.error ORDER BY d.id DESC) FILTER (WHERE d.error <> ''))[1], '')
         AS error
FROM gis.subscription s LEFT JOIN gis.delivery d ON d.subscription_id = s.id
WHERE s.ended_at IS NULL GROUP BY s.id ORDER BY s.id
""")


def subscribe(
    connection: Connection,
    request: SubscriptionRequest,
    who: str,
    channels: Mapping[str, Channel],
    *,
    by_admin: bool = False,
) -> str | None:
    """Send alerts there from now on; gives the secret of a channel that signs, this once.

    Alerts of private layers are sent only where an administrator named the layer.

    Raises BadInput for an address to which nothing can be sent, NotFound for a code that no commune
    has, Conflict for a name in use.
    """
    if not request.name.strip() or not request.name.isprintable():
        raise BadInput("a subscription needs a name of one line")
    if request.name == ON_DUTY:
        raise BadInput(f"{ON_DUTY} stands for who is on duty: give another name")
    if request.person and not (request.on_duty and request.person.isprintable()):
        raise BadInput("a person, on one line, is of a subscription on duty: give both")
    channel = channels.get(request.channel)
    if channel is None:
        raise BadInput(f"there is no channel {request.channel}: use {' or '.join(channels)}")
    channel.check_address(request.target)
    check_communes(connection, request.communes)
    shown = channel.shown_address(request.target)
    values = _values(request) | {"target": shown, "who": who, "by_admin": by_admin}
    subscription_id = connection.scalar(_INSERT, values)
    if subscription_id is None:
        raise Conflict(f"there is a subscription {request.name}: end it first")
    if shown != request.target:
        address = {"id": subscription_id, "address": request.target}
        connection.execute(_INSERT_ADDRESS, address)
    notify_senders(connection)
    secret = channel.new_secret()
    if secret is not None:
        connection.execute(_INSERT_SECRET, {"id": subscription_id, "secret": secret})
    return secret


def notify_senders(connection: Connection) -> None:
    """Queue open alerts for those whom layer files name now and who were not notified of them."""
    connection.execute(text("SELECT gis.notify_late_recipients()"))


def subscriptions(connection: Connection) -> list[Subscription]:
    """The subscriptions in force, the oldest first."""
    return [_subscription(row) for row in connection.execute(_LIST)]


def unsubscribe(connection: Connection, name: str) -> None:
    """End a subscription; its waiting deliveries are cancelled. Raises NotFound."""
    subscription_id = connection.scalar(
        text(
            "UPDATE gis.subscription SET ended_at = now()"
            " WHERE name = :name AND ended_at IS NULL RETURNING id"
        ),
        {"name": name},
    )
    if subscription_id is None:
        raise NotFound(f"there is no subscription {name}")
    for statement in _CLEAR:
        connection.execute(statement, {"id": subscription_id})


_CLEAR = (
    text(
        "UPDATE gis.delivery SET status = 'cancelled', ended_at = now()"
        " WHERE subscription_id = :id AND status = 'waiting'"
    ),
    text("DELETE FROM private.webhook_secret WHERE subscription_id = :id"),
    text("DELETE FROM private.subscription_address WHERE subscription_id = :id"),
)


def retry_failed(connection: Connection, name: str) -> int:
    """Queue failed deliveries again, for a receiver that works again; gives their number."""
    result = connection.execute(
        text(
            "UPDATE gis.delivery d SET status = 'waiting', attempts = 0, due_at = now(),"
            " ended_at = NULL FROM gis.subscription s WHERE s.id = d.subscription_id"
            " AND s.name = :name AND s.ended_at IS NULL AND d.status = 'dead'"
        ),
        {"name": name},
    )
    return result.rowcount


def _values(request: SubscriptionRequest) -> dict[str, Any]:
    return {
        "name": request.name,
        "channel": request.channel,
        "target": request.target,
        "language": request.language.value,
        "layers": list(request.layers),
        "communes": list(request.communes),
        "least_severity": request.least_severity.value,
        "simulated": request.simulated,
        "only_named": request.only_named,
        "on_duty": request.on_duty,
        "person": request.person.strip(),
        "digest_minutes": request.digest_minutes,
        "quiet_from": request.quiet_hours and request.quiet_hours.begin,
        "quiet_to": request.quiet_hours and request.quiet_hours.end,
    }


def _subscription(row: Row[Any]) -> Subscription:
    request = SubscriptionRequest(
        name=row.name,
        channel=row.channel,
        target=row.target,
        language=Language(row.language),
        layers=tuple(row.layers),
        communes=tuple(row.communes),
        least_severity=Tier(row.least_severity),
        simulated=row.simulated,
        only_named=row.only_named,
        on_duty=row.on_duty,
        person=row.person,
        digest_minutes=row.digest_minutes,
        quiet_hours=None if row.quiet_from is None else QuietHours(row.quiet_from, row.quiet_to),
    )
    return Subscription(
        id=row.id,
        request=request,
        created_at=row.created_at,
        created_by=row.created_by,
        delivered=row.delivered,
        waiting=row.waiting,
        dead=row.dead,
        error=row.error,
    )
