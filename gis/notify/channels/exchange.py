"""One HTTP request of a channel: to allowed addresses, within the deadline, without redirects."""

from dataclasses import dataclass

import httpcore

from gis.deadline import Deadline
from gis.egress import CheckedNetwork, EgressPolicy
from gis.errors import NotDelivered, Undeliverable

_CONNECT_S = 5.0  # until the next address of the host is tried
_GONE = 410


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request with its own headers; those of HTTP itself are added when it is sent."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __repr__(self) -> str:
        return f"HttpRequest({self.method})"  # the URL and headers may hold secrets


def exchange(
    request: HttpRequest, egress: EgressPolicy, until: Deadline, *, longest_answer: int = 0
) -> tuple[int, bytes]:
    """Status and body of the answer, of which at most `longest_answer` bytes are read.

    Raises NotDelivered without an answer in time, Undeliverable for a host that is not allowed.
    """
    pool = httpcore.ConnectionPool(network_backend=CheckedNetwork(egress, until))
    sent = pool.stream(
        request.method,
        request.url,
        headers=[*_own_headers(request), *request.headers],
        content=request.body,
        extensions={"timeout": {"connect": _CONNECT_S}},
    )
    try:
        with pool, sent as response:
            return response.status, _read(response, longest_answer)
    except (
        httpcore.NetworkError,
        httpcore.TimeoutException,
        httpcore.ProtocolError,
        TimeoutError,
    ) as error:
        if until.passed:
            raise NotDelivered(f"no answer within {until.seconds:g} s") from error
        raise NotDelivered(f"no answer: {type(error).__name__}") from error


def check_status(status: int, accepted: frozenset[int] | None = None) -> None:
    """Raises NotDelivered for another status than those accepted (None: any 2xx), Undeliverable for
    410.
    """
    if 200 <= status < 300 if accepted is None else status in accepted:
        return
    if status == _GONE:
        raise Undeliverable("the receiver answered 410: it wants no more")
    raise NotDelivered(f"the receiver answered {status}")


def _read(response: httpcore.Response, longest: int) -> bytes:
    body = b""
    if longest:
        for chunk in response.iter_stream():
            body += chunk
            if len(body) >= longest:
                break
    return body[:longest]


def _own_headers(request: HttpRequest) -> list[tuple[str, str]]:
    url = httpcore.URL(request.url)
    host = url.host.decode()
    name = f"[{host}]" if ":" in host else host
    return [
        ("Host", name if url.port is None else f"{name}:{url.port}"),
        ("Content-Length", str(len(request.body))),
        ("User-Agent", "gis-ioc"),
    ]
