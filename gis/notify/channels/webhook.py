"""Webhooks: a signed POST of JSON; any 2xx answer in time is a receipt."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import httpcore
import orjson

from gis.deadline import Deadline
from gis.egress import CheckedNetwork, EgressPolicy, check_url, networks_of
from gis.errors import NotDelivered, Undeliverable
from gis.notify.channels.channel import Channel
from gis.notify.channels.signature import new_secret, signed_headers
from gis.notify.payload import notification_payload
from gis.settings import Settings

if TYPE_CHECKING:
    from gis.notify.outbox import Delivery

_CONNECT_S = 5.0  # until the next address of the host is tried
_GONE = 410


@dataclass(frozen=True, slots=True)
class WebhookChannel(Channel):
    """Webhooks to those addresses that the policy allows."""

    name = "webhook"
    label = "URL of a webhook"

    egress: EgressPolicy

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        return cls(EgressPolicy(networks_of(settings.webhook_networks)))

    def check_address(self, address: str) -> None:
        check_url(address, self.egress)

    def new_secret(self) -> str:
        return new_secret()

    def send(self, delivery: "Delivery", until: Deadline) -> None:
        """Raises NotDelivered, or Undeliverable when the receiver says that it is gone for good."""
        body = webhook_body(delivery)
        headers = _headers(delivery, body, int(time.time()))
        try:
            status = _post(delivery.target, headers, body, self.egress, until)
        except (
            httpcore.NetworkError,
            httpcore.TimeoutException,
            httpcore.ProtocolError,
            TimeoutError,
        ) as error:
            if until.passed:
                raise NotDelivered(f"no answer within {until.seconds:g} s") from error
            raise NotDelivered(f"no answer: {type(error).__name__}") from error
        if status == _GONE:
            raise Undeliverable("the receiver answered 410: it wants no more")
        if not 200 <= status < 300:
            raise NotDelivered(f"the receiver answered {status}")


def webhook_body(delivery: "Delivery") -> bytes:
    """The body as JSON: the same bytes at each attempt."""
    body: dict[str, Any] = {"key": delivery.key, **notification_payload(delivery.notification)}
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def _headers(delivery: "Delivery", body: bytes, timestamp: int) -> list[tuple[str, str]]:
    if delivery.secret is None:
        raise Undeliverable("this webhook has no secret to sign with: subscribe it again")
    return [
        ("Host", _host(httpcore.URL(delivery.target))),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("User-Agent", "gis-ioc"),
        *signed_headers(delivery.secret, delivery.key, timestamp, body),
    ]


def _host(url: httpcore.URL) -> str:
    host = url.host.decode()
    name = f"[{host}]" if ":" in host else host
    return name if url.port is None else f"{name}:{url.port}"


def _post(
    url: str, headers: list[tuple[str, str]], body: bytes, egress: EgressPolicy, until: Deadline
) -> int:
    """The status of the answer; no redirect is followed, and the body is not read."""
    pool = httpcore.ConnectionPool(network_backend=CheckedNetwork(egress, until))
    options = {"timeout": {"connect": _CONNECT_S}}
    exchange = pool.stream("POST", url, headers=headers, content=body, extensions=options)
    with pool, exchange as response:
        return response.status
