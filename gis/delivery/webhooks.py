"""Webhooks: a signed POST of JSON; any 2xx answer within ten seconds is a receipt."""

import time
from typing import Any

import httpcore
import orjson

from gis.delivery.errors import NotDelivered, Undeliverable
from gis.delivery.outbox import Delivery
from gis.delivery.reach import Reach, ReachedNetwork
from gis.delivery.signing import KEY_HEADER, SIGNATURE_HEADER, TIME_HEADER, sign
from gis.delivery.told_json import told_json

_TIMEOUTS = {"connect": 5.0, "read": 10.0, "write": 10.0, "pool": 5.0}
_GONE = 410


def send_webhook(delivery: Delivery, reach: Reach) -> None:
    """Raises NotDelivered, or Undeliverable when the receiver says that it is gone for good."""
    body = webhook_body(delivery)
    try:
        status = _post(delivery.target, _headers(delivery, body, int(time.time())), body, reach)
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
        raise NotDelivered(f"no answer: {type(error).__name__}") from error
    if status == _GONE:
        raise Undeliverable("the receiver answered 410: it wants no more")
    if not 200 <= status < 300:
        raise NotDelivered(f"the receiver answered {status}")


def webhook_body(delivery: Delivery) -> bytes:
    """The same bytes at each attempt."""
    body: dict[str, Any] = {"key": delivery.key, **told_json(delivery.told)}
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


def _post(url: str, headers: list[tuple[str, str]], body: bytes, reach: Reach) -> int:
    """The status alone: no redirect is followed, and the answer's body is not read."""
    pool = httpcore.ConnectionPool(network_backend=ReachedNetwork(reach))
    with (
        pool,
        pool.stream(
            "POST", url, headers=headers, content=body, extensions={"timeout": _TIMEOUTS}
        ) as answer,
    ):
        return answer.status
