"""Webhooks: a signed POST of JSON; any 2xx answer in time is a receipt."""

import time
from typing import Any

import httpcore
import orjson

from gis.egress import CheckedNetwork, EgressPolicy
from gis.notify.channels.signature import KEY_HEADER, SIGNATURE_HEADER, TIME_HEADER, sign
from gis.notify.deadline import Deadline, deadline
from gis.notify.errors import NotDelivered, Undeliverable
from gis.notify.outbox import Delivery
from gis.notify.payload import notification_payload

_CONNECT_S = 5.0  # then the next address of the host is tried
_GONE = 410


def send_webhook(delivery: Delivery, reach: EgressPolicy, timeout_s: float) -> None:
    """Raises NotDelivered, or Undeliverable when the receiver says that it is gone for good.

    `timeout_s`: until then it has answered, whatever it sent meanwhile.
    """
    body = webhook_body(delivery)
    headers = _headers(delivery, body, int(time.time()))
    with deadline(timeout_s) as until:
        try:
            status = _post(delivery.target, headers, body, reach, until)
        except (
            httpcore.NetworkError,
            httpcore.TimeoutException,
            httpcore.ProtocolError,
            TimeoutError,
        ) as error:
            if until.passed:
                raise NotDelivered(f"no answer within {timeout_s:g} s") from error
            raise NotDelivered(f"no answer: {type(error).__name__}") from error
    if status == _GONE:
        raise Undeliverable("the receiver answered 410: it wants no more")
    if not 200 <= status < 300:
        raise NotDelivered(f"the receiver answered {status}")


def webhook_body(delivery: Delivery) -> bytes:
    """The same bytes at each attempt."""
    body: dict[str, Any] = {"key": delivery.key, **notification_payload(delivery.told)}
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def _headers(delivery: Delivery, body: bytes, timestamp: int) -> list[tuple[str, str]]:
    if delivery.secret is None:
        raise Undeliverable("this webhook has no secret to sign with: subscribe it again")
    return [
        ("Host", _host(httpcore.URL(delivery.target))),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("User-Agent", "gis-ioc"),
        (KEY_HEADER, delivery.key),
        (TIME_HEADER, str(timestamp)),
        (SIGNATURE_HEADER, sign(delivery.secret, timestamp, body)),
    ]


def _host(url: httpcore.URL) -> str:
    host = url.host.decode()
    name = f"[{host}]" if ":" in host else host
    return name if url.port is None else f"{name}:{url.port}"


def _post(
    url: str, headers: list[tuple[str, str]], body: bytes, reach: EgressPolicy, until: Deadline
) -> int:
    """The status alone: no redirect is followed, and the answer's body is not read."""
    pool = httpcore.ConnectionPool(network_backend=CheckedNetwork(reach, until))
    times = {"timeout": {"connect": _CONNECT_S}}
    with pool, pool.stream("POST", url, headers=headers, content=body, extensions=times) as answer:
        return answer.status
