"""Webhooks: a signed POST of JSON; any 2xx answer in time is a receipt."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import orjson

from gis.deadline import Deadline
from gis.egress import EgressPolicy, check_url, networks_of
from gis.errors import Undeliverable
from gis.notify.channels.channel import Channel
from gis.notify.channels.exchange import HttpRequest, check_status, exchange
from gis.notify.channels.signature import new_secret, signed_headers
from gis.notify.payload import notification_payload
from gis.settings import Settings

if TYPE_CHECKING:
    from gis.notify.outbox import Delivery


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
        request = HttpRequest("POST", delivery.target, headers, body)
        status, _ = exchange(request, self.egress, until)
        check_status(status)


def webhook_body(delivery: "Delivery") -> bytes:
    """The body as JSON: the same bytes at each attempt."""
    body: dict[str, Any] = {"key": delivery.key}
    if delivery.digest:
        body["digest"] = [notification_payload(each) for each in delivery.digest]
    else:
        body |= notification_payload(delivery.notification)
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def _headers(delivery: "Delivery", body: bytes, timestamp: int) -> tuple[tuple[str, str], ...]:
    if delivery.secret is None:
        raise Undeliverable("this webhook has no secret to sign with: subscribe it again")
    signed = signed_headers(delivery.secret, delivery.key, timestamp, body)
    return (("Content-Type", "application/json"), *signed)
