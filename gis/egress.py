"""Egress policy of webhooks: public addresses, and the networks that the settings name.

Without it, whoever may set a webhook could make the service call machines that only it can reach
(server-side request forgery).
"""

import ipaddress
import math
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpcore

from gis.deadline import Deadline
from gis.errors import BadInput, NotDelivered, Undeliverable

type Address = ipaddress.IPv4Address | ipaddress.IPv6Address
type Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# An IPv6 address in which a gateway finds an IPv4 address (RFC 6052), which may be private.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """Allowed addresses: public ones, and those of `networks`, which `setting` names.

    `services` are single ports of addresses that are allowed as well.
    """

    networks: tuple[Network, ...] = ()
    setting: str = "GIS_WEBHOOK_NETWORKS"
    services: frozenset[tuple[str, int]] = frozenset()

    def allows(self, address: Address) -> bool:
        mapped = getattr(address, "ipv4_mapped", None)
        if mapped is not None:
            return self.allows(mapped)
        if any(address in network for network in self.networks):
            return True
        return address.is_global and not address.is_multicast and not _embeds_ipv4(address)

    def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a host that may be called.

        Raises NotDelivered when it has none, Undeliverable when none of them is allowed.
        """
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise NotDelivered(f"the host {host} has no address") from error
        addresses = list(dict.fromkeys(str(info[4][0]) for info in infos))
        allowed = [
            address
            for address in addresses
            if (address, port) in self.services or self.allows(ipaddress.ip_address(address))
        ]
        if not allowed:
            raise Undeliverable(
                f"the host {host} is not on a public network: an administrator may allow its "
                f"network in {self.setting}"
            )
        return allowed


def networks_of(text: str) -> tuple[Network, ...]:
    """The networks of a text in CIDR notation, by blanks or commas; raises BadInput."""
    try:
        return tuple(ipaddress.ip_network(network) for network in text.replace(",", " ").split())
    except ValueError as error:
        raise BadInput(f"{error}: give networks such as 10.0.0.0/8") from error


def check_url(url: str, policy: EgressPolicy) -> None:
    """Raises BadInput for a URL to which no webhook can ever be sent."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise BadInput(f"{url} is no URL: {error}") from error
    if parts.scheme not in ("http", "https") or not host:
        raise BadInput(f"a webhook is an http or https URL, not {url}")
    if parts.username is not None or parts.fragment:
        raise BadInput("the URL of a webhook has no user, password or fragment")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise BadInput("the URL of a webhook is of printable ASCII letters without blanks")
    if _is_literal(host) and not policy.allows(ipaddress.ip_address(host)):
        raise BadInput(f"{host} is not on a public network: allow its network in {policy.setting}")


class CheckedNetwork(httpcore.NetworkBackend):
    """A network that connects to the very address that was checked (no DNS rebinding).

    The connection ends with the deadline, where there is one.
    """

    def __init__(self, policy: EgressPolicy, until: Deadline | None = None) -> None:
        self._policy = policy
        self._until = until
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        for address in self._policy.addresses(host, port):
            try:
                if self._until is not None:
                    timeout = min(timeout or math.inf, self._until.left_s())
                stream = self._plain.connect_tcp(address, port, timeout, None, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout, TimeoutError) as error:
                failed: Exception = error
                continue
            if self._until is not None:
                self._until.add(stream.get_extra_info("socket"))
            return stream
        raise failed


def _embeds_ipv4(address: Address) -> bool:
    """True where an IPv6 address embeds an IPv4 address, by NAT64, 6to4 or Teredo."""
    if isinstance(address, ipaddress.IPv4Address):
        return False
    return address in _NAT64 or address.sixtofour is not None or address.teredo is not None


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
