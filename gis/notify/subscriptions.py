"""Who is told of which alerts, where and in which language: an operator's act."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, text

from gis.alerts.policy import Tier
from gis.boundaries.codes import check_communes
from gis.egress import EgressPolicy, check_url
from gis.errors import BadInput, Conflict, NotFound
from gis.notify.channels.mail import check_address
from gis.notify.channels.signature import new_secret
from gis.notify.notification import Language


class Channel(StrEnum):
    WEBHOOK = "webhook"
    MAIL = "mail"


@dataclass(frozen=True, slots=True)
class SubscriptionRequest:
    """What somebody wants to be told. Without layers: of all but private ones.

    Of a layer whose file names the subscription, the file says what it is told instead.
    """

    name: str
    channel: Channel
    target: str  # URL of a webhook, or mail address
    language: Language = Language.VI
    layers: tuple[str, ...] = ()
    communes: tuple[str, ...] = ()  # codes; none: everywhere
    least_severity: Tier = Tier.ALERT
    simulated: bool = False  # whether alerts on simulated data are sent as well
    only_named: bool = False  # whether it hears of no layer whose file does not name it


@dataclass(frozen=True, slots=True)
class Subscription:
    """A wish that holds, and what became of its deliveries. The secret is never shown again."""

    id: int
    wish: SubscriptionRequest
    created_at: datetime
    created_by: str
    delivered: int
    waiting: int
    dead: int
    error: str  # of the newest delivery that failed; empty when there is none


_INSERT = text("""
INSERT INTO gis.subscription (name, channel, target, language, layers, communes, least_severity,
                              simulated, only_named, created_by, by_admin)
VALUES (:name, :channel, :target, :language, :layers, :communes, :least_severity, :simulated,
        :only_named, :who, :by_admin)
ON CONFLICT (name) WHERE ended_at IS NULL DO NOTHING RETURNING id
""")

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
    wish: SubscriptionRequest,
    who: str,
    reach: EgressPolicy,
    *,
    by_admin: bool = False,
) -> str | None:
    """From now on alerts are sent there; gives the secret of a webhook, this once.

    Alerts of private layers are sent only where an administrator named the layer.

    Raises BadInput for an address to which nothing can be sent, NotFound for a code that no commune
    has, Conflict for a name in use.
    """
    _check(wish, reach)
    check_communes(connection, wish.communes)
    number = connection.scalar(_INSERT, _values(wish) | {"who": who, "by_admin": by_admin})
    if number is None:
        raise Conflict(f"there is a subscription {wish.name}: end it first")
    notify_senders(connection)
    return _made_secret(connection, number) if wish.channel is Channel.WEBHOOK else None


def notify_senders(connection: Connection) -> None:
    """Send open alerts to those whom layer files name now, and who have not heard of them."""
    connection.execute(text("SELECT gis.tell_waiting()"))


def subscriptions(connection: Connection) -> list[Subscription]:
    """Those that hold, the oldest first."""
    return [_subscription(row) for row in connection.execute(_LIST)]


def unsubscribe(connection: Connection, name: str) -> None:
    """Nothing more is sent there, also not what waits. Raises NotFound."""
    number = connection.scalar(
        text(
            "UPDATE gis.subscription SET ended_at = now()"
            " WHERE name = :name AND ended_at IS NULL RETURNING id"
        ),
        {"name": name},
    )
    if number is None:
        raise NotFound(f"there is no subscription {name}")
    for statement in _FORGET:
        connection.execute(statement, {"id": number})


_FORGET = (
    text(
        "UPDATE gis.delivery SET status = 'cancelled', ended_at = now()"
        " WHERE subscription_id = :id AND status = 'waiting'"
    ),
    text("DELETE FROM private.webhook_secret WHERE subscription_id = :id"),
)


def retry_failed(connection: Connection, name: str) -> int:
    """Send anew what was given up, for a receiver that works again; gives how many."""
    done = connection.execute(
        text(
            "UPDATE gis.delivery d SET status = 'waiting', attempts = 0, due_at = now(),"
            " ended_at = NULL FROM gis.subscription s WHERE s.id = d.subscription_id"
            " AND s.name = :name AND s.ended_at IS NULL AND d.status = 'dead'"
        ),
        {"name": name},
    )
    return done.rowcount


def _made_secret(connection: Connection, number: int) -> str:
    secret = new_secret()
    connection.execute(
        text("INSERT INTO private.webhook_secret (subscription_id, secret) VALUES (:id, :secret)"),
        {"id": number, "secret": secret},
    )
    return secret


def _check(wish: SubscriptionRequest, reach: EgressPolicy) -> None:
    if not wish.name.strip() or not wish.name.isprintable():
        raise BadInput("a subscription needs a name of one line")
    if wish.channel is Channel.WEBHOOK:
        check_url(wish.target, reach)
    else:
        check_address(wish.target)


def _values(wish: SubscriptionRequest) -> dict[str, Any]:
    return {
        "name": wish.name,
        "channel": wish.channel.value,
        "target": wish.target,
        "language": wish.language.value,
        "layers": list(wish.layers),
        "communes": list(wish.communes),
        "least_severity": wish.least_severity.value,
        "simulated": wish.simulated,
        "only_named": wish.only_named,
    }


def _subscription(row: Row[Any]) -> Subscription:
    wish = SubscriptionRequest(
        name=row.name,
        channel=Channel(row.channel),
        target=row.target,
        language=Language(row.language),
        layers=tuple(row.layers),
        communes=tuple(row.communes),
        least_severity=Tier(row.least_severity),
        simulated=row.simulated,
        only_named=row.only_named,
    )
    return Subscription(
        id=row.id,
        wish=wish,
        created_at=row.created_at,
        created_by=row.created_by,
        delivered=row.delivered,
        waiting=row.waiting,
        dead=row.dead,
        error=row.error,
    )
