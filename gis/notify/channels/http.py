"""HTTP gateways: an alert as a short text, by whatever request a gateway of SMS or Zalo wants.

The address is `<gateway>:<number or user>`. It is of a person, so that it is stored in schema
`private` and shown by its end alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from pydantic import SecretStr

from gis.deadline import Deadline
from gis.egress import EgressPolicy, networks_of
from gis.errors import BadInput, NotDelivered, Undeliverable
from gis.notify.channels.channel import Channel
from gis.notify.channels.exchange import check_status, exchange
from gis.notify.channels.gateways import Gateway, read_gateways
from gis.notify.text import digest_values, message_values
from gis.settings import Settings

if TYPE_CHECKING:
    from gis.notify.outbox import Delivery

_LONGEST_ANSWER = 65_536  # bytes
_SHOWN = 3  # digits of an address that are shown


@dataclass(frozen=True, slots=True)
class HttpChannel(Channel):
    """The gateways that the province's file names, by name, with their secrets."""

    name = "http"
    label = "gateway:number, such as sms:+84912345678"

    gateways: Mapping[str, Gateway]
    secrets: Mapping[str, SecretStr]
    egress: EgressPolicy
    map_url: str | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        egress = EgressPolicy(networks_of(settings.webhook_networks))
        secrets = settings.gateway_secrets
        gateways = read_gateways(settings.gateways, secrets, egress)
        return cls(gateways, secrets, egress, settings.public_url)

    def check_address(self, address: str) -> None:
        name, colon, number = address.partition(":")
        if not colon:
            raise BadInput("an address of this channel is gateway:number, such as sms:+84912345678")
        if name not in self.gateways:
            known = ", ".join(self.gateways) or "none yet: see GIS_GATEWAYS"
            raise BadInput(f"there is no gateway {name}; there are: {known}")
        self.gateways[name].check_address(number)

    def shown_address(self, address: str) -> str:
        name, _, number = address.partition(":")
        return f"{name}:…{number[-_SHOWN:] if len(number) > 2 * _SHOWN else ''}"

    def send(self, delivery: "Delivery", until: Deadline) -> None:
        """Raises NotDelivered, also for an answer that is not as the gateway's file wants it."""
        name, _, number = delivery.target.partition(":")
        gateway = self.gateways.get(name)
        if gateway is None:
            raise NotDelivered(f"there is no gateway {name} in the file of GIS_GATEWAYS")
        try:
            gateway.check_address(number)
        except BadInput as error:
            raise Undeliverable(str(error)) from error
        values = message_values(
            delivery.notification, delivery.language, self.map_url, gateway.text_length
        )
        if delivery.digest:
            values |= digest_values(delivery.digest, delivery.language, gateway.text_length)
        values |= {"address": number, "key": delivery.key}
        values |= {f"secret:{key}": value.get_secret_value() for key, value in self.secrets.items()}
        longest = _LONGEST_ANSWER if gateway.answer.reads_body else 0
        request = gateway.request(values)
        status, body = exchange(request, self.egress, until, longest_answer=longest)
        check_status(status, frozenset(gateway.answer.status) or None)
        gateway.answer.check(body)
